"""All scenarios of one framework, to be looked at on a server.

``python -m tests.frameworks.sent pydantic_ai http://127.0.0.1:5000`` runs in the environment of the
framework; ``--to`` of ``python -m tests.frameworks`` does it for all.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import inspect
import sys
from functools import partial

from ollamatrace import Tracer, session
from tests.frameworks import snippet
from tests.frameworks.server import ScriptedServer


def main(name: str, destination: str) -> None:
    """Run each in a span of its own; where the framework's steps have spans, in those, too."""
    program = importlib.import_module(f"tests.frameworks.{name}")
    getattr(program, "quiet", lambda: None)()
    with (
        ScriptedServer() as server,
        Tracer(destination, experiment="frameworks") as tracer,
        session(name),
    ):
        make = partial(snippet.made_by, url=server.url)
        for scenario in (snippet.itself, *program.SCENARIOS):
            with _failing(), tracer.span(f"{name} {scenario.__name__}", "AGENT") as agent:
                agent.outputs = _run(scenario, make(name))
        for scenario in getattr(program, "STEPS", ()):
            with _failing(), session(f"{name} steps of {scenario.__name__}"):
                _run(scenario, make(f"{name}_steps", **vars(make(name))))
        report = tracer.flush(timeout=60)
    sys.stderr.write(f"{report.delivered} of {report.accepted} spans are there\n")


def _failing():
    """Some scenarios are to fail."""
    return contextlib.suppress(Exception)


def _run(scenario, made):
    result = scenario(made)
    return asyncio.run(result) if inspect.iscoroutine(result) else result


if __name__ == "__main__":
    main(*sys.argv[1:])
