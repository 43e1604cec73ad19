from langchain_ollama import ChatOllama

from ollamatrace import TracedClient

model = ChatOllama(model="llama3.2:1b", base_url="http://localhost:11434")
model._client = TracedClient(model._client)
model._async_client = TracedClient(model._async_client)
print(model.invoke("Why is the sky blue?").content)
