"""Mistakes that a type checker finds, through a traced client as without. Checked, not run."""

# An ignored error that is none is an error.
# pyright: reportUnnecessaryTypeIgnoreComment=true, reportUnknownMemberType=false

import ollama
import openai

from ollamatrace import TracedClient, tracer_of

client = TracedClient(openai.OpenAI())
later = TracedClient(openai.AsyncOpenAI())
native = TracedClient(ollama.Client())

TracedClient()  # type: ignore[call-arg]
TracedClient(client, includ_usage=True)  # type: ignore[call-arg]
TracedClient(client, include_usage="yes")  # type: ignore[arg-type]
TracedClient(client, propagate="yes")  # type: ignore[arg-type]
TracedClient(client, "console:")  # type: ignore[arg-type, call-arg]
TracedClient(client, tracer="console:")  # type: ignore[arg-type]
TracedClient(client, name=5)  # type: ignore[arg-type]
TracedClient(client, server=5)  # type: ignore[arg-type]
TracedClient(client, experiment=["e"])  # type: ignore[arg-type]
tracer_of()  # type: ignore[call-arg]

client.chat.completions.create(modell="x")  # type: ignore[call-overload]
client.chat.completions.create(model="m", messages="Hi")  # type: ignore[arg-type]
str(client.chat.completions.created())  # type: ignore[attr-defined]
client.completions.create(model="m")  # type: ignore[call-overload]
client.embeddings.create(model="m", input=5)  # type: ignore[arg-type]
client.with_options(timeoutt=3)  # type: ignore[call-arg]
str(client.chat.completions.create(model="m", messages=[]).answer)  # type: ignore[attr-defined]
native.chat("m", strem=True)  # type: ignore[call-overload]
str(native.generate("m", "Hi").message)  # type: ignore[attr-defined]
str(native.tracer)  # type: ignore[attr-defined]


async def asynchronous() -> None:
    str(later.chat.completions.create(model="m", messages=[]).choices)  # type: ignore[attr-defined]
    with later:  # type: ignore[attr-defined]
        pass
    async with client:  # type: ignore[attr-defined]
        pass
