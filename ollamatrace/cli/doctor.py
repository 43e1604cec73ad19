"""`ollamatrace doctor`: what is wrong between programs and their traces, and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

import orjson
from rich.text import Text

from ollamatrace.cli import screen
from ollamatrace.cli.doctor_cost import check_cost
from ollamatrace.cli.doctor_local import (
    check_accounts,
    check_environment,
    check_spool,
    check_store,
)
from ollamatrace.cli.doctor_mlflow import check_mlflow
from ollamatrace.cli.doctor_otlp import check_otlp
from ollamatrace.cli.finding import STYLE, Finding, problem
from ollamatrace.cli.location import locate
from ollamatrace.destinations import SQLITE, open_destination
from ollamatrace.errors import ConfigError
from ollamatrace.records import utf8
from ollamatrace.records.view import figures, safe
from ollamatrace.release import release
from ollamatrace.settings import Delivery, Environment, default_spool, without_credentials

Section = tuple[str, Iterator[Finding]]


def doctor(store: str | None, server: str | None, *, send: bool, as_json: bool) -> int:
    """Look at everything; the result is the exit code: 1 if something is wrong.

    Raises:
        ConfigError: an option that cannot work.
    """
    environment = Environment.read()
    screen.keep_warnings()
    found: list[tuple[str, Finding]] = []
    for title, findings in _sections(store, server, environment, send=send):
        if not as_json:
            screen.standard().print(Text(safe.one_line(title), style="bold"), soft_wrap=True)
        for one in findings:
            found.append((title, one))
            if not as_json:
                _print(one)
    wrong = sum(1 for _, one in found if one.level == "problem")
    if as_json:
        screen.write_json(
            orjson.dumps(
                {
                    "version": release(),
                    "ok": not wrong,
                    # A name of a file need not be UTF-8.
                    "findings": [
                        {"section": utf8(title), **asdict(one), "text": utf8(one.text)}
                        for title, one in found
                    ],
                }
            )
        )
    else:
        warnings = sum(1 for _, one in found if one.level == "warning")
        style = "problem" if wrong else "warning" if warnings else "ok"
        text = "All is well."
        if wrong or warnings:
            text = f"{figures.counted(wrong, 'problem')}, {figures.counted(warnings, 'warning')}"
        screen.standard().print(Text(text, style=STYLE[style]))
    return int(bool(wrong))


def _sections(
    store: str | None, server: str | None, environment: Environment, *, send: bool
) -> Iterator[Section]:
    yield "environment", check_environment(environment)
    address = server if server is not None or store is not None else environment.server
    if address is not None and not address.startswith(SQLITE):
        title = without_credentials(address)
        yield title, _check_server(address, environment, send=send)
    try:
        if store is not None or address is None or address.startswith(SQLITE):
            path = locate(store or address).path
            yield str(path), check_store(path)
        folder = default_spool()
    except ConfigError as error:
        yield "data folder", iter([problem("data_folder", str(error))])
    else:
        yield f"spool {folder}", check_spool(folder)
        yield "programs that ended in the last 7 days", check_accounts(folder)
    yield "what tracing costs", check_cost()


def _check_server(address: str, environment: Environment, *, send: bool) -> Iterator[Finding]:
    if address.lower().startswith(("http://", "https://")):
        yield from check_mlflow(address, environment, send=send)
        return
    if address.lower().startswith(("otlp:", "otlp+http")):
        yield from check_otlp(address, environment, send=send)
        return
    try:
        open_destination(address, experiment=None, experiment_id=None, delivery=Delivery())
    except ConfigError as error:
        yield problem("address", str(error))


def _print(one: Finding) -> None:
    line = Text("  ")
    line.append(f"{one.level:<8}", style=STYLE[one.level])
    line.append(safe.one_line(one.text))
    screen.standard().print(line, soft_wrap=True)
