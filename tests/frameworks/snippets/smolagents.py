from smolagents import OpenAIServerModel, ToolCallingAgent

from ollamatrace import TracedClient

server = {"api_base": "http://localhost:11434/v1", "api_key": "ollama"}
model = OpenAIServerModel("llama3.2:1b", **server)
model.client = TracedClient(model.client)
print(ToolCallingAgent(tools=[], model=model).run("Why is the sky blue?"))
