"""What `prune` and `rm` do: delete traces, and give the disk its space back."""

from __future__ import annotations

import contextlib
import math
import re
import sys
import time
from typing import TYPE_CHECKING, Final

import orjson
import typer

from ollamatrace.cli import screen
from ollamatrace.cli.commands import found_id, open_store
from ollamatrace.errors import ConfigError
from ollamatrace.records.view import figures
from ollamatrace.settings import MIN_STORE_BYTES, Delivery
from ollamatrace.store.estimate import Estimate, estimate
from ollamatrace.store.maintenance import Maintenance
from ollamatrace.store.retention import Limits

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_AGE: Final = re.compile(r"(\d{1,6})\s*([smhdw])")
_UNIT_S: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_SIZE: Final = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)\s*([kmgt]?)(i?)b?")
_POWER: Final = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


def prune(
    where: str | None,
    *,
    older_than: str | None,
    max_size: str | None,
    keep: int | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Delete the traces that are too old or too many, oldest first.

    Raises:
        OllamatraceError: an option that makes no sense, or a store that cannot be written.
    """
    limits = _limits(older_than, max_size, keep)
    with open_store(where) as store:
        if not store.trace_ids("", limit=1):
            _say(Estimate(0, 0), store.path, 0, dry_run=dry_run, as_json=as_json)
            return
        if dry_run:
            found = estimate(store.path, limits, keep)
            size = store.path.stat().st_size
            _say(found, store.path, size, dry_run=True, as_json=as_json)
            return
        with contextlib.closing(Maintenance(store.path)) as maintenance:
            if keep is not None:
                limits = limits._replace(after=max(limits.after, maintenance.newest(keep)))
            steps = maintenance.keep_within(limits)
            _delete(maintenance, steps, store.path, as_json=as_json)


def remove(
    where: str | None, trace_ids: list[str], *, session: str | None, everything: bool, yes: bool
) -> None:
    """Delete the traces that were named, or none if one of the names is wrong.

    Raises:
        OllamatraceError: an id that no trace or several have, or a store that cannot be written.
    """
    if bool(trace_ids) + (session is not None) + everything != 1:
        raise ConfigError("name traces, or --session ID, or --all; `ollamatrace ls` lists them")
    with open_store(where) as store:
        if trace_ids:
            chosen = list(dict.fromkeys(found_id(store, one) for one in trace_ids))
        else:
            chosen = store.session_ids(session)
            if not chosen:
                of = "" if session is None else f" of the session {session}"
                raise ConfigError(f"no traces{of} in {store.path}")
            if not yes:
                _confirm(len(chosen), store.path)
        with contextlib.closing(Maintenance(store.path)) as maintenance:
            _delete(maintenance, maintenance.delete(chosen), store.path, as_json=False)


def _limits(older_than: str | None, max_size: str | None, keep: int | None) -> Limits:
    if keep is not None and keep < 1:
        raise ConfigError(f"--keep takes 1 or more, not {keep}; `ollamatrace rm --all` deletes all")
    defaults = Delivery()
    age_s, max_bytes = math.inf, math.inf
    if older_than is None and max_size is None and keep is None:
        age_s, max_bytes = defaults.store_max_age_s, defaults.store_max_bytes
    if older_than is not None:
        age_s = _age(older_than)
    if max_size is not None:
        max_bytes = _size(max_size)
    return Limits(max_bytes, (int(max(0.0, time.time() - age_s) * 1e9), 0))


def _age(text: str) -> int:
    match = _AGE.fullmatch(text.strip().lower())
    if match is None or not int(match[1]):
        raise ConfigError(f"--older-than takes 12h, 30d or 8w, not {text!r}")
    return int(match[1]) * _UNIT_S[match[2]]


def _size(text: str) -> int:
    match = _SIZE.fullmatch(text.strip().lower())
    if match is None:
        raise ConfigError(f"--max-size takes 500MB, 2GB or 1.5GiB, not {text!r}")
    unit: int = (1024 if match[3] else 1000) ** _POWER[match[2]]
    size = round(float(match[1]) * unit)
    if size < MIN_STORE_BYTES:
        raise ConfigError(f"--max-size takes 2MB or more, not {text!r}; see `ollamatrace rm --all`")
    return size


def _confirm(count: int, path: Path) -> None:
    if not sys.stdin.isatty():
        raise ConfigError(f"add --yes to delete {_traces(count)} from {path}")
    if not typer.confirm(f"Delete {_traces(count)} from {path}?", err=True):
        raise ConfigError("nothing was deleted")


def _delete(maintenance: Maintenance, steps: Iterable[int], path: Path, *, as_json: bool) -> None:
    before = maintenance.file_bytes
    traces = 0
    with screen.notes().status("deleting …") as status:
        for step in steps:
            traces += step
            status.update(f"deleting … {_traces(traces)}")
        status.update(f"{_traces(traces)} deleted; giving disk space back …")
        maintenance.compact()
    size = maintenance.file_bytes
    done = Estimate(traces, max(0, before - size))
    _say(done, path, size, dry_run=False, as_json=as_json)


def _say(done: Estimate, path: Path, size: int, *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        fields = {**done._asdict(), "size_bytes": size, "dry_run": dry_run}
        sys.stdout.write(orjson.dumps(fields).decode() + "\n")
        return
    freed, whole = figures.size(done.freed_bytes), figures.size(size)
    text = f"Deleted {_traces(done.traces)}; {freed} given back. {path}: {whole}."
    if dry_run:
        text = f"Would delete {_traces(done.traces)}, about {freed}, of {path} ({whole})."
    screen.standard().print(text, soft_wrap=True)


def _traces(count: int) -> str:
    return "1 trace" if count == 1 else f"{count:,} traces"
