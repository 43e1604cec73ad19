"""What `ls` and `show` do: read the store, print what was found."""

from __future__ import annotations

import re
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Final, NamedTuple, TypedDict

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
    limit: int = 0


class Conditions(TypedDict, total=False):
    """The same, as the store takes it."""

    status: str
    model: str
    session: str
    experiment: str
    since_ns: int


def conditions(filters: Filters) -> Conditions:
    """What was given of the filters, but for the text.

    Raises:
        ConfigError: a filter that makes no sense.
    """
    known: Conditions = {}
    if filters.status is not None:
        known["status"] = filters.status.upper()
        if known["status"] not in _STATUSES:
            raise ConfigError(f"--status takes {', '.join(_STATUSES)}, not {filters.status!r}")
    if filters.model is not None:
        known["model"] = filters.model
    if filters.session is not None:
        known["session"] = filters.session
    if filters.experiment is not None:
        known["experiment"] = filters.experiment
    if filters.since is not None:
        known["since_ns"] = parse_since(filters.since, datetime.now().astimezone())
    return known


def print_list(where: str | None, filters: Filters, *, as_json: bool) -> None:
    """Print the traces that match, newest first.

    Raises:
        OllamatraceError: a filter that makes no sense, or a store that cannot be read.
    """
    known = conditions(filters)
    with open_store(where) as store:
        traces = store.search(filters.text, limit=filters.limit, **known)
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
        known = found_id(store, trace_id)
        trace = store.get(known)
        if trace is None:
            raise ConfigError(_unknown(store, known))
    if as_json:
        screen.write_lines(trace.spans)
    else:
        details.print_trace(screen.standard(), trace)


def found_id(store: Store, written: str) -> str:
    """The id of the trace that is meant by it, or by as much of it as makes it unique.

    Raises:
        ConfigError: that is no id, or no trace or several have it.
    """
    prefix = written.strip().lower().removeprefix("tr-")
    if not _HEX.fullmatch(prefix):
        raise ConfigError(f"a trace id has up to 32 hex digits, not {written!r}")
    found = store.trace_ids(prefix)
    if len(found) > 1:
        raise ConfigError(_ambiguous(prefix, found))
    if not found:
        raise ConfigError(_unknown(store, prefix))
    return found[0]


@contextmanager
def open_store(where: str | None) -> Generator[Store]:
    """The store that `where` names, else the one that `locate` finds, and a note if need be."""
    location = locate(where)
    if location.note is not None:
        screen.note(f"note: {location.note}", "dim")
    store = Store(location.path)
    try:
        yield store
    finally:
        store.close()


def _unknown(store: Store, trace_id: str) -> str:
    return f"no trace {trace_id} in {store.path}; `ollamatrace ls` lists them"


def _nothing(store: Store) -> str:
    if store.trace_ids(""):
        return f"No trace in {store.path} matches."
    return f"No traces in {store.path} yet. `ollamatrace demo` makes one."


def _ambiguous(prefix: str, found: list[str]) -> str:
    more = ", and more" if len(found) > _SHOWN_IDS else ""
    return f"several traces begin with {prefix}: {', '.join(found[:_SHOWN_IDS])}{more}"
