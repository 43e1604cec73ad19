"""What `ls` and `show` do: read the store, print what was found."""

from __future__ import annotations

import re
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from ollamatrace.cli import details, listing, screen
from ollamatrace.cli.location import locate
from ollamatrace.cli.since import parse_since
from ollamatrace.errors import ConfigError
from ollamatrace.store import Store

if TYPE_CHECKING:
    from collections.abc import Generator

_STATUSES: Final = ("OK", "ERROR", "CANCELLED")
_HEX: Final = re.compile(r"[0-9a-f]{1,32}")
_SHOWN_IDS: Final = 5


class Filters(NamedTuple):
    """What `ls` was asked for, as it was written."""

    text: str | None
    status: str | None
    model: str | None
    session: str | None
    experiment: str | None
    since: str | None
    limit: int


def print_list(where: str | None, filters: Filters, *, as_json: bool) -> None:
    """Print the traces that match, newest first.

    Raises:
        OllamatraceError: a filter that makes no sense, or a store that cannot be read.
    """
    status = filters.status and filters.status.upper()
    if status is not None and status not in _STATUSES:
        raise ConfigError(f"--status takes {', '.join(_STATUSES)}, not {filters.status!r}")
    now = datetime.now().astimezone()
    since_ns = None if filters.since is None else parse_since(filters.since, now)
    with open_store(where) as store:
        traces = store.search(
            filters.text,
            status=status,
            model=filters.model,
            session=filters.session,
            experiment=filters.experiment,
            since_ns=since_ns,
            limit=filters.limit,
        )
        if as_json:
            screen.write_lines(span for trace in traces for span in trace.spans)
        elif traces:
            screen.standard().print(listing.table(traces, store.trace_ids))
        else:
            screen.note(_nothing(store))


def print_show(where: str | None, trace_id: str, *, as_json: bool) -> None:
    """Print one trace.

    Raises:
        OllamatraceError: no trace or several have that id, or the store cannot be read.
    """
    with open_store(where) as store:
        trace = store.get(trace_id_of(store, trace_id))
    if trace is None:
        raise ConfigError(f"the trace {trace_id} has just been deleted")
    if as_json:
        screen.write_lines(trace.spans)
    else:
        details.print_trace(screen.standard(), trace)


def trace_id_of(store: Store, written: str) -> str:
    """The whole id of the trace that somebody means.

    Raises:
        OllamatraceError: no trace or several have that id, or the store cannot be read.
    """
    prefix = written.strip().lower().removeprefix("tr-")
    if not _HEX.fullmatch(prefix):
        raise ConfigError(f"a trace id has up to 32 hex digits, not {written!r}")
    found = store.trace_ids(prefix)
    if len(found) > 1:
        raise ConfigError(_ambiguous(prefix, found))
    if not found:
        raise ConfigError(f"no trace {prefix} in {store.path}; `ollamatrace ls` lists them")
    return found[0]


@contextmanager
def open_store(where: str | None) -> Generator[Store]:
    """The store that a command is about."""
    location = locate(where)
    if location.note is not None:
        screen.note(f"note: {location.note}", "dim")
    store = Store(location.path)
    try:
        yield store
    finally:
        store.close()


def _nothing(store: Store) -> str:
    if store.trace_ids(""):
        return f"No trace in {store.path} matches."
    return f"No traces in {store.path} yet. `ollamatrace demo` makes one."


def _ambiguous(prefix: str, found: list[str]) -> str:
    more = ", and more" if len(found) > _SHOWN_IDS else ""
    return f"several traces begin with {prefix}: {', '.join(found[:_SHOWN_IDS])}{more}"
