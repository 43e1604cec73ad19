from llama_index.llms.ollama import Ollama
from ollama import AsyncClient, Client

from ollamatrace import TracedClient

server = "http://localhost:11434"
client, aclient = TracedClient(Client(server)), TracedClient(AsyncClient(server))
llm = Ollama("llama3.2:1b", context_window=8000, client=client, async_client=aclient)
print(llm.complete("Why is the sky blue?"))
