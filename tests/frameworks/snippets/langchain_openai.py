from langchain_openai import ChatOpenAI
from openai import AsyncOpenAI, OpenAI

from ollamatrace import TracedClient

server = {"base_url": "http://localhost:11434/v1", "api_key": "ollama"}
root, aroot = TracedClient(OpenAI(**server)), TracedClient(AsyncOpenAI(**server))
chats = {"client": root.chat.completions, "async_client": aroot.chat.completions}
model = ChatOpenAI(model="llama3.2:1b", root_client=root, root_async_client=aroot, **chats)
print(model.invoke("Why is the sky blue?").content)
