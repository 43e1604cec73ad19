"""Blocks of calls that are timed in turns, so that what the machine does hits all ways alike."""

from __future__ import annotations

import gc
import time
from collections.abc import Awaitable, Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from benchmarks.samples import differences

if TYPE_CHECKING:
    import asyncio

Block = Callable[[], float]
"""Runs some calls, and gives what one of them took, in µs."""
Clock = Callable[[], int]
"""Tells ns, or whatever else is counted."""
Pairs = dict[str, tuple[Block, Block]]
"""For each name the bare block and the traced one."""
K = TypeVar("K", bound=Hashable)

_NS_PER_US: Final = 1000
_WARM_UP: Final = 3


@dataclass(frozen=True, slots=True)
class Effort:
    """How long and how carefully is measured.

    Attributes:
        rounds: How many blocks of each way.
        seconds: How long what runs for a while does so.
        gc: Whether Python collects garbage inside of the blocks, as it does in a program.
    """

    rounds: int = 41
    seconds: float = 5.0
    gc: bool = True

    @classmethod
    def quick(cls) -> Effort:
        """To see that a case works."""
        return cls(rounds=5, seconds=0.5)


def interleaved(
    ways: Mapping[K, Block], effort: Effort, between: Callable[[], Any] = gc.collect
) -> dict[K, list[float]]:
    """Run a block of each way in turns, each round in another order, after some to warm up.

    Args:
        ways: What is compared.
        effort: How many rounds, and whether garbage is collected meanwhile.
        between: Called after each block, outside of the time.

    Returns:
        For each way what a call took, in µs, one for each round.
    """
    found: dict[K, list[float]] = {name: [] for name in ways}
    order = list(ways)
    gc.collect()
    gc.freeze()  # what was imported is not looked at again
    try:
        for number in range(_WARM_UP + effort.rounds):
            for name in order:
                taken = _timed(ways[name], collect=effort.gc)
                between()
                if number >= _WARM_UP:
                    found[name].append(taken)
            order.append(order.pop(0))
    finally:
        gc.unfreeze()
    return found


def _timed(block: Block, *, collect: bool) -> float:
    if not collect:
        gc.disable()
    try:
        return block()
    finally:
        gc.enable()


def compared(
    pairs: Pairs,
    effort: Effort,
    between: Callable[[], Any] = gc.collect,
) -> dict[str, list[float]]:
    """What each traced block takes above its bare neighbour, in µs; see `interleaved`.

    Args:
        pairs: For each name the bare block and the traced one.
        effort: How many rounds, and whether garbage is collected meanwhile.
        between: Called after each block, outside of the time.
    """
    ways = {(name, way): pair[way] for name, pair in pairs.items() for way in (0, 1)}
    found = interleaved(ways, effort, between)
    return {name: differences(found[name, 1], found[name, 0]) for name in pairs}


def repeated(
    call: Callable[[], Any],
    calls: int,
    clock: Clock = time.perf_counter_ns,
    parts: int = 1,
) -> Block:
    """A block of so many calls, of which each has `parts` parts: those are what is told."""
    times, share = range(calls), calls * parts * _NS_PER_US

    def block() -> float:
        begun = clock()
        for _ in times:
            call()
        return (clock() - begun) / share

    return block


def awaited(
    call: Callable[[], Awaitable[Any]],
    calls: int,
    runner: asyncio.Runner,
    clock: Clock = time.perf_counter_ns,
    parts: int = 1,
) -> Block:
    """A block of so many calls that are awaited, one after the other."""
    times, share = range(calls), calls * parts * _NS_PER_US

    async def block() -> float:
        begun = clock()
        for _ in times:
            await call()
        return (clock() - begun) / share

    return lambda: runner.run(block())


def singly(call: Callable[[], Any], calls: int) -> list[float]:
    """What each call took, in µs."""
    clock, times = time.perf_counter_ns, []
    for _ in range(calls):
        begun = clock()
        call()
        times.append((clock() - begun) / _NS_PER_US)
    return times
