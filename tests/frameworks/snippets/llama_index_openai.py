from llama_index.llms.openai import OpenAI
from openai import AsyncClient, Client

from ollamatrace import TracedClient

server = {"base_url": "http://localhost:11434/v1", "api_key": "ollama"}
client, aclient = TracedClient(Client(**server)), TracedClient(AsyncClient(**server))
llm = OpenAI("gpt-4o-mini", openai_client=client, async_openai_client=aclient, api_key="ollama")
print(llm.complete("Why is the sky blue?"))
