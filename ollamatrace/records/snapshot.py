"""The exact snapshot: what a value is at this moment, whatever the program does to it next.

A small value is serialised at once. A value that holds a big leaf, or something that JSON does
not know, is copied (see `ollamatrace.records.plain`) and serialised later, on the worker. Neither
way raises, consumes an iterator or changes the value.
"""

# Values of any type are the business of this file.
# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import functools
from collections.abc import Callable, Collection
from typing import Any, Final

import orjson

from ollamatrace.records.plain import (
    LARGE_LEAF,
    MAX_NODES,
    SCALARS,
    VECTOR,
    Snapshot,
    has_own_ways,
    is_vector,
    plain,
)

_NUMBER: Final = MAX_NODES // 4096
"""The weight of an element of a vector: many are copied, which is faster than to serialise them."""
_BUILT_IN: Final = SCALARS | {list, str}
_SDKS: Final = frozenset({"openai", "ollama"})
_REQUEST_ID: Final = "_request_id"
"""What OpenAI's client adds to an answer, which is no field of it."""
_SHORT: Final = orjson.OPT_APPEND_NEWLINE
"""What orjson gives holds on to 4 kB and more, however short it is; without its last character it
is a copy that takes as much as it is long."""
_UNLIKE_PYDANTIC: Final = _SHORT | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS
"""What orjson would write in another way than pydantic does is left to that."""


class _NotQuickError(Exception):
    """A value that is to be copied."""


def snapshot(value: Any, max_leaf_bytes: int, *, exclude_unset: bool = False) -> Snapshot:
    """Take `value` as it is now: JSON bytes if that is quick and exact, else a `Plain` copy.

    Never raises, whatever the value's own code does.

    Args:
        value: Anything.
        max_leaf_bytes: The longest text or blob that is kept whole.
        exclude_unset: Leave out fields of pydantic models that nobody set, as the SDKs do when
            they send a model.
    """
    taken = quick_snapshot(value, max_leaf_bytes, exclude_unset=exclude_unset)
    return plain(value, max_leaf_bytes, exclude_unset=exclude_unset) if taken is None else taken


def quick_snapshot(value: Any, max_leaf_bytes: int, *, exclude_unset: bool = False) -> bytes | None:
    """Take `value` as it is now as JSON; ``None`` if that is not quick, or JSON cannot hold it."""
    try:
        limit = min(max_leaf_bytes, LARGE_LEAF)
        if type(value) is dict:
            _weight(value.values(), limit)
        else:
            _weight((value,), limit)
            serializer = None if type(value) in _BUILT_IN else _serializer(value)
            if serializer is not None:
                return serializer(value, warnings=False, exclude_unset=exclude_unset)
        return orjson.dumps(value, _encode_unset if exclude_unset else _encode_all, _SHORT)[:-1]
    except Exception:  # noqa: BLE001  the slow path takes whatever this one cannot
        return None


def answer_snapshot(value: Any, max_leaf_bytes: int) -> Snapshot:
    """Take the answer of a model as it is now; like `snapshot`, but made for texts.

    Looking for big leaves takes longer than to serialise the usual answer. So it is serialised
    first, which costs about a millisecond a megabyte where an answer is that long.
    """
    try:  # in half the time that pydantic takes
        taken = orjson.dumps(value, _fields, _UNLIKE_PYDANTIC)[:-1]
        if len(taken) <= max_leaf_bytes:
            return taken
    except Exception:  # noqa: BLE001, S110  the next takes what this one cannot
        pass
    try:
        serializer = _serializer(value)
        if serializer is not None:
            taken = serializer(value, warnings=False)
            if len(taken) <= max_leaf_bytes:
                return taken
    except Exception:  # noqa: BLE001, S110  as above
        pass
    return snapshot(value, max_leaf_bytes)


def _fields(value: Any) -> dict[str, Any]:
    held: dict[str, Any] = value.__dict__
    try:
        fields = _fields_of[type(value)]
    except KeyError:
        fields = _fields_of[type(value)] = _known_fields(type(value))
    if fields is None:
        raise TypeError
    if _REQUEST_ID in held or len(held) > len(fields):
        held = _only(fields, held)
    extra = value.__pydantic_extra__
    return {**held, **extra} if extra else held


def _only(fields: frozenset[str], held: dict[str, Any]) -> dict[str, Any]:
    """What is held of some fields; a function of its own, as a comprehension costs all calls."""
    held = held.copy()
    held.pop(_REQUEST_ID, None)
    if len(held) > len(fields):
        held = {name: one for name, one in held.items() if name in fields}
    return held


_fields_of: Final[dict[type[Any], frozenset[str] | None]] = {}


def _known_fields(kind: Any) -> frozenset[str] | None:
    """The fields of a class whose objects pydantic would write as just what is in them; else none.

    Raises:
        TypeError: it is not of the SDKs. One of the program's can do anything, and is not kept: it
            may have been made for one call.
    """
    if kind.__module__.partition(".")[0] not in _SDKS or "[" in kind.__name__:
        raise TypeError
    is_told_otherwise = (
        has_own_ways(kind)
        or kind.__pydantic_root_model__
        or any(key.startswith("ser") for key in kind.model_config)
        or any(
            isinstance(value, functools.cached_property)  # is among what the object holds
            for base in kind.__mro__
            for value in vars(base).values()
        )
    )
    return None if is_told_otherwise else frozenset(kind.model_fields)


def _weight(values: Collection[Any], limit: int) -> int:
    """How many values there are in `values`, and in those.

    Raises:
        _NotQuickError: a leaf is longer than `limit`, there are too many values, a cycle among
            them, or one that JSON does not know, or that may hold anything.
    """
    weight = len(values)
    for value in values:
        kind = type(value)
        if kind is str:
            if len(value) > limit:
                raise _NotQuickError
        elif kind is dict:
            weight += _weight(value.values(), limit)
        elif kind is list or kind is tuple:
            if len(value) <= VECTOR or not is_vector(value):
                weight += _weight(value, limit)
            else:
                weight += _NUMBER * len(value)
        elif kind in SCALARS:
            continue
        elif hasattr(kind, "__pydantic_extra__"):
            weight += _weight(value.__dict__.values(), limit)
            weight += _weight((value.__pydantic_extra__ or {}).values(), limit)
        else:
            raise _NotQuickError
    if weight > MAX_NODES:
        raise _NotQuickError
    return weight


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
