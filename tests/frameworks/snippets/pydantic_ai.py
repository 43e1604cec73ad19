from openai import AsyncOpenAI
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from ollamatrace import TracedClient

client = TracedClient(AsyncOpenAI(base_url="http://localhost:11434/v1", api_key="ollama"))
model = OpenAIChatModel("llama3.2:1b", provider=OpenAIProvider(openai_client=client))
print(Agent(model).run_sync("Why is the sky blue?").output)
