import litellm
from openai import AsyncOpenAI, OpenAI

from ollamatrace import TracedClient

server = {"base_url": "http://localhost:11434/v1", "api_key": "ollama"}
client, aclient = TracedClient(OpenAI(**server)), TracedClient(AsyncOpenAI(**server))
question = [{"role": "user", "content": "Why is the sky blue?"}]
print(litellm.completion("openai/llama3.2:1b", question, client=client).choices[0].message.content)
