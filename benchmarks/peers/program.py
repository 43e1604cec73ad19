"""The program that is traced, run in a contestant's environment: prints JSON of what calls cost.

First the calls are made bare, then the tracer is set up, and they are made again. They come in
groups with a pause behind, as a server's do: what runs in the background has its time. Tracers
hook in at different heights of the SDK; the stub is below all of them.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import json
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from benchmarks import payload
from benchmarks.blocks import singly
from benchmarks.peers import exporting
from benchmarks.stub import clients, stub_request

_GROUP, _PAUSE_S = 50, 0.05
_WARM_UP: Final = 50


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("setup")
    parser.add_argument("url")
    parser.add_argument("calls", type=int)
    given = parser.parse_args()
    stub_request()
    [client, _] = clients()
    numbers = itertools.count()
    setup: exporting.Setup = getattr(exporting, given.setup)
    without = _run(*exporting.bare(client, given.url), numbers, given.calls)
    traced = _run(*setup(client, given.url), numbers, given.calls)
    print(json.dumps({"bare": without, "traced": traced, "calls": given.calls + _WARM_UP}))


def _run(
    client: Any, flush: Callable[[], Any], numbers: Iterator[int], calls: int
) -> dict[str, Any]:
    create = client.chat.completions.create

    def call() -> None:
        create(**payload.question(payload.asked(next(numbers))))

    singly(call, _WARM_UP)
    flush()
    gc.collect()
    times: list[float] = []
    begun = time.process_time_ns()
    while len(times) < calls:
        times += singly(call, min(_GROUP, calls - len(times)))
        time.sleep(_PAUSE_S)
    flush()
    return {"times": times, "cpu": (time.process_time_ns() - begun) / calls / 1000}


if __name__ == "__main__":
    main()
