"""`ollamatrace forward`: what waits in files goes to its servers, and a store to one of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

import orjson
from rich.text import Text

from ollamatrace.cli import screen
from ollamatrace.cli.carrier import Carrier, Stored, Tell
from ollamatrace.cli.commands import open_store
from ollamatrace.cli.progress import progress
from ollamatrace.destinations import open_destination
from ollamatrace.errors import ConfigError
from ollamatrace.records.view import safe
from ollamatrace.settings import Delivery, Environment, default_spool, without_credentials
from ollamatrace.spool.waiting import Waiting, look, look_at

if TYPE_CHECKING:
    from ollamatrace.store.scan import Scan

_BATCH_SPANS: Final = 256
_BATCH_BYTES: Final = 4 * 1024 * 1024
_SERVERS: Final = ("http://", "https://", "otlp")


@dataclass(slots=True)
class Outcome:
    """What became of the spans for one destination.

    Attributes:
        server: Its address, without credentials.
        experiment: What they are filed under there.
        delivered: Spans that it has now.
        waiting: Spans that still wait.
        rejected: Spans that it refused for good just now, or that could not be read.
        held: Spans in files of programs that run, which send them themselves.
        reason: Why spans wait or were refused; ``None`` if all went well.
    """

    server: str
    experiment: str
    delivered: int = 0
    waiting: int = 0
    rejected: int = 0
    held: int = 0
    reason: str | None = None


def forward(where: str | None, server: str | None, timeout: float, *, as_json: bool) -> int:
    """Do it; the result is the exit code: 1 if something still waits, or was refused.

    Raises:
        OllamatraceError: an option that cannot work, or a store that cannot be read.
    """
    screen.keep_warnings()
    if server is not None and not server.lower().startswith(_SERVERS):
        raise ConfigError(
            "--server takes the address of a server: http://host:port, otlp+http://host:port"
        )
    if where is None:
        outcomes = _spool(server, timeout)
    elif server is None:
        raise ConfigError("--store needs --server URL: where its traces are to go")
    else:
        outcomes = _store(where, server, timeout)
    if as_json:
        for one in outcomes:
            screen.write_json(orjson.dumps(asdict(one)))
    else:
        _print(outcomes, nothing=_nothing(where, server))
    return int(any(one.waiting or one.rejected for one in outcomes))


def _spool(server: str | None, timeout: float) -> list[Outcome]:
    """Send what ended programs left for each destination, one after the other."""
    known = _addresses(server)
    wanted = None if server is None else _url(server)
    outcomes: list[Outcome] = []
    away: dict[str, str] = {}
    for waiting in look(default_spool()):
        if not waiting.url or (wanted is not None and waiting.url != wanted):
            continue
        if not waiting.spans and not waiting.held:
            continue
        outcome = Outcome(waiting.url, waiting.experiment, held=waiting.held)
        outcomes.append(outcome)
        if waiting.url in away:  # its other experiments need not be waited for, too
            outcome.waiting, outcome.reason = waiting.spans, away[waiting.url]
        elif waiting.spans:
            address = known.get(waiting.url, waiting.url)
            try:
                _check(address)
                if _send(address, waiting, outcome, timeout):
                    away[waiting.url] = outcome.reason or ""
            except ConfigError as error:  # whoever wrote that file: the others are sent
                outcome.waiting, outcome.reason = waiting.spans, str(error)
    return outcomes


def _send(address: str, waiting: Waiting, outcome: Outcome, timeout: float) -> bool:
    """Send what waits in one folder; whether the server does not answer."""
    while True:
        before = outcome.delivered
        carrier = Carrier(address, waiting.experiment)
        try:
            title = f"{waiting.url} {waiting.experiment}"
            with progress(title, waiting.spans, "spans") as tell:
                carrier.bring_adopted(timeout, tell)
        finally:
            carrier.close(timeout=0)
        outbox = carrier.outbox
        outcome.delivered += outbox.adopted.delivered
        outcome.rejected += outbox.adopted.dropped.total()
        now = look_at(waiting.folder)
        outcome.waiting, outcome.held = now.spans, now.held
        outcome.reason = _why(carrier, waiting=now.spans, timeout=timeout)
        # What has been left meanwhile is for another round.
        if not now.spans or outbox.trouble or outbox.adopted.left or outcome.delivered == before:
            return bool(outbox.trouble) and outbox.hopeless_for(0.0) and not outbox.denied


def _why(carrier: Carrier, *, waiting: int, timeout: float) -> str | None:
    outbox = carrier.outbox
    if waiting:
        return outbox.trouble or f"nothing went within {timeout:g} s"
    return outbox.last_rejection or next(iter(outbox.adopted.dropped), None)


def _store(where: str, server: str, timeout: float) -> list[Outcome]:
    """Send the traces of a store, each span to the experiment that it belongs to."""
    url = _url(server)
    outcomes: list[Outcome] = []
    away: str | None = None
    with open_store(where) as store:
        if not store.path.exists():
            raise ConfigError(f"there is no store {store.path}")
        for experiment, spans in store.experiments().items():
            outcome = Outcome(url, experiment, waiting=spans, reason=away)
            outcomes.append(outcome)
            if away is not None:
                continue
            carrier = Carrier(_addresses(server)[url], experiment)
            try:
                with progress(f"{url} {experiment}", spans, "spans") as tell:
                    scan = store.scan(experiment=experiment, whole=False)
                    _pour(scan, carrier, timeout, tell)
                report = carrier.stats()
            finally:
                carrier.close(timeout=0)
            outcome.delivered, outcome.rejected = report.delivered, report.dropped
            outcome.waiting = max(spans - report.delivered - report.dropped, 0)
            outcome.reason = _why(carrier, waiting=outcome.waiting, timeout=timeout)
            if outcome.waiting and not carrier.outbox.denied:
                away = outcome.reason
    return outcomes


def _pour(scan: Scan, carrier: Carrier, timeout: float, tell: Tell) -> None:
    """Hand over the spans, so few at a time that memory does not grow; stop if one stays."""
    count = size = 0
    for trace in scan:
        for span in trace.spans:
            item = Stored(span)
            carrier.pipeline.put(item, item.size)
            count, size = count + 1, size + item.size
            if count >= _BATCH_SPANS or size >= _BATCH_BYTES:
                count = size = 0
                if not carrier.bring(timeout):
                    return
                report = carrier.stats()
                tell(report.delivered + report.dropped, carrier.outbox.trouble or "")
    carrier.bring(timeout)


def _check(server: str) -> None:
    """See that it is the address of a server.

    Raises:
        ConfigError: it is none.
    """
    if not server.lower().startswith(_SERVERS):
        raise ConfigError(f"{without_credentials(server)} is no address of a server")


def _url(server: str) -> str:
    """The address without credentials, as files in the spool have it."""
    destination = open_destination(server, experiment=None, experiment_id=None, delivery=Delivery())
    return destination.url


def _addresses(server: str | None) -> dict[str, str]:
    """The addresses with the credentials in them, by the ones without."""
    given = [one for one in (Environment.read().server, server) if one is not None]
    return {_url(one): one for one in given if one.lower().startswith(_SERVERS)}


def _nothing(where: str | None, server: str | None) -> str:
    if where is not None:
        return f"No spans in {where}."
    to = "" if server is None else f" for {_url(server)}"
    return f"Nothing waits{to} in {default_spool()}."


def _print(outcomes: Iterable[Outcome], *, nothing: str) -> None:
    out = screen.standard()
    empty = True
    for one in outcomes:
        empty = False
        parts = [(f"{one.delivered:,} delivered", "green" if one.delivered else "dim")]
        if one.waiting:
            parts.append((f"{one.waiting:,} still waiting", "bold red"))
        if one.rejected:
            parts.append((f"{one.rejected:,} rejected", "bold red"))
        if one.held:
            parts.append((f"{one.held:,} held by a running program, which sends them", "yellow"))
        line = Text(safe.one_line(f"{one.server} {one.experiment}:") + " ")
        for number, (text, style) in enumerate(parts):
            line.append(", " if number else "")
            line.append(text, style=style)
        out.print(line, soft_wrap=True)
        if one.reason is not None:
            out.print(Text(f"  {safe.one_line(one.reason)}"), soft_wrap=True)
    if empty:
        screen.note(nothing)
