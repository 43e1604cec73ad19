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
from collections.abc import Callable, Generator
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

Link = tuple[bytes, bytes, list[bytes]]
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


def _hash(body: bytes) -> bytes:
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
            return self.pack(content.json, lists=lists)
        value = content.value
        return orjson.dumps(self._top(value) if lists else self._packed(value))

    def pack(self, json: bytes, *, lists: bool = False) -> bytes:
        """The JSON with references in it; with `lists`, also for lists one level down."""
        if len(json) < _SMALL and _MARK_BYTES not in json:
            return json
        lists_before, uses_before = len(self.lists), len(self.uses)
        try:
            value = orjson.loads(json)
            if orjson.dumps(value) == json:
                return orjson.dumps(self._top(value) if lists else self._packed(value))
        except (orjson.JSONDecodeError, orjson.JSONEncodeError):  # nested too deep, for one
            del self.lists[lists_before:], self.uses[uses_before:]
            self._using = self.uses
        return orjson.dumps(self._text("json", json))

    def _top(self, value: Any) -> Any:
        if not isinstance(value, dict) or _MARK in value:
            return self._packed(value)
        fields = cast("dict[str, Any]", value)
        return {
            key: self._list(item) if _is_objects(item) else self._packed(item)
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
        digest = _hash(body)
        self.texts[digest] = body
        self._using.append(digest)
        return {_MARK: f"{kind}:{digest.hex()}"}

    def _list(self, items: list[Any]) -> dict[str, str]:
        links: list[Link] = []
        digest = bytes(_HASH_BYTES)
        for item in items:
            uses: list[bytes] = []
            self._using = uses
            body = orjson.dumps(self._packed(item))
            digest = _hash(digest + body)
            links.append((digest, body, uses))
        self._using = self.uses
        self.lists.append(links)
        return {_MARK: f"list:{digest.hex()}"}


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


def put_list(connection: sqlite3.Connection, links: list[Link], texts: dict[bytes, bytes]) -> int:
    """Store those links of a list that are not there yet; the row id of its last one."""
    known, previous = len(links), None
    while known:  # from the end: most of a conversation is there already
        digest = links[known - 1][0]
        row = connection.execute("SELECT id FROM link WHERE hash = ?", (digest,)).fetchone()
        if row is not None:
            previous = row[0]
            break
        known -= 1
    for digest, body, uses in links[known:]:
        previous = cast(
            "int",
            connection.execute(
                "INSERT INTO link (hash, previous, content) VALUES (?, ?, ?)",
                (digest, previous, put(connection, _hash(body), body)),
            ).lastrowid,
        )
        for used in uses:
            connection.execute(USE, (put(connection, used, texts[used]), -previous))
    return cast("int", previous)


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
