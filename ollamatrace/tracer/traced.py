"""What is known of a traced function."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, cast

import orjson

from ollamatrace.records import utf8
from ollamatrace.tracer.arguments import Arguments

if TYPE_CHECKING:
    from ollamatrace.tracer.tracer import Tracer

Find = Callable[[], "Tracer | None"]
"""Gives the tracer that a call uses."""


class Traced:
    """A function, and how its spans look."""

    __slots__ = ("arguments", "find", "function", "kind", "name", "qualified")

    def __init__(
        self, function: Callable[..., Any], find: Find, name: str | None, kind: str
    ) -> None:
        named: Any = function
        while not hasattr(named, "__qualname__"):
            # An object that can be called is named after its class.
            named = cast("Any", getattr(named, "func", type(named)))
        self.function: Final = function
        self.find: Final = find
        self.name: Final = utf8(named.__name__) if name is None else utf8(name)
        self.kind: Final = kind
        self.arguments: Final = Arguments(function)
        full = ".".join((str(named.__module__), str(named.__qualname__)))
        self.qualified: Final = orjson.dumps(utf8(full))
