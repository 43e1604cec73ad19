"""What a sender has to bring to its server, in memory or in a file."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Final, NamedTuple

import orjson

from ollamatrace import guard
from ollamatrace.pipeline.ledger import Batch
from ollamatrace.pipeline.ranges import Ranges
from ollamatrace.records import Record, SpanRecord, TraceUpdate
from ollamatrace.spool import Place

_orders: Final = itertools.count()


class Parcel:
    """Records on their way, or what another process left behind, which no account knows.

    Attributes:
        batch: Whose records they are, until those are kept.
        first: The number of the first of them in the account; ``None``: they are not in it.
        place: Where they are in the spool; ``None`` if they are in memory only.
        born: When they were kept, on the monotonic clock: a clock that is set makes nothing old.
        bytes: How long they are as lines.
        order: Parcels are numbered in the order in which they were made.
        left: Which of them, by number, have neither arrived nor been dropped.
    """

    __slots__ = ("batch", "born", "bytes", "first", "left", "order", "place", "records", "stop")

    def __init__(
        self, batch: Batch | None, place: Place | None, count: int, size: int, born: float
    ) -> None:
        self.batch = batch
        self.first = None if batch is None else batch.first
        self.stop = (self.first or 0) + count
        self.place = place
        self.born = born
        self.order = next(_orders)
        self.bytes = size
        self.left = Ranges()
        self.left.add(self.first or 0, self.stop)
        self.records: Sequence[Record] | None = None if batch is None else batch.records
        """In memory; ``None``: to be read from `place`."""

    @property
    def is_whole(self) -> bool:
        """Whether it is in memory, and nothing of it has arrived or been dropped."""
        return self.records is not None and len(self.left) == len(self.records)

    def items(self) -> list[Item]:
        """What is left of it, each record with where it belongs; without what cannot be read."""
        records = self._read() if self.records is None else self.records
        return [
            Item(record, self, number)
            for number, record in enumerate(records, self.first or 0)
            if number in self.left and record is not None
        ]

    def takes(self, later: Parcel) -> bool:
        """Whether `later`, which comes right after it, may become a part of it."""
        in_files = self.records is None and later.records is None
        return in_files and self.first is not None and self.stop == later.first

    def extend(self, later: Parcel, place: Place) -> None:
        """Have `later` as a part, both being at `place`."""
        self.place = place
        self.born = later.born
        self.bytes += later.bytes
        self.left.add(self.stop, later.stop)
        self.stop = later.stop

    def _read(self) -> Sequence[Record | None]:
        if self.place is None:
            return ()
        try:
            return [_record(line) for line in self.place.read()]
        except OSError as error:  # the file is gone, or the disk
            guard.warn("spool:read", f"{self.place.segment.path} cannot be read: {error}")
            return ()


class Item(NamedTuple):
    """One record of a parcel."""

    record: Record
    parcel: Parcel
    number: int
    """The number by which it is `left` there."""


def _record(line: bytes) -> Record | None:
    try:
        fields = orjson.loads(line)
        return TraceUpdate.from_fields(fields) or SpanRecord.from_fields(fields)
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        guard.warn("spool:line", f"a line of the spool is no record and is passed over: {error}")
        return None
