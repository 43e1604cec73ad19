"""Run one cell, bare and traced, and say what is wrong."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import anyio
import trio

from tests.conformance.clients import Column
from tests.conformance.exits import Row
from tests.conformance.noise import heard, unheard
from tests.conformance.program import Program
from tests.conformance.server import ModelServer
from tests.conformance.wrapper import Seen, Wrapper

_EXIT_S: Final = 20
_BY_CHANCE: Final = "an error occurred during closing of asynchronous generator"
"""Logged now and then about the bare clients: what is dropped is closed all at once by asyncio."""
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
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # so it is where a shell put us behind
        signal.signal(signal.SIGINT, signal.default_int_handler)
    gc.freeze()  # to collect is quick then: only what the program made is looked at
    try:
        if wrapper is not None:
            wrapper.spans()  # what an earlier cell left behind is not this one's
        with heard() as noise:
            outcome = _Run(row, column, server, wrapper).outcome()
    finally:
        gc.unfreeze()
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
        self._ended: list[Seen] = []

    def outcome(self) -> Outcome:
        program, row = self._program, self._row
        try:
            if self._is_async:
                {"trio": trio.run, "anyio": anyio.run}.get(row.loop, _asyncio_run)(self._main)
            else:
                self._main_sync()
        except BaseException as error:  # noqa: BLE001  compared with the bare client's
            program.saw(error)
        program.look("at the end")
        program.drop()
        return Outcome(
            texts=program.texts,
            raised=program.raised,
            ended=self._ended,
            late=self._spans(),
            parent_id=program.parent_id,
            currents=program.currents,
        )

    def _main_sync(self) -> None:
        program, row = self._program, self._row
        with self._parent():
            try:
                (row.asynchronous if row.loop == "own" else row.sync)(program)
            except BaseException as error:  # noqa: BLE001
                program.saw(error)
            program.look("after it")
            if row.collected:
                program.drop()
        self._ended = self._spans()
        if not program.column.is_async:
            getattr(program.client, "_client", program.client).close()

    async def _main(self) -> None:
        program, row = self._program, self._row
        passing: BaseException | None = None
        with self._parent():
            try:
                await row.asynchronous(program)
            except asyncio.CancelledError as error:
                program.saw(error)
                passing = error  # asyncio makes a KeyboardInterrupt of it
            except BaseException as error:  # noqa: BLE001
                program.saw(error)
            program.look("after it")
            if row.collected:
                program.drop()
                for _ in range(5):  # what was collected may be closed by a task
                    await anyio.lowlevel.checkpoint()
        # Some export a trace as a whole: what counts is that its parent did not end before it.
        self._ended = self._spans()
        http = getattr(program.client, "_client", program.client)
        await (http.aclose() if hasattr(http, "aclose") else http.close())
        if passing is not None:
            raise passing

    def _parent(self) -> AbstractContextManager[None]:
        return nullcontext() if self._row.outside else self._program.parent()

    def _spans(self) -> list[Seen]:
        if self._wrapper is None:
            return []
        with unheard():
            return self._wrapper.spans()


def _asyncio_run(main: Any) -> None:
    asyncio.run(main())


def run_process(row: Row, column: Column, url: str, wrapper: str) -> Outcome:
    """Run the program of a cell as a process that ends; `wrapper` is ``bare`` or MODULE:CLASS."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "spans"
        done = subprocess.run(
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
        *(["log lines"] if _new_noise(row, bare, traced) else []),
    ]


def details(row: Row, bare: Outcome, traced: Outcome) -> list[str]:
    """What was seen, for whoever looks for the cause."""
    return [
        f"the program got {traced.texts}, raised {traced.raised}; bare {bare.texts}, {bare.raised}",
        f"parent {traced.parent_id}; ended in time {traced.ended}, late {traced.late}",
        *(f"current span {where}: {span}" for where, span in traced.currents),
        *_new_noise(row, bare, traced),
        *([f"stderr: {traced.error_output}"] if traced.error_output else []),
    ]


def _new_noise(row: Row, bare: Outcome, traced: Outcome) -> list[str]:
    return [
        line
        for line in traced.noise
        if line not in bare.noise and not (row.collected and _BY_CHANCE in line)
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
    if span.status != status and (span.end_reason or span.status not in row.opinions):
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
