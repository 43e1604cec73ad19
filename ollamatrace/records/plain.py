"""A copy of any value: its containers anew, its immutable leaves shared, to be serialised later.

Copying does not raise, consume an iterator or change the value.
"""

# Values of any type are the business of this file.
# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import enum
import math
import sys
import time
import types
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Final

import orjson

from ollamatrace.records.content import Content, utf8

LARGE_LEAF: Final = 64 * 1024
"""Bytes of one text or blob above which serialising it would hold the caller up."""

VECTOR: Final = 16
"""Elements above which a list of numbers is taken for a vector."""
_MAX_DEPTH: Final = 100
MAX_NODES: Final = 200_000
_PIECE: Final = 48 * 1024
_ARRAY_DEPTH: Final = 8
_REPR_CHARS: Final = 1000
_INT_MIN: Final = -(2**63)
_INT_MAX: Final = 2**64 - 1
_NODE_BYTES: Final = 64
SCALARS: Final = frozenset({int, float, bool, types.NoneType})
_BY_TEXT: Final = (("uuid", "UUID"), ("decimal", "Decimal"), ("pathlib", "PurePath"))
_own_ways: Final[dict[type[Any], bool]] = {}


class Plain:
    """A copy of containers with shared immutable leaves, to be serialised later."""

    __slots__ = ("_value", "size", "warnings")

    def __init__(self, value: Any, size: int, warnings: list[str]) -> None:
        self._value = value
        self.size = size
        """About how many bytes it keeps alive."""
        self.warnings = warnings
        """What was cut or converted, as sentences."""

    def __len__(self) -> int:
        """About how many bytes it keeps alive: of a snapshot, as of JSON bytes."""
        return self.size

    def content(self) -> Content:
        """The value in its JSON form: blobs as base64, model classes as their JSON schema.

        Where it is big, it stays a value, which whoever stores it takes apart before serialising:
        one step over megabytes would hold the GIL, and with it the program, for milliseconds.
        """
        try:
            if self.size <= LARGE_LEAF:
                return Content(json=orjson.dumps(self._value, _late))
        except orjson.JSONEncodeError:
            pass  # what JSON cannot hold is mended
        return Content(_mended(self._value))


Snapshot = bytes | Plain
"""JSON, or what is made into JSON later; its length is about the bytes that it takes."""


def content_of(taken: Snapshot, warnings: list[str]) -> Content:
    """What was taken, in its JSON form; what was cut or converted is added to `warnings`."""
    if isinstance(taken, bytes):
        return Content(json=taken)
    content = taken.content()
    warnings += taken.warnings
    return content


def plain(value: Any, max_leaf_bytes: int, *, exclude_unset: bool = False) -> Plain:
    """Copy `value` into plain containers; cut what is too deep, too long, too many or cyclic."""
    copier = _Copier(max_leaf_bytes, exclude_unset=exclude_unset)
    copied = copier.copy(value, 0)
    return Plain(copied, copier.size, list(copier.warnings))


def is_vector(values: list[Any] | tuple[Any, ...]) -> bool:
    """Whether it is long and holds nothing but numbers and the like."""
    return len(values) > VECTOR and set(map(type, values)) <= SCALARS


def _late(value: Any) -> Any:
    """Leaves that are shared as they are and converted here, on the worker."""
    if isinstance(value, bytes):
        return _base64(value)
    try:
        return value.model_json_schema()  # the class of a pydantic model: an output schema
    except Exception:  # noqa: BLE001  a field that has no schema
        return f"{value.__module__}.{value.__qualname__}"


def _is_known_by_text(kind: type[Any]) -> bool:
    """Whether it is of a class, imported by the program if at all, whose `str` says all."""
    known = (getattr(sys.modules.get(module), name, None) for module, name in _BY_TEXT)
    return any(one is not None and issubclass(kind, one) for one in known)


def _base64(blob: bytes) -> str:
    import base64  # late: it takes a millisecond

    pieces: list[str] = []
    for start in range(0, len(blob), _PIECE):
        pieces.append(base64.b64encode(blob[start : start + _PIECE]).decode("ascii"))
        if len(blob) > _PIECE:
            time.sleep(0)  # lets the program run
    return "".join(pieces)


def _mended(value: Any) -> Any:
    kind = type(value)
    if kind is str:
        return utf8(value)
    if kind is dict:
        return {utf8(key): _mended(item) for key, item in value.items()}
    if kind is list:
        if set(map(type, value)) == {float} and all(map(math.isfinite, value)):
            return value
        return [_mended(item) for item in value]
    if kind is int:
        return value if _INT_MIN <= value <= _INT_MAX else str(value)
    if kind is float:
        return value if math.isfinite(value) else None  # as in JSON
    return value if kind in SCALARS else _late(value)


def has_own_ways(kind: type[Any]) -> bool:
    """Whether a pydantic model says itself how it is serialised."""
    known = _own_ways.get(kind)
    if known is None:
        ways = kind.__pydantic_decorators__
        known = bool(ways.field_serializers or ways.model_serializers or ways.computed_fields)
        known = known or any(field.exclude for field in kind.model_fields.values())
        _own_ways[kind] = known
    return known


class _Copier:
    """One walk over a value, with its budgets."""

    def __init__(self, max_leaf: int, *, exclude_unset: bool) -> None:
        self._max_leaf = max_leaf
        self._exclude_unset = exclude_unset
        self._open: set[int] = set()
        self._nodes = 0
        self.size = 0
        self.warnings: dict[str, None] = {}

    def copy(self, value: Any, depth: int) -> Any:
        self._nodes += 1
        self.size += _NODE_BYTES
        try:
            return self._copied(value, type(value), depth)
        except Exception as error:  # noqa: BLE001  the user's own code, anything may happen
            name = type(value).__qualname__
            self._warn(f"a value of type {name} could not be read ({type(error).__name__})")
            return f"<{name}>"

    def _copied(self, value: Any, kind: type[Any], depth: int) -> Any:
        if kind in SCALARS:
            return value if kind is not int or _INT_MIN <= value <= _INT_MAX else self._big(value)
        if kind is str or kind is bytes:
            return self._leaf(value)
        if self._nodes > MAX_NODES:
            return self._cut(f"more than {MAX_NODES:,} values", "…")
        if depth >= _MAX_DEPTH:
            return self._cut(f"nesting deeper than {_MAX_DEPTH}", "…")
        if id(value) in self._open:
            return self._cut("a cycle", "<cycle>")
        self._open.add(id(value))
        try:
            return self._convert(value, kind, depth)
        finally:
            self._open.discard(id(value))

    def _convert(self, value: Any, kind: type[Any], depth: int) -> Any:
        if kind is dict:
            return self._fields(value.items(), depth)
        if kind is list or issubclass(kind, list | tuple | AbstractSet | collections.deque):
            return self._items(value, depth)
        if issubclass(kind, Mapping):
            return self._fields(value.items(), depth)
        if hasattr(kind, "__pydantic_extra__"):
            return self._of_model(value, kind, depth)
        if dataclasses.is_dataclass(kind):
            names = [field.name for field in dataclasses.fields(kind)]
            return self._fields(((name, getattr(value, name)) for name in names), depth)
        readable = self._readable(value, kind)
        return self._leaf(readable) if isinstance(readable, str | bytes) else readable

    def _of_model(self, value: Any, kind: type[Any], depth: int) -> Any:
        if has_own_ways(kind):
            dumped = value.model_dump(warnings=False, exclude_unset=self._exclude_unset)
            if not isinstance(dumped, dict):  # it is told as another value: an image as its base64
                return self.copy(dumped, depth)
            return self._fields(dumped.items(), depth)
        extra: dict[str, Any] = value.__pydantic_extra__ or {}
        shown = value.__pydantic_fields_set__ if self._exclude_unset else kind.model_fields
        fields = {key: item for key, item in value.__dict__.items() if key in shown}
        return self._fields({**fields, **extra}.items(), depth)

    def _readable(self, value: Any, kind: type[Any]) -> Any:
        if issubclass(kind, enum.Enum):
            return self.copy(value.value, _MAX_DEPTH - 1)
        if issubclass(kind, bytearray | memoryview):
            return bytes(value)
        if isinstance(value, dt.date | dt.time):
            return value.isoformat()
        if base := next((base for base in (str, int, float) if issubclass(kind, base)), None):
            return self.copy(base(value), _MAX_DEPTH - 1)
        if isinstance(value, complex) or _is_known_by_text(kind):
            return str(value)
        if issubclass(kind, BaseException):
            return f"{kind.__qualname__}: {value}"
        if hasattr(kind, "tolist") and getattr(value, "size", MAX_NODES) < MAX_NODES:  # numpy's
            return self.copy(value.tolist(), _MAX_DEPTH - _ARRAY_DEPTH)
        if issubclass(kind, type) and hasattr(value, "model_json_schema"):
            return value
        if callable(value) and hasattr(value, "__qualname__"):
            return f"{value.__module__}.{value.__qualname__}"
        text = repr(value)
        return text if len(text) <= _REPR_CHARS else text[:_REPR_CHARS] + "…"

    def _items(self, values: Iterable[Any], depth: int) -> list[Any]:
        if isinstance(values, list) and is_vector(values):
            self.size += 8 * len(values)  # integers beyond 64 bits are mended on the worker
            return values.copy()
        return [self.copy(value, depth + 1) for value in values]

    def _fields(self, items: Iterable[tuple[Any, Any]], depth: int) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        for key, value in items:
            if type(key) is not str:
                self._warn("keys that are not text were converted")
            fields[utf8(key)] = self.copy(value, depth + 1)
        return fields

    def _leaf(self, value: str | bytes) -> str | bytes:
        self.size += len(value)
        if len(value) <= self._max_leaf:
            return value
        unit = "characters" if isinstance(value, str) else "bytes"
        self._warn(f"a text of {len(value):,} {unit} was cut to {self._max_leaf:,}")
        self.size += self._max_leaf - len(value)
        head = value[: self._max_leaf]
        return head + "…" if isinstance(head, str) else head

    def _big(self, value: int) -> str:
        self._warn("integers beyond 64 bits were converted to text")
        return hex(value) if value.bit_length() > _REPR_CHARS else str(value)

    def _cut(self, what: str, mark: str) -> str:
        self._warn(f"{what} was cut")
        return mark

    def _warn(self, text: str) -> None:
        self.warnings[text] = None
