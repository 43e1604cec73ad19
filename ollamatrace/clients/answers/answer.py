"""How the answers of an endpoint are read: on the worker, from plain values."""

# `dict[str, Any]`, which pyright would rather have as a factory, takes five times as long to call.
# pyright: reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from ollamatrace.records import Usage
from ollamatrace.records.shapes import as_dict, as_list, is_dict

Channel = Literal["thinking", "answer"]


@dataclass(slots=True)
class Facts:
    """What a span says of an answer beside its content.

    Attributes:
        model: The model that answered.
        usage: Tokens, ``None`` where the server sent no counts.
        finish_reason: Why the model stopped, in the server's word.
        complete: Whether the server's final message is there.
        durations: Ollama's own durations by field of `Timing`, in nanoseconds.
        from_ollama: Whether the answer says that Ollama gave it.
    """

    model: str | None = None
    usage: Usage | None = None
    finish_reason: str | None = None
    complete: bool = True
    durations: Mapping[str, int] = field(default_factory=dict)
    from_ollama: bool = False


class Merger(Protocol):
    """Puts the chunks of a stream together into what the call gives without streaming."""

    def add(self, chunk: Mapping[str, Any]) -> Channel | None:
        """Take the next chunk in; says on which channel it brings a generated token, if any."""
        ...

    def result(self) -> dict[str, Any]:
        """The answer so far, in the shape of an answer without streaming."""
        ...

    @property
    def complete(self) -> bool:
        """Whether the server's final message was among the chunks."""
        ...


class Answer(Protocol):
    """How one endpoint answers."""

    def parts_in(self, given: Mapping[str, Any]) -> Callable[[Any], bool] | None:
        """What tells whether programs put what later chunks bring into the objects of a chunk.

        OpenAI's own guide does so with tool calls. The chunk is an object of the SDK; ``None``: no
        chunk of a call with the arguments `given` has such objects.
        """
        ...

    def merger(self) -> Merger:
        """Begin to put a stream together."""
        ...

    def facts(self, outputs: Mapping[str, Any]) -> Facts:
        """Read an answer, merged or whole."""
        ...


def counted(
    input_tokens: Any = None,
    output_tokens: Any = None,
    total_tokens: Any = None,
    cached_tokens: Any = None,
    reasoning_tokens: Any = None,
) -> Usage | None:
    """Counts as a `Usage`, or ``None`` if the server sent none: all absent, or all zero.

    Ollama's /v1/completions puts zeros into every chunk of a stream and the real counts into the
    last, which comes only if it is asked for; no call takes no tokens at all.
    """
    told = (input_tokens, output_tokens, total_tokens, cached_tokens, reasoning_tokens)
    known = [count if isinstance(count, int) else None for count in told]
    return Usage(*known) if any(known) else None


def pieces(value: Any, key: str) -> list[Mapping[str, Any]]:
    """The mappings in the list under `key`; an absent or odd one has none."""
    return [item for item in as_list(as_dict(value).get(key)) if is_dict(item)]


def part(value: Any, key: str) -> Mapping[str, Any]:
    """The mapping under `key`; an absent or odd one is empty."""
    return as_dict(as_dict(value).get(key))


def text_of(value: Any) -> str | None:
    """`value` if it is a text that is not empty."""
    return value if isinstance(value, str) and value else None


def index_of(value: Mapping[str, Any]) -> int:
    """Which of several it is; an absent or odd index is the first."""
    index = value.get("index")
    return index if isinstance(index, int) else 0
