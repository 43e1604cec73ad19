"""What is known of a traced function."""

from __future__ import annotations

import functools
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
        while isinstance(named, functools.partial):
            named = cast("Any", named).func
        if not isinstance(getattr(named, "__qualname__", None), str):
            # An object that can be called is named after its class.
            named = cast("Any", type(named))
        qualified: str = named.__qualname__
        self.function: Final = function
        self.find: Final = find
        own = getattr(named, "__name__", qualified.rpartition(".")[2])
        self.name: Final = utf8(own if name is None else name)
        self.kind: Final = utf8(kind)
        self.arguments: Final = Arguments(function)
        # A method of a type written in C is in no module.
        full = ".".join((str(getattr(named, "__module__", None)), qualified))
        self.qualified: Final = orjson.dumps(utf8(full))
