"""Run one cell, bare and traced, and say what is wrong."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import anyio
import trio

from tests.conformance.clients import Column
from tests.conformance.exits import Row
from tests.conformance.noise import heard
from tests.conformance.program import Program
from tests.conformance.server import ModelServer
from tests.conformance.wrapper import Seen, Wrapper

_EXIT_S: Final = 20
_ROOT: Final = Path(__file__).parents[2]


@dataclass
class Outcome:
    """What a program saw."""

    texts: list[str]
    raised: list[str]
    """Exceptions in the order in which they passed by."""
    noise: Counter[str] = field(default_factory=Counter)
    ended: list[Seen] = field(default_factory=list)
    """Spans that had ended when the row says that they must."""
    late: list[Seen] = field(default_factory=list)
    """Those that ended only when everything was let go."""
    parent_id: str | None = None
    currents: list[tuple[str, str | None]] = field(default_factory=list)
    error_output: str = ""


def run(row: Row, column: Column, server: ModelServer, wrapper: Wrapper | None) -> Outcome:
    """Run the program of a cell; bare without a wrapper."""
    with heard() as noise:
        if wrapper is not None:
            wrapper.spans()  # what an earlier cell left behind is not this one's
        outcome = _Run(row, column, server, wrapper).outcome()
    outcome.noise = noise
    return outcome


class _Run:
    def __init__(
        self, row: Row, column: Column, server: ModelServer, wrapper: Wrapper | None
    ) -> None:
        self._row = row
        self._is_async = column.is_async and row.loop != "own"
        self._wrapper = wrapper
        bare = column.bare(server.url, row.timeout_s)
        client = bare if wrapper is None else wrapper.wrap(bare)
        self._program = Program(
            column, client, server, wrapper, outside=row.outside, keeps=not row.collected
        )
        self._ended: list[Seen] | None = None

    def outcome(self) -> Outcome:
        program, row = self._program, self._row
        with nullcontext() if row.outside else program.parent():
            try:
                if self._is_async:
                    {"trio": trio.run, "anyio": anyio.run}.get(row.loop, _asyncio_run)(self._main)
                else:
                    (row.asynchronous if row.loop == "own" else row.sync)(program)
            except BaseException as error:  # noqa: BLE001  compared with the bare client's
                program.saw(error)
            program.look("after it")
            if self._ended is None:
                self._look_at_spans()
        program.look("at the end")
        program.drop()
        late = [] if self._wrapper is None else self._wrapper.spans()
        if not program.column.is_async:
            getattr(program.client, "_client", program.client).close()
        return Outcome(
            texts=program.texts,
            raised=program.raised,
            ended=self._ended or [],
            late=late,
            parent_id=program.parent_id,
            currents=program.currents,
        )

    async def _main(self) -> None:
        program = self._program
        try:
            await self._row.asynchronous(program)
        except (asyncio.CancelledError, trio.Cancelled):
            self._look_at_spans()
            raise
        except BaseException as error:  # noqa: BLE001
            program.saw(error)
        program.look("after it, in the loop")
        if self._row.collected:
            program.drop()
            for _ in range(5):  # what was collected may be closed by a task
                await anyio.lowlevel.checkpoint()
        self._look_at_spans()
        http = getattr(program.client, "_client", program.client)
        await (http.aclose() if hasattr(http, "aclose") else http.close())

    def _look_at_spans(self) -> None:
        if self._row.collected:
            self._program.drop()
        self._ended = [] if self._wrapper is None else self._wrapper.spans()


def _asyncio_run(main: Any) -> None:
    asyncio.run(main())


def run_process(row: Row, column: Column, url: str, wrapper: str) -> Outcome:
    """Run the program of a cell as a process that ends; `wrapper` is ``bare`` or MODULE:CLASS."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "spans"
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-m", f"{__package__}.exiting", wrapper, column.name, url, str(file)],
            capture_output=True, text=True, timeout=_EXIT_S, check=False, cwd=_ROOT,
            env={**os.environ, "PYTHONPATH": str(_ROOT)},
        )  # fmt: skip
        lines = done.stdout.splitlines() or ["{}"]
        seen = json.loads(lines[0])
        raised = [f"exit code {done.returncode}", *lines[1:]]
        ended = [] if wrapper == "bare" else load(wrapper).left_in(file)
    return Outcome(
        seen.get("texts", []), raised, ended=ended, parent_id=seen.get("parent"),
        error_output=done.stderr,
    )  # fmt: skip


def load(name: str) -> type[Wrapper]:
    """The class of a MODULE:CLASS."""
    import importlib

    module, _, kind = name.partition(":")
    return getattr(importlib.import_module(module), kind)


def failures(row: Row, bare: Outcome, traced: Outcome, *, knows_cancelled: bool) -> list[str]:
    """What is wrong with a cell, in a few words each."""
    return [
        *_changes(bare, traced),
        *_of_spans(row, traced, knows_cancelled=knows_cancelled),
        *(["stays current"] if traced.currents else []),
        *(["log lines"] if set(traced.noise) - set(bare.noise) else []),
    ]


def _changes(bare: Outcome, traced: Outcome) -> list[str]:
    if traced.raised != bare.raised:
        new = [error for error in traced.raised if error not in bare.raised]
        return [f"changed: {new[0].split(':')[0] if new else 'no ' + bare.raised[-1]}"]
    if traced.texts != bare.texts:
        return ["changed: other chunks"]
    return ["changed: stderr"] if traced.error_output != bare.error_output else []


def _of_spans(row: Row, traced: Outcome, *, knows_cancelled: bool) -> list[str]:
    if len(traced.ended) + len(traced.late) != 1:
        count = len(traced.ended) + len(traced.late)
        return [f"{count} spans" if count else "no span"]
    [span] = traced.ended or traced.late
    status = row.status if row.status != "CANCELLED" or knows_cancelled else "ERROR"
    text = "".join(traced.texts)
    found = [] if traced.ended else ["ended late"]
    if span.status != status:
        found.append(f"status {span.status}")
    if span.text is not None and span.text != text:
        found.append("other text" if span.text else "no text")
    if span.parent_id != traced.parent_id:
        found.append("wrong parent" if span.parent_id else "no parent")
    if span.end_reason not in {None, row.end_reason}:
        found.append(f"reason {span.end_reason}")
    chunks = _chunks_of(row, traced)
    if span.chunks is not None and chunks is not None and span.chunks != chunks:
        found.append(f"{span.chunks} chunks")
    return found


def _chunks_of(row: Row, traced: Outcome) -> int | None:
    return None if row.end_reason == "returned" else len(traced.texts)
