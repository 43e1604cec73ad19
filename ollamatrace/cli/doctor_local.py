"""What `ollamatrace doctor` looks at on this machine: environment, store, spool, accounts."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from ollamatrace.cli.doctor_lag import check_lag
from ollamatrace.cli.finding import Finding, ok, problem, warning
from ollamatrace.errors import ConfigError, StoreError
from ollamatrace.records.shapes import as_dict
from ollamatrace.records.view import figures
from ollamatrace.records.view.figures import counted
from ollamatrace.release import release
from ollamatrace.settings import Environment, variables
from ollamatrace.spool import accounts
from ollamatrace.spool.waiting import Waiting, look
from ollamatrace.store.condition import examine, is_current

_LIBRARIES: Final = ("openai", "ollama", "httpx")
_PATCHERS: Final = ("gevent", "eventlet")
_LITTLE: Final = 1_000_000_000
_NONE: Final = 50_000_000
_OTHERS: Final = 0o077
_DAY_S: Final = 86_400
_DAYS: Final = 7
_NS: Final = 1_000_000_000


def check_environment(environment: Environment) -> Iterator[Finding]:
    """Versions, and what the environment says."""
    known = ", ".join(f"{name} {_version(name)}" for name in _LIBRARIES)
    python = f"{platform.python_implementation()} {platform.python_version()}"
    yield ok("versions", f"ollamatrace {release()}, {python}, {known}")
    names = variables()
    yield ok("variables", f"set: {', '.join(names)}" if names else "no variable is set")
    if environment.disabled:
        yield warning("disabled", "OLLAMATRACE_DISABLED is set: programs record nothing; unset it")
    if environment.warning is not None:
        yield warning("variables", environment.warning)
    for name in _PATCHERS:
        if importlib.util.find_spec(name) is not None:
            yield ok("patchers", f"{name} is installed: programs that it patches are not supported")


def check_store(path: Path) -> Iterator[Finding]:
    """The embedded store in one file."""
    if path.is_dir():
        yield problem("store", f"it is a folder; name a file in it, such as {path}/traces.db")
        return
    try:
        found = examine(path)
    except (ConfigError, StoreError) as error:
        yield problem("store", str(error))
        return
    if not found.journal:
        yield ok("store", "there is no file yet: the first trace makes it")
    else:
        yield ok(
            "store",
            f"{counted(found.traces, 'trace')}, {counted(found.spans, 'span')}, "
            f"{figures.size(found.size)}, "
            f"schema {found.schema}, journal mode {found.journal}",
        )
        if not is_current(found.schema):
            yield ok("schema", "an older version wrote it: it is migrated when it is written next")
        if found.journal != "wal":
            yield warning(
                "journal",
                f"in the journal mode {found.journal}, readers and writers wait for each other: "
                "put it on a local disk",
            )
        if os.name == "posix" and found.mode & _OTHERS:
            yield warning("permissions", f"others on this machine may read it: chmod 600 {path}")
    if found.unwritable is None:
        yield ok("writable", "it can be written")
    else:
        yield problem("writable", f"it cannot be written: {found.unwritable}")
    yield _disk(found.free)


def check_spool(folder: Path) -> Iterator[Finding]:
    """What waits in files, for every destination, and whether more can be written."""
    yield from _room(folder)
    found = look(folder)
    if not found:
        yield ok("spool", f"nothing waits in {folder}")
    for one in found:
        yield from _waiting(one)


def _room(folder: Path) -> Iterator[Finding]:
    there = next(one for one in (folder, *folder.parents) if os.access(one, os.F_OK))
    places = [there]
    if there == folder and _is_usable(folder):
        places += [one for one in folder.iterdir() if one.is_dir()]
    for one in places:
        if not _is_usable(one):
            yield warning(
                "spool_writable",
                f"{one} is no folder that this user may read and write: what a server has not "
                "taken waits in memory only, and is lost with the program",
            )
    if (free := shutil.disk_usage(there).free) < _LITTLE:
        yield _disk(free)


def _is_usable(folder: Path) -> bool:
    return folder.is_dir() and os.access(folder, os.R_OK | os.W_OK | os.X_OK)


def check_accounts(folder: Path) -> Iterator[Finding]:
    """What programs of the last days that have ended say about their spans."""
    sums: dict[str, Counter[str]] = {}
    reasons: dict[str, Counter[str]] = {}
    known: dict[str, list[dict[str, Any]]] = {}
    for account in accounts.read(folder, time.time() - _DAYS * _DAY_S):
        url = str(account["url"])
        adopted = as_dict(account.get("adopted"))
        total, why = sums.setdefault(url, Counter()), reasons.setdefault(url, Counter())
        for name in ("accepted", "delivered", "spooled", "dropped", "sampled_out"):
            total[name] += _count(account.get(name))
        total["adopted"] += _count(adopted.get("delivered"))
        for lost in (as_dict(account.get("reasons")), as_dict(adopted.get("dropped"))):
            why.update({reason: _count(number) for reason, number in lost.items()})
        known.setdefault(url, []).append(account)
    if not sums:
        yield ok("account", "none of them has sent spans to a server")
    for url in sorted(sums):
        yield _account(url, sums[url], reasons[url])
        yield from check_lag(url, known[url])


def _account(url: str, total: Counter[str], why: Counter[str]) -> Finding:
    share = f" ({total['delivered'] / total['accepted']:.1%})" if total["accepted"] else ""
    text = (
        f"{url}: {counted(total['accepted'], 'span')} of ended programs, {total['delivered']:,} "
        f"delivered{share}, {total['spooled']:,} left in files; {total['adopted']:,} "
        "delivered from files later"
    )
    if total["sampled_out"]:
        text += f"; {counted(total['sampled_out'], 'span')} left out, by sampling or a caller"
    lost = ", ".join(f"{count:,} {reason}" for reason, count in why.most_common() if count)
    return warning("account", f"{text}; lost: {lost}") if lost else ok("account", text)


def _waiting(one: Waiting) -> Iterator[Finding]:
    name = f"{one.url} {one.experiment}" if one.url else one.folder.name
    if one.spans:
        age_ns = round(max(time.time() - (one.since or 0.0), 0.0) * _NS)
        yield warning(
            "waiting",
            f"{name}: {counted(one.spans, 'span')} ({figures.size(one.size)}) waiting, "
            f"the oldest for {figures.duration(age_ns)}: send them with `ollamatrace forward`",
        )
    if one.held:
        yield ok("held", f"{name}: {counted(one.held, 'span')} held by a running program")
    if one.rejected:
        yield warning(
            "rejected",
            f"{name}: {counted(one.rejected, 'span')} refused for good, now in "
            f"{one.folder / 'rejected.jsonl'}; the last because: {one.reason}",
        )
    if not (one.spans or one.held or one.rejected):
        yield ok("spool", f"{name}: nothing waits")


def _disk(free: int) -> Finding:
    text = f"{free / 1e9:,.1f} GB are free on its disk"
    if free < _NONE:
        return problem("disk", f"{text}: make room, or spans are lost")
    return warning("disk", f"{text}: make room") if free < _LITTLE else ok("disk", text)


def _count(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "is not installed"
