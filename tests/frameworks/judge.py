"""One framework, bare and traced: ``python -m tests.frameworks.judge pydantic_ai``.

Runs in the environment of the framework. Prints one line of JSON for each scenario: what is wrong,
and how many calls there were. With ``other`` behind the name, the framework's own steps may be
others than in the version that the table names.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
import logging
import os
import re
import sys
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Self, TextIO
from unittest import mock

import ollamatrace
from ollamatrace import current_span
from ollamatrace.testing import MemoryTracer
from tests.frameworks import snippet
from tests.frameworks.reading import (
    MODEL_KINDS,
    inside,
    misplaced,
    trees,
    without_steps,
    wrong_with,
)
from tests.frameworks.server import Exchange, ScriptedServer

Scenario = Callable[[Any], Any]

_traced: Final = ollamatrace.TracedClient
_LOCAL: Final = {"127.0.0.1", "::1", "localhost", "", None}
_VARYING: Final = re.compile(
    r"0x[0-9a-f]+|[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{32}|\d+\.\d{3,}"
    r"|(chatcmpl-|resp_)\d{4}"  # of several at once, whichever comes first
)


@dataclass
class Seen:
    """What a program sees, and its server."""

    outcome: str
    said: list[str]
    """Warnings and log lines."""
    exchanges: list[Exchange]
    changed: list[str]
    """Which clients are not what they were."""
    left: bool
    """Whether another span is current than before."""

    @property
    def outside(self) -> tuple[Any, ...]:
        """What must be the same with and without a tracer."""
        requests = sorted(_plain(one.request) for one in self.exchanges)
        return self.outcome, self.said, requests


class _Clients:
    """Stands for `TracedClient`, and looks whether the clients stay as they are."""

    def __init__(self, wrap: Callable[[Any], Any]) -> None:
        self._wrap = wrap
        self._kept: list[tuple[Any, dict[str, Any]]] = []

    def __call__(self, client: Any) -> Any:
        self._kept.append((client, dict(vars(client))))
        return self._wrap(client)

    def changed(self) -> list[str]:
        return [type(client).__name__ for client, before in self._kept if vars(client) != before]


class _Log(logging.Handler):
    """Keeps what is logged as a warning, or worse."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.name}: {record.getMessage()}")

    def __enter__(self) -> Self:
        logging.getLogger().addHandler(self)
        return self

    def __exit__(self, *_error: object) -> None:
        logging.getLogger().removeHandler(self)


class _Network:
    """Refuses every connection that leaves this machine, and says where it was to go."""

    def __init__(self) -> None:
        self._refused: list[str] = []
        sys.addaudithook(self._check)

    def refused(self) -> list[str]:
        refused, self._refused = self._refused, []
        return [f"wanted to reach {host}" for host in refused]

    def _check(self, event: str, arguments: tuple[Any, ...]) -> None:
        host = None
        if event == "socket.getaddrinfo":
            host = arguments[0]
        elif event == "socket.connect" and isinstance(arguments[1], tuple):
            host = arguments[1][0]
        if host not in _LOCAL:
            self._refused.append(str(host))
            raise OSError(f"{host} is not to be reached")


class Judge:
    """Runs the scenarios of one framework."""

    def __init__(
        self,
        name: str,
        server: ScriptedServer,
        quiet: Callable[[], None],
        *,
        is_other_version: bool,
    ) -> None:
        self._name = name
        self._server = server
        self._quiet = quiet
        self._is_other_version = is_other_version
        self._network = _Network()

    def failures(self, scenario: Scenario) -> tuple[list[str], int]:
        """What is wrong with `scenario`, and how many calls it makes."""
        bare, wrong = self._bare(scenario)
        with MemoryTracer() as tracer:
            wrap = partial(_traced, tracer=tracer)
            alone = self._run(scenario, wrap)
            records = tracer.finished()
            wrong += _compared("alone", bare, alone)
            wrong += wrong_with(records, alone.exchanges) + misplaced(records, None)
            with tracer.span("agent") as agent:
                inside = self._run(scenario, wrap)
            records = [one for one in tracer.finished() if one.span_id != agent.span_id]
            wrong += _compared("in a span", bare, inside)
            wrong += wrong_with(records, inside.exchanges) + misplaced(records, agent)
        return wrong + self._network.refused(), len(bare.exchanges)

    def failures_of_steps(self, scenario: Scenario, expected: list[str]) -> tuple[list[str], int]:
        """The same where the framework's own steps have spans: `expected` are the trees."""
        bare, wrong = self._bare(scenario)
        with MemoryTracer() as tracer:
            for where in ("alone", "in a span"):
                around = tracer.span("mine", "X") if where == "in a span" else nullcontext()
                with around:
                    seen = self._run(scenario, partial(_traced, tracer=tracer), steps=True)
                records = tracer.finished()
                calls = [record for record in records if record.kind in MODEL_KINDS]
                wrong += _compared(where, bare, seen) + wrong_with(calls, seen.exchanges)
                drawn = trees(records) if where == "alone" else inside("mine X", trees(records))
                if sorted(map(self._drawn, drawn)) != sorted(map(self._drawn, expected)):
                    wrong += [f"{where}: not as expected:\n{one}" for one in drawn]
        return wrong + self._network.refused(), len(bare.exchanges)

    def _drawn(self, tree: str) -> str:
        return without_steps(tree) if self._is_other_version else tree

    def _bare(self, scenario: Scenario) -> tuple[Seen, list[str]]:
        self._run(scenario, _bare)  # what is imported, warned of and cached at first
        bare = self._run(scenario, _bare)
        return bare, [] if bare.exchanges else [f"no calls: {bare.outcome}"]

    def _run(self, scenario: Scenario, wrap: Callable[[Any], Any], *, steps: bool = False) -> Seen:
        self._server.taken()
        self._quiet()
        clients = _Clients(wrap)
        current = current_span()
        with (
            warnings.catch_warnings(record=True) as told,
            mock.patch.object(ollamatrace, "TracedClient", clients),
            _Log() as log,
        ):
            warnings.simplefilter("always")
            made = snippet.made_by(self._name, self._server.url)
            if steps:
                made = snippet.made_by(f"{self._name}_steps", self._server.url, **vars(made))
            outcome = _outcome(scenario, made)
        said = [str(one.message) for one in told if one.category is not ResourceWarning]
        return Seen(
            outcome=_plain(outcome),
            said=sorted(set(map(_plain, said + log.lines))),
            exchanges=self._server.taken(),
            changed=[] if wrap is _bare else clients.changed(),
            left=current_span() is not current,
        )


def _bare(client: Any) -> Any:
    return client


def _compared(where: str, bare: Seen, traced: Seen) -> list[str]:
    wrong = [f"{where}: {client} is changed" for client in traced.changed]
    if bare.outside != traced.outside:
        wrong.append(f"{where}: {traced.outside} instead of {bare.outside}")
    if traced.left:
        wrong.append(f"{where}: a span is left current")
    return wrong


def _outcome(scenario: Scenario, made: Any) -> Any:
    try:
        if inspect.iscoroutinefunction(scenario):
            return asyncio.run(scenario(made))
        return scenario(made)
    except Exception as error:  # noqa: BLE001  whichever the framework makes of it
        chain: list[str] = []
        cause: BaseException | None = error
        while cause is not None:
            chain.append(f"{type(cause).__module__}.{type(cause).__qualname__}: {cause}")
            cause = cause.__cause__ or cause.__context__
        return chain


def _plain(value: Any) -> str:
    return _VARYING.sub("…", repr(value))


def main(name: str, *other_version: str) -> None:
    """Judge one framework."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # frameworks print
    program = importlib.import_module(f"tests.frameworks.{name}")
    with ScriptedServer() as server:
        quiet = getattr(program, "quiet", lambda: None)
        judge = Judge(name, server, quiet, is_other_version=bool(other_version))
        for scenario in (snippet.itself, *program.SCENARIOS):
            wrong, calls = judge.failures(scenario)
            _tell(out, scenario.__name__, calls, wrong)
        for scenario, expected in getattr(program, "STEPS", {}).items():
            wrong, calls = judge.failures_of_steps(scenario, expected)
            _tell(out, f"steps of {scenario.__name__}", calls, wrong)


def _tell(out: TextIO, scenario: str, calls: int, wrong: list[str]) -> None:
    print(json.dumps({"scenario": scenario, "calls": calls, "wrong": wrong}), file=out, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
