"""Content that is stored once: long texts by their hash, lists of objects as chains of links.

Every call of a chat records the whole conversation again. A list of objects among a span's
inputs is therefore kept as links, one for each prefix of the list, so that a call adds only what
came since the one before; and a long text, say an image in base64, is kept once wherever it is.

In its place the JSON has a reference, ``{"$ollamatrace": "<kind>:<hash>"}``, of kind ``text``,
``list``, or ``json`` for a whole value that orjson would not write the same way again. An object
of the user's that has this key is wrapped, ``{"$ollamatrace": {…}}``, so that no value is taken
for a reference.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Generator, Sequence
from hashlib import blake2b
from typing import Any, Final, cast

import orjson

from ollamatrace.errors import StoreError
from ollamatrace.records import Content

_MARK: Final = "$ollamatrace"
_MARK_BYTES: Final = _MARK.encode()
_SMALL: Final = 1024
"""Bytes below which JSON is kept as it is, and a text stays in its place."""
_HASH_BYTES: Final = 16
_VECTOR: Final = 16
"""Elements above which a list of numbers is serialised on its own."""
_NUMBERS: Final = frozenset({int, float})

_TOGETHER: Final = 16
"""Elements of a list between which nobody looks at the time."""

Link = tuple[bytes, bytes, Sequence[bytes]]
"""The hash of a list prefix, the JSON of its last element, and the hashes of the texts in it."""

USE: Final = "INSERT OR IGNORE INTO use VALUES (?, ?)"
"""That a content is referred to by a span, or by a link (minus its row id)."""

_CHAIN: Final = """
    WITH RECURSIVE step (previous, content, distance) AS (
        SELECT previous, content, 0 FROM link WHERE hash = ?
        UNION ALL
        SELECT link.previous, link.content, distance + 1
        FROM step JOIN link ON link.id = step.previous
    )
    SELECT body FROM step JOIN content ON content.id = step.content ORDER BY distance DESC
"""


def digest_of(body: bytes) -> bytes:
    """What a content is known by."""
    return blake2b(body, digest_size=_HASH_BYTES).digest()


class Packer:
    """Takes the JSON of one span apart, without touching the database."""

    __slots__ = ("_pause", "_using", "lists", "texts", "uses")

    def __init__(self, pause: Callable[[], None]) -> None:
        self._pause = pause
        self.texts: dict[bytes, bytes] = {}
        """The long texts by hash."""
        self.lists: list[list[Link]] = []
        self.uses: list[bytes] = []
        """The hashes of the texts that the span itself refers to, not a link of its lists."""
        self._using = self.uses

    def pack_content(self, content: Content, *, lists: bool = False) -> bytes:
        """The JSON of a content with references in it, made from the form that is there."""
        if content.has_json:
            return self.pack(content.json, lists=lists, value=lambda: content.value)
        value = content.value
        return orjson.dumps(self._top(value, 0) if lists else self._packed(value))

    def pack(
        self, json: bytes, *, lists: bool = False, value: Callable[[], Any] | None = None
    ) -> bytes:
        """The JSON with references in it.

        Args:
            json: What is to be stored.
            lists: Take apart lists one level down, too.
            value: Gives what the JSON says, which somebody may have decoded already.
        """
        is_free = _MARK_BYTES not in json
        if is_free and (len(json) < _SMALL or not (lists or _may_be_long(json))):
            return json
        lists_before, uses_before = len(self.lists), len(self.uses)
        try:
            decoded = orjson.loads(json) if value is None else value()
            if orjson.dumps(decoded) == json:
                small = _SMALL if is_free else 0
                return orjson.dumps(self._top(decoded, small) if lists else self._packed(decoded))
        except (orjson.JSONDecodeError, orjson.JSONEncodeError):  # nested too deep, for one
            del self.lists[lists_before:], self.uses[uses_before:]
            self._using = self.uses
        return orjson.dumps(self._text("json", json))

    def _top(self, value: Any, small: int) -> Any:
        """A value with its lists apart.

        Of an element that is shorter than `small` as JSON nothing is taken out. With 0 they are not
        even serialised before: they may be so big that one step would take too long.
        """
        if not isinstance(value, dict) or _MARK in value:
            return self._packed(value)
        fields = cast("dict[str, Any]", value)
        return {
            key: self._list(item, small) if _is_objects(item) else self._packed(item)
            for key, item in fields.items()
        }

    def _packed(self, value: Any) -> Any:
        if isinstance(value, str):
            return value if len(value) < _SMALL else self._text("text", value.encode())
        self._pause()
        if isinstance(value, list):
            items = cast("list[object]", value)
            if len(items) > _VECTOR and set(map(type, items)) <= _NUMBERS:
                return orjson.Fragment(orjson.dumps(items))
            return [self._packed(item) for item in items]
        if isinstance(value, dict):
            fields = cast("dict[str, Any]", value)
            packed = {key: self._packed(item) for key, item in fields.items()}
            return {_MARK: packed} if _MARK in packed else packed
        return value

    def _text(self, kind: str, body: bytes) -> dict[str, str]:
        digest = digest_of(body)
        self.texts[digest] = body
        self._using.append(digest)
        return {_MARK: f"{kind}:{digest.hex()}"}

    def _list(self, items: list[Any], small: int) -> dict[str, str]:
        links: list[Link] = []
        digest = bytes(_HASH_BYTES)
        for number, item in enumerate(items):
            uses: Sequence[bytes] = ()
            body = orjson.dumps(item) if small else b""
            if len(body) >= small:
                self._using = uses = []
                body = orjson.dumps(self._packed(item))
            digest = blake2b(digest + body, digest_size=_HASH_BYTES).digest()
            links.append((digest, body, uses))
            if not number % _TOGETHER:
                self._pause()
        self._using = self.uses
        self.lists.append(links)
        return {_MARK: f"list:{digest.hex()}"}


def _may_be_long(json: bytes) -> bool:
    """Whether a text in it is long; numbers one after the other look like one."""
    return max(map(len, json.replace(b'\\"', b"__").split(b'"'))) >= _SMALL


def _is_objects(value: Any) -> bool:
    if not isinstance(value, list) or not value:
        return False
    return all(isinstance(item, dict) for item in cast("list[object]", value))


def put(connection: sqlite3.Connection, digest: bytes, body: bytes) -> int:
    """Store a content unless it is there; its row id."""
    insert = "INSERT INTO content (hash, body) VALUES (?, ?) ON CONFLICT DO NOTHING"
    done = connection.execute(insert, (digest, body))
    if done.rowcount:
        return cast("int", done.lastrowid)
    row = connection.execute("SELECT id FROM content WHERE hash = ?", (digest,)).fetchone()
    return cast("int", row[0])


def references(body: bytes) -> Generator[tuple[str, bytes]]:
    """What a packed content refers to: the kind and the hash; of a list, that of its last link."""
    left: list[Any] = [orjson.loads(body)] if _MARK_BYTES in body else []
    while left:
        value = left.pop()
        if isinstance(value, list):
            left += cast("list[object]", value)
        elif isinstance(value, dict):
            fields = cast("dict[str, Any]", value)
            mark = fields.get(_MARK)
            if isinstance(mark, str):
                kind, _, digest = mark.partition(":")
                yield kind, bytes.fromhex(digest)
            else:
                left += (fields if mark is None else cast("dict[str, Any]", mark)).values()


def unpack(connection: sqlite3.Connection, body: bytes, *, lists: bool = True) -> bytes:
    """The JSON as it was before `Packer.pack`; without `lists`, these are ``null``.

    Raises:
        StoreError: a content is missing.
    """
    if _MARK_BYTES not in body:
        return body
    return orjson.dumps(_restored(connection, orjson.loads(body), lists=lists))


def _restored(connection: sqlite3.Connection, value: Any, *, lists: bool) -> Any:
    if isinstance(value, list):
        items = cast("list[object]", value)
        return [_restored(connection, item, lists=lists) for item in items]
    if not isinstance(value, dict):
        return value
    fields = cast("dict[str, Any]", value)
    mark = fields.get(_MARK)
    if isinstance(mark, str):
        return _fetched(connection, mark, lists=lists)
    if mark is not None:
        fields = cast("dict[str, Any]", mark)
    return {key: _restored(connection, item, lists=lists) for key, item in fields.items()}


def _fetched(connection: sqlite3.Connection, mark: str, *, lists: bool) -> Any:
    kind, _, digest = mark.partition(":")
    if kind == "list" and not lists:
        return None
    query = _CHAIN if kind == "list" else "SELECT body FROM content WHERE hash = ?"
    bodies = [row[0] for row in connection.execute(query, (bytes.fromhex(digest),))]
    if not bodies:
        raise StoreError(f"the store is damaged: the content {mark} is missing")
    if kind == "list":
        return orjson.Fragment(b"[" + b",".join(unpack(connection, b) for b in bodies) + b"]")
    return bodies[0].decode() if kind == "text" else orjson.Fragment(bodies[0])
