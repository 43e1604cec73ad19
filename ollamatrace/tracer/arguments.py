"""The arguments of a call by the names of the parameters."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from inspect import Parameter
from typing import Any, Final

_BY_POSITION: Final = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
_PLAIN: Final = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)


class Arguments:
    """Names what a function is given, with its defaults, without ``self`` and ``cls``.

    What it cannot name, because the call is wrong or the function tells no signature, stays as
    ``args`` and ``kwargs``.
    """

    __slots__ = ("_by_keyword", "_by_position", "_needed", "_owner", "_signature", "_start")

    def __init__(self, function: Callable[..., Any]) -> None:
        try:
            self._signature: inspect.Signature | None = inspect.signature(function)
        except Exception:  # noqa: BLE001  annotations are the program's own code
            self._signature = None
        parameters = list(self._signature.parameters.values()) if self._signature else []
        self._by_position = [one.name for one in parameters if one.kind in _BY_POSITION]
        first = self._by_position[0] if self._by_position else ""
        self._owner = first if first in {"self", "cls"} else None
        self._start = {one.name: one.default for one in parameters}
        needed = [one.name for one in parameters if one.default is Parameter.empty]
        # What may and what must come by keyword after so many by position; most functions are
        # plain enough for this, which is several times as fast as `inspect.Signature.bind`.
        counts = range(len(self._by_position) + 1)
        if all(one.kind in _PLAIN for one in parameters) and self._signature:
            gone = [self._by_position[:count] for count in counts]
            self._by_keyword = [self._start.keys() - names for names in gone]
            self._needed = [set(needed).difference(names) for names in gone]
        else:
            self._by_keyword = self._needed = []

    def named(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """What the function was given. Never raises."""
        count, by_keyword = len(args), kwargs.keys()
        if (
            count < len(self._needed)
            and self._needed[count] <= by_keyword <= self._by_keyword[count]
        ):
            given = self._start.copy()
            given.update(zip(self._by_position, args, strict=False))
            given.update(kwargs)
        else:
            given = self._bound(args, kwargs)
        owner = self._owner
        if owner is not None and (owner == "self" or issubclass(type(given.get(owner)), type)):
            given.pop(owner, None)
        return given

    def _bound(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        try:
            if self._signature is not None:
                bound = self._signature.bind(*args, **kwargs)
                bound.apply_defaults()
                return bound.arguments
        except TypeError:  # the function will say so
            pass
        return {"args": args if self._owner is None else args[1:], "kwargs": kwargs}
