from agents import Agent, OpenAIChatCompletionsModel, Runner
from openai import AsyncOpenAI

from ollamatrace import TracedClient

client = TracedClient(AsyncOpenAI(base_url="http://localhost:11434/v1", api_key="ollama"))
model = OpenAIChatCompletionsModel("llama3.2:1b", openai_client=client)
agent = Agent(name="Assistant", model=model)
print(Runner.run_sync(agent, "Why is the sky blue?").final_output)
