"""The demo's calls through the OpenAI client, to a small model in this process."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import openai

from ollamatrace import TracedClient, Tracer
from ollamatrace.cli import calls
from ollamatrace.cli.calls import ToolCall

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletionMessageParam

_TIMEOUT_S: Final = 120
_LIMIT: Final = 48


class OpenAICalls:
    """Calls of an OpenAI-compatible server on this machine.

    Args:
        tracer: Where the spans go.
        url: The server's address, without ``/v1``.
        model: The name of its model.
    """

    think = None
    """Such a small model does not think."""

    def __init__(self, tracer: Tracer, url: str, model: str) -> None:
        # A proxy of the environment is not for a server on this machine.
        self._http = openai.DefaultHttpxClient(trust_env=False)
        client = openai.OpenAI(
            base_url=f"{url}/v1",
            api_key="none",
            timeout=_TIMEOUT_S,
            max_retries=0,
            http_client=self._http,
        )
        self._client = TracedClient(client, tracer=tracer)
        self._model = model

    def chat(self) -> None:
        """Ask a question."""
        self._client.chat.completions.create(
            model=self._model, messages=_ask(calls.QUESTION), max_tokens=_LIMIT, temperature=0
        )

    def stream(self) -> None:
        """Ask it again and read the answer piece by piece."""
        stream = self._client.chat.completions.create(
            model=self._model,
            messages=_ask(calls.QUESTION),
            max_tokens=_LIMIT,
            temperature=0,
            stream=True,
            stream_options={"include_usage": True},
        )
        for _ in stream:
            pass

    def ask_for_tool(self) -> ToolCall | None:
        """Ask something that wants a tool; ``None`` where the model just talks."""
        answer = self._client.chat.completions.create(
            model=self._model,
            messages=_ask(calls.TOOL_QUESTION),
            tools=[{"type": "function", "function": calls.TOOL["function"]}],
            max_tokens=_LIMIT,
            temperature=0,
        )
        for wanted in answer.choices[0].message.tool_calls or []:
            if wanted.type == "function":
                arguments: dict[str, Any] = json.loads(wanted.function.arguments)
                return ToolCall(wanted.id, wanted.function.name, arguments)
        return None

    def answer_with_tool(self, call: ToolCall, result: str) -> None:
        """Let the model go on with what the tool said."""
        function = {"name": call.name, "arguments": json.dumps(call.arguments)}
        made: dict[str, Any] = {"id": call.call_id, "type": "function", "function": function}
        messages: list[Any] = [
            *_ask(calls.TOOL_QUESTION),
            {"role": "assistant", "content": None, "tool_calls": [made]},
            {"role": "tool", "tool_call_id": call.call_id, "content": result},
        ]
        self._client.chat.completions.create(
            model=self._model, messages=messages, max_tokens=_LIMIT, temperature=0
        )

    def structured(self) -> None:
        """Ask for JSON that follows a schema."""
        self._client.chat.completions.create(
            model=self._model,
            messages=_ask(calls.SCHEMA_QUESTION),
            response_format={
                "type": "json_schema",
                "json_schema": {"name": "city", "strict": True, "schema": calls.SCHEMA},
            },
            max_tokens=_LIMIT,
            temperature=0,
        )

    def embed(self) -> None:
        """Turn two texts into vectors."""
        self._client.embeddings.create(model=self._model, input=list(calls.TEXTS))

    def fail(self) -> None:
        """Make a call that the server must refuse."""
        # llama.cpp answers to any model's name, but not to a temperature that is a word.
        self._client.chat.completions.create(
            model=self._model, messages=_ask(calls.QUESTION), extra_body={"temperature": "hot"}
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def _ask(question: str) -> list[ChatCompletionMessageParam]:
    return [{"role": "user", "content": question}]
