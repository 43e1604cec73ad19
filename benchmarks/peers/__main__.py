"""What tracing costs with other tracing SDKs, side by side: ``python -m benchmarks.peers``.

Makes a virtual environment for each, with uv if it is there, or takes the one that is. In each
round every SDK in turn traces the same program: calls of about 1 kB through OpenAI's client, which
are answered below the place where any of them hooks in. What they record goes to a server on this
machine that says yes to everything and counts. For each call is told what the tracer adds on the
caller's thread (the median, and what one call in a hundred takes above the bare median), what
processor time it adds in all threads, how many calls arrived, and whether with content.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from benchmarks.environments import HOME, environment, versions
from benchmarks.figures import machine
from benchmarks.peers.contestants import CONTESTANTS, Contestant
from benchmarks.peers.outcome import Outcome, table
from benchmarks.peers.picture import picture
from benchmarks.sink import Sink, seen_in, sink
from benchmarks.surroundings import ROOT, surroundings
from ollamatrace import Tracer

_LATE_S: Final = 10.0
"""As long may spans take to arrive when their program has ended."""
_LONGEST_S: Final = 300.0
_MOST: Final = 1_000_000


def main() -> int:
    """Run from the command line."""
    names = sorted({one.environment for one in CONTESTANTS})
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--envs", type=Path, default=HOME, help="where environments are kept")
    parser.add_argument("--only", action="append", choices=names, help="not all of them")
    parser.add_argument("--calls", type=int, default=1000, help="for each SDK in each round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep all that was measured")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="draw a picture")
    given = parser.parse_args()
    chosen = [one for one in CONTESTANTS if not given.only or one.environment in given.only]
    about = machine()
    outcomes = {one: Outcome(one.name) for one in chosen}
    for number in range(given.rounds):
        shift = number % len(chosen)
        for one in chosen[shift:] + chosen[:shift]:
            if not outcomes[one].failure:
                _say(f"round {number + 1}: {one.name}")
                _take_part(one, outcomes[one], given.envs.absolute(), given.calls)
    results = list(outcomes.values())
    print(table(results))
    if given.json:
        whole: dict[str, Any] = {"machine": about, "peers": [one.plain() for one in results]}
        given.json.write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n")
    if given.svg:
        below = f"{about['date']}, {about['python']} on {about['cores']} cores of {about['cpu']}"
        given.svg.write_text(picture(results, below), "utf-8")
    return 0


def _take_part(one: Contestant, outcome: Outcome, envs: Path, calls: int) -> None:
    """Run one contestant once; whatever is wrong with it is its outcome."""
    try:
        python = environment(one.environment, envs)
        outcome.versions = outcome.versions or versions(python, one.environment)
        with tempfile.TemporaryDirectory() as home, sink(python) as server:
            is_local = one.setup == "ollamatrace_embedded"
            store = Path(home, "traces.db")
            told = _run(python, one, f"sqlite:///{store}" if is_local else server.url, calls, home)
            seen = _stored(store) if is_local else _arrived(server, told["calls"])
        outcome.add(told, seen)
    except subprocess.CalledProcessError as error:
        lines = (error.stderr or str(error)).strip().splitlines()
        outcome.failure = lines[-1] if lines else str(error)
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        outcome.failure = f"{type(error).__name__}: {error}"


def _run(python: Path, one: Contestant, url: str, calls: int, home: str) -> dict[str, Any]:
    command = [str(python), "-m", "benchmarks.peers.program", one.setup, url, str(calls)]
    done = subprocess.run(
        command,
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=surroundings(home),
        timeout=_LONGEST_S,
    )
    return json.loads(done.stdout.splitlines()[-1])


def _arrived(server: Sink, calls: int) -> dict[str, Any]:
    """What the server has seen when all has arrived, or nothing comes any more."""
    until = time.monotonic() + _LATE_S
    while (seen := server.seen())["calls"] < calls and time.monotonic() < until:
        time.sleep(0.5)
    return seen


def _stored(store: Path) -> dict[str, Any]:
    """What is found in an embedded store."""
    with Tracer(f"sqlite:///{store}") as tracer:
        traces = asyncio.run(tracer.search_traces(limit=_MOST))
    return seen_in([("", span.line()) for trace in traces for span in trace.spans])


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
