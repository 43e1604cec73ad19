import instructor
from openai import OpenAI

from ollamatrace import TracedClient

openai = TracedClient(OpenAI(base_url="http://localhost:11434/v1", api_key="ollama"))
client = instructor.from_openai(openai)
question = [{"role": "user", "content": "Which city has the Eiffel Tower?"}]
print(client.create(model="llama3.2:1b", response_model=str, messages=question))
