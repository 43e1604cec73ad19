"""One run for the document: ``python -m tests.frameworks.shown pydantic_ai traces.db [steps]``.

Runs in the environment of the framework, and leaves its trace in an embedded store.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import sys

from ollamatrace import Tracer
from tests.frameworks import snippet
from tests.frameworks.server import ScriptedServer


def main(name: str, store: str, *steps: str) -> None:
    """Ask for the weather, with a tool; without spans for the framework's own steps in one span."""
    program = importlib.import_module(f"tests.frameworks.{name}")
    getattr(program, "quiet", lambda: None)()
    with ScriptedServer() as server, Tracer(f"sqlite:///{store}") as tracer:
        made = snippet.made_by(name, server.url)
        if steps:
            made = snippet.made_by(f"{name}_steps", server.url, **vars(made))
            _run(program.SCENARIOS[0], made)
        else:
            with tracer.span("weather", kind="AGENT"):
                _run(program.SCENARIOS[0], made)


def _run(scenario, made) -> None:
    result = scenario(made)
    if inspect.iscoroutine(result):
        asyncio.run(result)


if __name__ == "__main__":
    main(*sys.argv[1:])
