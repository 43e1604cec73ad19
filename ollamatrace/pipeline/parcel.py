"""What a sender has to bring to its server, in memory or in a file."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import orjson

from ollamatrace import guard
from ollamatrace.pipeline.ledger import Batch
from ollamatrace.records import Record, SpanRecord, TraceUpdate
from ollamatrace.spool import Place

_numbers: Final = itertools.count()


class Parcel:
    """A batch on its way, or what another process left behind (it has no batch).

    Attributes:
        batch: Whose records they are, for the account.
        place: Where they are in the spool; ``None`` if they are in memory only.
        born: When they were kept, in seconds since the epoch.
        bytes: How long they are as lines.
        number: Parcels are numbered in the order in which they were made.
        left: Which of them, by index, have neither arrived nor been dropped.
    """

    __slots__ = ("_updates", "batch", "born", "bytes", "left", "number", "place", "records")

    def __init__(
        self, batch: Batch | None, place: Place | None, count: int, size: int, born: float
    ) -> None:
        self.batch = batch
        self.place = place
        self.born = born
        self.number = next(_numbers)
        self.bytes = size
        self.left = set(range(count))
        self.records: Sequence[Record] | None = None if batch is None else batch.records
        """In memory; ``None``: to be read from `place`."""
        self._updates = _updates(self.records or ())

    @property
    def is_whole(self) -> bool:
        """Whether it is in memory, and nothing of it has arrived or been dropped."""
        return self.records is not None and len(self.left) == len(self.records)

    def spans(self, indices: Iterable[int]) -> list[int]:
        """Those of `indices` that are spans, as far as the records have been read."""
        return [one for one in indices if one not in self._updates]

    def items(self) -> list[Item]:
        """What is left of it, each record with where it belongs; without what cannot be read."""
        records = self._read() if self.records is None else self.records
        return [
            Item(record, self, index)
            for index, record in enumerate(records)
            if index in self.left and record is not None
        ]

    def _read(self) -> Sequence[Record | None]:
        if self.place is None:
            return ()
        try:
            records = [_record(line) for line in self.place.read()]
        except OSError as error:  # the file is gone, or the disk
            guard.warn("spool:read", f"{self.place.segment.path} cannot be read: {error}")
            return ()
        if self.batch is None:
            self._updates = _updates(records)
        return records


class Item(NamedTuple):
    """One record of a parcel."""

    record: Record
    parcel: Parcel
    number: int
    """Its index there."""


def _updates(records: Sequence[Record | None]) -> set[int]:
    return {index for index, record in enumerate(records) if isinstance(record, TraceUpdate)}


def _record(line: bytes) -> Record | None:
    try:
        fields = orjson.loads(line)
        return TraceUpdate.from_fields(fields) or SpanRecord.from_fields(fields)
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        guard.warn("spool:line", f"a line of the spool is no record and is passed over: {error}")
        return None
