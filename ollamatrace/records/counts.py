"""Numbers about a call that a server may or may not tell: absent is not zero."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, cast


class _Counts(Mapping[str, int]):
    """Integers by name. As attributes the absent ones are ``None``; as a mapping they are absent.

    So ``usage.output_tokens`` never fails, and ``dict(usage)`` holds only what is known.
    """

    __slots__ = ()
    __dataclass_fields__: ClassVar[dict[str, object]]

    def known(self) -> dict[str, int]:
        """What ``dict`` gives, sooner."""
        return {
            name: value
            for name in self.__dataclass_fields__
            if (value := getattr(self, name)) is not None
        }

    def __getitem__(self, key: str) -> int:
        value = getattr(self, key) if key in self.__dataclass_fields__ else None
        if value is None:
            raise KeyError(key)
        return cast("int", value)

    def __iter__(self) -> Iterator[str]:
        return (key for key in self.__dataclass_fields__ if getattr(self, key) is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)


@dataclass(slots=True, eq=False)
class Usage(_Counts):
    """Tokens of a call as the server counted them.

    `input_tokens` includes `cached_tokens`, `output_tokens` includes `reasoning_tokens`.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None


@dataclass(slots=True, eq=False)
class Timing(_Counts):
    """When things happened in a call, in nanoseconds.

    `first_token_ns` (any generated token, thinking included) and `first_answer_ns` (the first
    token of the answer: text or a tool call) count from the start of the span, on the clock of
    the program. `chunks` is how many pieces of a stream the program received. The other four are
    Ollama's own durations, https://github.com/ollama/ollama/blob/main/docs/api.md.
    """

    first_token_ns: int | None = None
    first_answer_ns: int | None = None
    chunks: int | None = None
    load_ns: int | None = None
    prompt_eval_ns: int | None = None
    eval_ns: int | None = None
    total_ns: int | None = None
