"""Ranges are sets."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ollamatrace.pipeline.ranges import Ranges

BOUNDS = st.tuples(st.integers(0, 30), st.integers(1, 10))
CHANGES = st.lists(st.tuples(st.booleans(), BOUNDS), max_size=30)


@given(CHANGES)
def test_a_set_of_numbers(changes):
    ranges, numbers = Ranges(), set()
    for adds, (start, length) in changes:
        change = range(start, start + length)
        if adds:
            ranges.add(start, start + length)
            numbers |= set(change)
        else:
            ranges.remove(start, start + length)
            numbers -= set(change)
        assert ranges.bounds == sorted(set(ranges.bounds))
    assert len(ranges) == len(numbers)
    assert bool(ranges) == bool(numbers)
    assert {number for number in range(50) if number in ranges} == numbers
    assert {one for start, stop in ranges for one in range(start, stop)} == numbers
    assert ranges.reach == next(number for number in range(50) if number not in numbers)


@given(CHANGES, CHANGES, BOUNDS)
def test_what_two_have_in_common(some, others, window):
    one, other = Ranges(), Ranges()
    for ranges, changes in ((one, some), (other, others)):
        for _, (start, length) in changes:
            ranges.add(start, start + length)
    assert numbers_of(one.common(other)) == numbers_of(one) & numbers_of(other)
    start, stop = window[0], window[0] + window[1]
    inside = set(range(start, stop))
    assert numbers_of(one.parts(start, stop)) == numbers_of(one) & inside
    assert numbers_of(one.without(start, stop)) == inside - numbers_of(one)


def numbers_of(ranges):
    return {number for start, stop in ranges for number in range(start, stop)}


def test_a_row_takes_the_room_of_one_range():
    ranges = Ranges()
    for number in range(0, 1000, 10):
        ranges.add(number, number + 10)
    assert ranges.bounds == [0, 1000]
