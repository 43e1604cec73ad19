from haystack.components.generators.chat import OpenAIChatGenerator
from haystack.dataclasses import ChatMessage
from openai import AsyncOpenAI, OpenAI

from ollamatrace import TracedClient

server = {"base_url": "http://localhost:11434/v1", "api_key": "ollama"}
generator = OpenAIChatGenerator(model="llama3.2:1b")
generator.client = TracedClient(OpenAI(**server))
generator.async_client = TracedClient(AsyncOpenAI(**server))
print(generator.run([ChatMessage.from_user("Why is the sky blue?")])["replies"][0].text)
