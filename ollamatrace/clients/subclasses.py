"""Objects of an SDK, such as streams, that say what happens to them.

Each is of a subclass of its own class and shares its state: it is, does and holds what it did
before.
"""

# Values of any type are the business of this file.
# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import copyreg
import functools
from types import FunctionType
from typing import Any, ClassVar, Final

_NEW_OBJECT: Final = getattr(copyreg, "__newobj__")  # noqa: B009  type checkers do not know it
_subclasses: Final[dict[tuple[type[Any], type[Any]], type[Any]]] = {}


class Ways:
    """What a subclass puts in front of the SDK's own methods."""

    __slots__ = ()
    _ollamatrace: Any
    """Who hears of it."""
    _ollamatrace_kind: ClassVar[type[Any]]
    """The SDK's own class."""

    @classmethod
    def around(cls, original: Any, listener: Any) -> Any:
        """Make the object that stands for `original` and tells `listener`."""
        kind = type(original)
        made = _subclasses.get((cls, kind))
        if made is None:
            made = _subclasses[cls, kind] = cls._subclass(kind)
        traced: Any = object.__new__(made)
        # A dict of its own, not the one within `original`: where that goes before this one, 3.13.0
        # frees what is in it, and attributes of other objects are gone.
        traced.__dict__ = original.__dict__ = dict(original.__dict__)
        traced._ollamatrace = listener
        return traced

    @classmethod
    def _subclass(cls, kind: type[Any]) -> type[Any]:
        body: dict[str, Any] = {
            "__slots__": ("_ollamatrace",),
            "__module__": kind.__module__,
            "__qualname__": kind.__qualname__,
            "__doc__": kind.__doc__,
            "_ollamatrace_kind": kind,
        }
        for ways in cls.__mro__[: cls.__mro__.index(Ways)]:
            for name, method in vars(ways).items():
                if isinstance(method, FunctionType) and hasattr(kind, name):
                    body.setdefault(name, _looking_as(method, getattr(kind, name)))
        return type(kind.__name__, (cls, kind), body)

    def _as_before(self) -> Any:
        original: Any = object.__new__(self._ollamatrace_kind)
        original.__dict__ = self.__dict__
        return original

    def __dir__(self) -> list[str]:
        return dir(self._as_before())

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Copies, and what is pickled, are the SDK's own: only this object is listened to."""
        made, *rest = self._as_before().__reduce_ex__(protocol)
        # `__newobj__` would be refused: its class is not that of this object.
        return (object.__new__ if made is _NEW_OBJECT else made, *rest)


def _looking_as(method: FunctionType, original: Any) -> FunctionType:
    """A copy of `method` with the name, the signature and the documentation of the SDK's own."""
    copied = FunctionType(
        method.__code__,
        method.__globals__,
        method.__name__,
        method.__defaults__,
        method.__closure__,
    )
    functools.update_wrapper(copied, original)
    return copied
