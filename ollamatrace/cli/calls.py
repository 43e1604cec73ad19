"""The calls that the demo makes, whichever client makes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple, Protocol

QUESTION: Final = "What is the capital of France?"
TOOL_QUESTION: Final = "How is the weather in Paris?"
SCHEMA_QUESTION: Final = "Give the city Paris and its population in millions as JSON."
TEXTS: Final = ("hello", "bye")

TOOL: Final[dict[str, Any]] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather now in a city",
        "parameters": {
            "type": "object",
            "required": ["city"],
            "properties": {"city": {"type": "string"}},
        },
    },
}
SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "population_millions": {"type": "number"}},
    "required": ["city", "population_millions"],
    "additionalProperties": False,
}


class ToolCall(NamedTuple):
    """What a model wants to have called."""

    call_id: str
    name: str
    arguments: dict[str, Any]


class Calls(Protocol):
    """One method a call; each does nothing before its call, so that each step has its span."""

    @property
    def think(self) -> Callable[[], None] | None:
        """Have a model think before it answers, and read both piece by piece, if one can."""
        ...

    def chat(self) -> None:
        """Ask a question."""
        ...

    def stream(self) -> None:
        """Ask it again and read the answer piece by piece."""
        ...

    def ask_for_tool(self) -> ToolCall | None:
        """Ask something that wants a tool; ``None`` where the model just talks."""
        ...

    def answer_with_tool(self, call: ToolCall, result: str) -> None:
        """Let the model go on with what the tool said."""
        ...

    def structured(self) -> None:
        """Ask for JSON that follows a schema."""
        ...

    def embed(self) -> None:
        """Turn two texts into vectors."""
        ...

    def fail(self) -> None:
        """Make a call that the server must refuse."""
        ...

    def close(self) -> None:
        """Close the connections."""
        ...


def get_weather(city: str) -> str:
    """The tool of the demo, which needs no network.

    Raises:
        ValueError: the model left the city out.
    """
    if not city:
        raise ValueError("get_weather wants a city")
    return "Sunny, 24 C"  # as in the recorded exchanges
