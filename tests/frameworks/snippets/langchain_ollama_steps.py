from langchain.agents import create_agent

from ollamatrace.frameworks.langchain import TraceCallbackHandler

config = {"callbacks": [TraceCallbackHandler()]}
question = {"messages": [("user", "Why is the sky blue?")]}
print(create_agent(model).invoke(question, config)["messages"][-1].content)
