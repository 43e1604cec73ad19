"""The demo's calls through Ollama's own client."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import ollama

from ollamatrace import TracedClient, Tracer
from ollamatrace.cli import calls
from ollamatrace.cli.calls import ToolCall

_TIMEOUT_S: Final = 300
"""A big model takes minutes to load from a slow disk."""
_DIMENSIONS: Final = 64


class Models(NamedTuple):
    """Which model does what; ``None``: none can."""

    talking: str
    embedding: str
    thinking: str | None


class OllamaCalls:
    """Calls of an Ollama server.

    Args:
        tracer: Where the spans go.
        host: The server's address.
        models: The models to call.
        recorded: Send exactly what was sent when the exchanges were recorded.
    """

    def __init__(self, tracer: Tracer, host: str, models: Models, *, recorded: bool) -> None:
        # A proxy of the environment is not for a server on this machine.
        settings: dict[str, Any] = {"trust_env": False} if recorded else {}
        client = ollama.Client(host=host, timeout=_TIMEOUT_S, **settings)
        # Its own annotations are unknown in part, which strict checking does not let through.
        self._client: Any = TracedClient(client, tracer=tracer)
        self._model, self._embedder, self._thinker = models
        self._recorded = recorded

    @property
    def think(self) -> Callable[[], None] | None:
        """Have a model think before it answers, and read both piece by piece, if one can."""
        return None if self._thinker is None else self._think

    def chat(self) -> None:
        """Ask a question."""
        messages = [{"role": "user", "content": calls.QUESTION}]
        self._client.chat(model=self._model, messages=messages, options=self._options(24, "\n"))

    def stream(self) -> None:
        """Ask it again and read the answer piece by piece."""
        messages = [{"role": "user", "content": calls.QUESTION}]
        options = self._options(24, "\n")
        for _ in self._client.chat(self._model, messages, stream=True, options=options):
            pass

    def _think(self) -> None:
        messages = [{"role": "user", "content": calls.QUESTION}]
        options = self._options(48)
        for _ in self._client.chat(
            self._thinker, messages, stream=True, think=True, options=options
        ):
            pass

    def ask_for_tool(self) -> ToolCall | None:
        """Ask something that wants a tool; ``None`` where the model just talks."""
        answer = self._client.chat(
            model=self._model,
            messages=[{"role": "user", "content": calls.TOOL_QUESTION}],
            tools=[calls.TOOL],
            options=self._options(40),
        )
        wanted: list[Any] = answer.message.tool_calls or []
        if not wanted:
            return None
        function = wanted[0].function
        return ToolCall("", function.name, dict(function.arguments))

    def answer_with_tool(self, call: ToolCall, result: str) -> None:
        """Let the model go on with what the tool said."""
        made = {"function": {"name": call.name, "arguments": call.arguments}}
        messages: list[dict[str, Any]] = [
            {"role": "user", "content": calls.TOOL_QUESTION},
            {"role": "assistant", "tool_calls": [made]},
            {"role": "tool", "content": result, "tool_name": call.name},
        ]
        self._client.chat(model=self._model, messages=messages, options=self._options(24, "\n"))

    def structured(self) -> None:
        """Ask for JSON that follows a schema."""
        self._client.chat(
            model=self._model,
            messages=[{"role": "user", "content": calls.SCHEMA_QUESTION}],
            format=calls.SCHEMA,
            options=self._options(48),
        )

    def embed(self) -> None:
        """Turn two texts into vectors."""
        # Not every model can shorten its vectors, and only the recording needs short ones.
        size = _DIMENSIONS if self._recorded else None
        self._client.embed(model=self._embedder, input=list(calls.TEXTS), dimensions=size)

    def fail(self) -> None:
        """Make a call that the server must refuse."""
        messages = [{"role": "user", "content": calls.QUESTION}]
        self._client.chat(model="no-such-model", messages=messages)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _options(self, limit: int, stop: str | None = None) -> dict[str, Any]:
        if not self._recorded:  # an unknown model may think long before it answers
            return {"temperature": 0, "seed": 7, "num_predict": 256}
        if stop is None:
            return {"temperature": 0, "num_predict": limit}
        return {"temperature": 0, "seed": 7, "num_predict": limit, "stop": [stop]}
