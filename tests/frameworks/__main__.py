"""All frameworks, each in an environment of its own: ``python -m tests.frameworks``.

Makes the environments below ``.venv-frameworks/`` or takes those that are there, and prints one
line a framework. ``--only NAME`` takes a part; ``--versions oldest`` or ``newest`` takes other
versions than the document tells; ``--write`` writes ``docs/frameworks.md`` anew. ``--to ADDRESS``
judges nothing, but sends the traces of all scenarios there, to be looked at.
"""

from __future__ import annotations

import argparse
import sys
import time

from tests.frameworks import document
from tests.frameworks.environments import forget, python_of, run
from tests.frameworks.table import FRAMEWORKS, Framework
from tests.frameworks.verdict import verdicts


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", action="append", choices=[one.name for one in FRAMEWORKS])
    parser.add_argument("--write", action="store_true", help="write the document anew")
    parser.add_argument("--to", metavar="ADDRESS", help="send the traces to this server")
    parser.add_argument("--versions", choices=["oldest", "newest"], help="not those of the table")
    given = parser.parse_args()
    chosen = [one for one in FRAMEWORKS if not given.only or one.name in given.only]
    if given.versions:
        varied = (one.variant(given.versions) for one in chosen)
        chosen = [one for one in varied if one is not None]
    if given.to:
        return max(_send(framework, given.to) for framework in chosen)
    failed = 0
    for framework in chosen:
        if given.versions == "newest":
            forget(framework)
        begun = time.monotonic()
        python_of(framework)
        made = time.monotonic()
        found = verdicts(framework)
        wrong = [one for one in found if one.wrong]
        failed += len(wrong)
        print(  # noqa: T201
            f"{framework.title} ({', '.join(framework.packages)}): "
            f"{len(found) - len(wrong)} of {len(found)} scenarios are well, "
            f"{sum(one.calls for one in found)} calls; "
            f"{made - begun:.0f} s to make it, {time.monotonic() - made:.0f} s to run",
            flush=True,
        )
        for one in wrong:
            print(f"  {one.scenario}: " + "\n    ".join(one.wrong), flush=True)  # noqa: T201
    if given.write:
        trees = document.trees_in(document.PATH.read_text("utf-8")) if given.only else {}
        for framework in chosen:
            trees |= document.trees_of(framework)
        document.PATH.write_text(document.written(trees), "utf-8")
    return min(failed, 1)


def _send(framework: Framework, destination: str) -> int:
    done = run(framework, "tests.frameworks.sent", framework.name, destination)
    last = done.stderr.strip().splitlines()[-1:]
    print(f"{framework.title}:", *last, flush=True)  # noqa: T201
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
