"""`ollamatrace demo`: real calls, traced, and the trace read back from where it went."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from time import monotonic_ns
from typing import TYPE_CHECKING, Final

import anyio
from rich.text import Text

from ollamatrace import FlushReport, Span, Tracer, session, span
from ollamatrace.cli import calls, screen
from ollamatrace.cli.demo_table import demo_table, pointers
from ollamatrace.cli.location import locate
from ollamatrace.cli.target import choose
from ollamatrace.errors import ConfigError, ServerError
from ollamatrace.records.view import figures, safe
from ollamatrace.settings import Environment

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import Console

    from ollamatrace.cli.calls import Calls
    from ollamatrace.records import Trace

_SESSION: Final = "ollamatrace-demo"
_FLUSH_S: Final = 10


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the demo: what it shows and the call that shows it."""

    title: str
    run: Callable[[Calls], None]
    refused: bool = False
    """Whether the call is one that the server must refuse."""


def _think(client: Calls) -> None:
    if client.think is not None:  # else the step is left out
        client.think()


def _tool_call(client: Calls) -> None:
    with span("tool call", kind="CHAIN") as chain:
        wanted = client.ask_for_tool()
        if wanted is None:  # small models often just talk
            chain.outputs = "the model did not call the tool"
            return
        with span(wanted.name, kind="TOOL") as tool:
            tool.inputs = wanted.arguments
            result = calls.get_weather(str(wanted.arguments.get("city", "")))
            tool.outputs = result
        client.answer_with_tool(wanted, result)


STEPS: Final = (
    Step("chat", lambda client: client.chat()),
    Step("streamed", lambda client: client.stream()),
    Step("thinking", _think),
    Step("tool call", _tool_call),
    Step("JSON schema", lambda client: client.structured()),
    Step("embeddings", lambda client: client.embed()),
    Step("error", lambda client: client.fail(), refused=True),
)


def demo(
    *, store: str | None, servers: Sequence[str], model: str | None, recorded: bool, as_json: bool
) -> int:
    """Run it; the result is the exit code: 1 if the trace is not everywhere in the end.

    Raises:
        OllamatraceError: an option that cannot work, or a missing package.
    """
    with _tracer(store, servers) as tracer, choose(model, recorded=recorded) as target:
        if not tracer.enabled:
            raise ConfigError("nothing would be traced: OLLAMATRACE_DISABLED is set")
        screen.note(f"{target.why}.")
        client = target.connect(tracer)
        steps = [step for step in STEPS if client.think or step.run is not _think]
        titles = [step.title for step in steps]
        try:
            with session(_SESSION), tracer.span("demo", kind="AGENT") as root:
                root.inputs = {"steps": titles}
                _run(client, steps, screen.notes(), root)
        finally:
            client.close()
        return _show(tracer, root, titles, store=store, as_json=as_json)


def _tracer(store: str | None, servers: Sequence[str]) -> Tracer:
    location = locate(store)
    if servers:  # the store comes first: it is what is read
        return Tracer([*([location.server] if store is not None else []), *servers])
    environment = Environment.read()
    if store is None and environment.warning:
        screen.note(environment.warning, "yellow")
    if store is None and environment.server is not None:
        try:
            return Tracer()
        except ConfigError as error:
            screen.note(f"{error}. The demo uses the local store.", "yellow")
    return Tracer(location.server)


def _run(client: Calls, steps: Sequence[Step], notes: Console, root: Span) -> None:
    outcomes: dict[str, str] = {}
    for number, step in enumerate(steps, 1):
        label = f"{number}/{len(steps)} {step.title}"
        spinning = notes.status(Text(label)) if notes.is_terminal else nullcontext()
        start = monotonic_ns()
        failure = None
        with spinning:
            try:
                step.run(client)
            # One step must not take the others with it, whatever a client or a server does.
            except Exception as error:  # noqa: BLE001
                failure = error
        good = (failure is not None) == step.refused
        line = Text(f"{label:<17}", style="green" if good else "bold red")
        line.append(f"{figures.duration(monotonic_ns() - start):>8}", style="dim")
        if failure is not None:
            expected = "refused, as expected: " if step.refused else ""
            line.append(f"  {expected}{_told(failure)}", style="not bold")
        notes.print(line, no_wrap=True, overflow="ellipsis")
        outcomes[step.title] = "OK" if good else "failed"
    root.outputs = outcomes


def _told(failure: Exception) -> str:
    return safe.one_line(f"{type(failure).__name__}: {failure}")


def _show(
    tracer: Tracer, root: Span, titles: Sequence[str], *, store: str | None, as_json: bool
) -> int:
    report = tracer.flush(_FLUSH_S)
    if (missing := report.accepted - report.delivered) > 0:
        screen.note(_undelivered(report, missing), "bold red")
    if report.spooled and store is None:
        return 1  # asking a server that does not answer would only take more time
    try:
        trace: Trace | None = anyio.run(tracer.get_trace, root.trace_id)
    except ConfigError:  # nothing can be read back from there
        where = ", ".join(report.destinations)
        screen.note(
            f"{figures.counted(report.delivered, 'span')} went to {where}; look there for the "
            f"trace {root.trace_id}"
        )
        return 0 if report.delivered else 1
    except ServerError as error:
        screen.note(str(error), "yellow")
        if root.url is not None:
            screen.note(f"The trace: {root.url}")
        return 0 if report.delivered else 1
    if trace is None:
        screen.note(f"error: the trace {root.trace_id} is not in {tracer!r}", "bold red")
        return 1
    if as_json:
        screen.write_lines(trace.spans)
        return int(report.spooled > 0)
    out = screen.standard()
    out.print()
    out.print(demo_table(trace, titles))
    out.print()
    out.print(pointers(trace, report, store, root.url), soft_wrap=True)
    return int(report.spooled > 0)


def _undelivered(report: FlushReport, missing: int) -> str:
    if report.spooled:
        where = ", ".join(url for url, one in report.destinations.items() if one.spooled)
        return (
            f"error: {where} has not taken {missing} of {report.accepted} spans;"
            f" {report.spooled} wait in a file and are sent when a program traces there again"
        )
    why = "".join(f", {count} dropped: {reason}" for reason, count in report.reasons.items())
    return (
        f"{missing} of {report.accepted} spans have not arrived after {_FLUSH_S} s"
        f" ({report.pending} still waiting{why})"
    )
