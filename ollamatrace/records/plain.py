"""The exact snapshot: what a value is at this moment, whatever the program does to it next.

A small value is serialised at once. A value that holds a big leaf, or something that JSON does
not know, has its containers copied while immutable leaves are shared, and is serialised later, on
the worker. Neither way raises, consumes an iterator or changes the value.
"""

# Values of any type are the business of this file.
# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import base64
import collections
import dataclasses
import datetime as dt
import decimal
import enum
import math
import pathlib
import time
import types
import uuid
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Final

import orjson

from ollamatrace.records.content import Content, utf8

LARGE_LEAF: Final = 64 * 1024
"""Bytes of one text or blob above which serialising it would hold the caller up."""

_VECTOR: Final = 16
"""Elements above which a list of numbers is taken for a vector."""
_MANY: Final = 4096
"""Elements of vectors above which they are copied, which is faster than to serialise them."""
_MAX_DEPTH: Final = 100
_MAX_NODES: Final = 200_000
_PIECE: Final = 48 * 1024
_ARRAY_DEPTH: Final = 8
_REPR_CHARS: Final = 1000
_INT_MIN: Final = -(2**63)
_INT_MAX: Final = 2**64 - 1
_NODE_BYTES: Final = 64
_SCALARS: Final = frozenset({int, float, bool, types.NoneType})
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


def content_of(taken: Snapshot, warnings: list[str]) -> Content:
    """What was taken, in its JSON form; what was cut or converted is added to `warnings`."""
    if isinstance(taken, bytes):
        return Content(json=taken)
    content = taken.content()
    warnings += taken.warnings
    return content


def snapshot(value: Any, max_leaf_bytes: int, *, exclude_unset: bool = False) -> Snapshot:
    """Take `value` as it is now: JSON bytes if that is quick and exact, else a `Plain` copy.

    Never raises, whatever the value's own code does.

    Args:
        value: Anything.
        max_leaf_bytes: The longest text or blob that is kept whole.
        exclude_unset: Leave out fields of pydantic models that nobody set, as the SDKs do when
            they send a model.
    """
    limit = min(LARGE_LEAF, max_leaf_bytes)
    try:
        if not _is_large(value, limit):
            serializer = _serializer(value)
            if serializer is not None:
                return serializer(value, warnings=False, exclude_unset=exclude_unset)
            return orjson.dumps(value, _encode_unset if exclude_unset else _encode_all)
    except Exception:  # noqa: BLE001, S110  the slow path takes whatever this one cannot
        pass
    return plain(value, max_leaf_bytes, exclude_unset=exclude_unset)


def answer_snapshot(value: Any, max_leaf_bytes: int) -> Snapshot:
    """Take the answer of a model as it is now; like `snapshot`, but made for texts.

    Looking for big leaves takes longer than to serialise the usual answer. So it is serialised
    first, which costs about a millisecond a megabyte where an answer is that long.
    """
    try:
        serializer = _serializer(value)
        if serializer is not None:
            taken = serializer(value, warnings=False)
            if len(taken) <= max_leaf_bytes:
                return taken
    except Exception:  # noqa: BLE001, S110  as in snapshot
        pass
    return snapshot(value, max_leaf_bytes)


def plain(value: Any, max_leaf_bytes: int, *, exclude_unset: bool = False) -> Plain:
    """Copy `value` into plain containers; cut what is too deep, too long, too many or cyclic."""
    copier = _Copier(max_leaf_bytes, exclude_unset=exclude_unset)
    copied = copier.copy(value, 0)
    return Plain(copied, copier.size, list(copier.warnings))


def _is_large(value: Any, limit: int) -> bool:  # noqa: C901, PLR0912  one pass, for speed
    nodes = [value]
    add = nodes.extend
    numbers = 0
    for node in nodes:
        kind = type(node)
        if kind is str:
            if len(node) > limit:
                return True
        elif kind in _SCALARS:
            continue
        elif kind is dict:
            # Not whether they are true: that is the program's own code.
            add([one for one in node.values() if one is not None])
        elif kind is list or kind is tuple:
            if _is_vector(node):
                numbers += len(node)
                if numbers > _MANY:
                    return True
            else:
                add(node)
        elif hasattr(kind, "__pydantic_extra__"):
            add([one for one in node.__dict__.values() if one is not None])
            if node.__pydantic_extra__:
                add(node.__pydantic_extra__.values())
        else:
            return True  # JSON does not know it, or it may hold anything
        if len(nodes) > _MAX_NODES:  # a cycle, or as good as one
            return True
    return False


def _is_vector(values: list[Any] | tuple[Any, ...]) -> bool:
    return len(values) > _VECTOR and set(map(type, values)) <= _SCALARS


def _serializer(value: Any) -> Callable[..., bytes] | None:
    # Until pydantic has built it (47 ms once for a big model), a class has a stand-in here.
    kind = type(value)
    serializer: Any = getattr(kind, "__pydantic_serializer__", None)
    return serializer.to_json if type(serializer).__name__ == "SchemaSerializer" else None


def _encode_all(value: Any) -> orjson.Fragment:
    return _encode(value, exclude_unset=False)


def _encode_unset(value: Any) -> orjson.Fragment:
    return _encode(value, exclude_unset=True)


def _encode(value: Any, *, exclude_unset: bool) -> orjson.Fragment:
    serializer = _serializer(value)
    if serializer is None:
        raise TypeError
    return orjson.Fragment(serializer(value, warnings=False, exclude_unset=exclude_unset))


def _late(value: Any) -> Any:
    """Leaves that are shared as they are and converted here, on the worker."""
    if isinstance(value, bytes):
        return _base64(value)
    try:
        return value.model_json_schema()  # the class of a pydantic model: an output schema
    except Exception:  # noqa: BLE001  a field that has no schema
        return f"{value.__module__}.{value.__qualname__}"


def _base64(blob: bytes) -> str:
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
    return value if kind in _SCALARS else _late(value)


def _has_own_ways(kind: type[Any]) -> bool:
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
        if kind in _SCALARS:
            return value if kind is not int or _INT_MIN <= value <= _INT_MAX else self._big(value)
        if kind is str or kind is bytes:
            return self._leaf(value)
        if self._nodes > _MAX_NODES:
            return self._cut(f"more than {_MAX_NODES:,} values", "…")
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
        if issubclass(kind, list | tuple | AbstractSet | collections.deque):
            return self._items(value, depth)
        if issubclass(kind, Mapping):
            return self._fields(value.items(), depth)
        if hasattr(kind, "__pydantic_extra__"):
            return self._of_model(value, kind, depth)
        if dataclasses.is_dataclass(kind):
            names = [field.name for field in dataclasses.fields(kind)]
            return self._fields(((name, getattr(value, name)) for name in names), depth)
        return self._leaf(self._readable(value, kind))

    def _of_model(self, value: Any, kind: type[Any], depth: int) -> Any:
        if _has_own_ways(kind):
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
        if isinstance(value, uuid.UUID | decimal.Decimal | pathlib.PurePath | complex):
            return str(value)
        if issubclass(kind, BaseException):
            return f"{kind.__qualname__}: {value}"
        if hasattr(kind, "tolist") and getattr(value, "size", _MAX_NODES) < _MAX_NODES:  # numpy's
            return self.copy(value.tolist(), _MAX_DEPTH - _ARRAY_DEPTH)
        if issubclass(kind, type) and hasattr(value, "model_json_schema"):
            return value
        if callable(value) and hasattr(value, "__qualname__"):
            return f"{value.__module__}.{value.__qualname__}"
        text = repr(value)
        return text if len(text) <= _REPR_CHARS else text[:_REPR_CHARS] + "…"

    def _items(self, values: Iterable[Any], depth: int) -> list[Any]:
        if isinstance(values, list) and _is_vector(values):
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

    def _leaf(self, value: Any) -> Any:
        if not isinstance(value, str | bytes):
            return value
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
