"""Sets of numbers that mostly come in rows."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator


class Ranges:
    """A set of numbers, kept as ranges: a million in a row take no more room than one."""

    __slots__ = ("bounds",)

    def __init__(self) -> None:
        self.bounds: list[int] = []
        """Where ranges begin and, in turns, end: sorted, no two of them equal."""

    def add(self, start: int, stop: int) -> None:
        """Put in the numbers from `start` up to, not including, `stop`."""
        if start >= stop:
            return
        left, right = self._between(start, stop)
        outside = [start] if left % 2 == 0 else []
        self.bounds[left:right] = [*outside, stop] if right % 2 == 0 else outside

    def remove(self, start: int, stop: int) -> None:
        """Take out the numbers from `start` up to, not including, `stop`."""
        if start >= stop:
            return
        left, right = self._between(start, stop)
        inside = [start] if left % 2 else []
        self.bounds[left:right] = [*inside, stop] if right % 2 else inside

    def _between(self, start: int, stop: int) -> tuple[int, int]:
        """Which bounds lie in between; an odd index is inside a range there."""
        return bisect_left(self.bounds, start), bisect_right(self.bounds, stop)

    def __contains__(self, number: int) -> bool:
        return bisect_right(self.bounds, number) % 2 == 1

    def __len__(self) -> int:
        return sum(self.bounds[1::2]) - sum(self.bounds[::2])

    def __bool__(self) -> bool:
        return bool(self.bounds)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Each range, as where it begins and ends."""
        return zip(self.bounds[::2], self.bounds[1::2], strict=True)

    def parts(self, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """What is in of the numbers from `start` up to, not including, `stop`."""
        left, right = self._between(start, stop)
        inside = [start] if left % 2 else []
        bounds = [*inside, *self.bounds[left:right], *([stop] if right % 2 else [])]
        return ((a, b) for a, b in zip(bounds[::2], bounds[1::2], strict=True) if a < b)

    def count(self, start: int, stop: int) -> int:
        """How many are in of the numbers from `start` up to, not including, `stop`."""
        return sum(end - begin for begin, end in self.parts(start, stop))

    def common(self, other: Ranges) -> Ranges:
        """The numbers that are in both."""
        both = Ranges()
        for start, stop in self:
            for part in other.parts(start, stop):
                both.add(*part)
        return both

    def without(self, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """What is not in of the numbers from `start` up to, not including, `stop`."""
        for part in self.parts(start, stop):
            if start < part[0]:
                yield start, part[0]
            start = part[1]
        if start < stop:
            yield start, stop

    @property
    def reach(self) -> int:
        """How many numbers are in from 0 on without a gap."""
        return self.bounds[1] if self.bounds and self.bounds[0] == 0 else 0
