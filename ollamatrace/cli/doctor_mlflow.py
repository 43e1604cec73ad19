"""What `ollamatrace doctor` asks an MLflow server; without a test span nothing changes there."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Final

import orjson

from ollamatrace.cli.finding import Finding, ok, problem, warning
from ollamatrace.cli.probe import sent, unreachable
from ollamatrace.destinations.mlflow.answers import Stranger
from ollamatrace.destinations.mlflow.api import Api
from ollamatrace.destinations.mlflow.channel import FORM
from ollamatrace.destinations.mlflow.infos import TRACES
from ollamatrace.destinations.mlflow.server import Place, Server
from ollamatrace.destinations.server_address import Address
from ollamatrace.errors import ConfigError
from ollamatrace.pipeline import Denied, Refused, Unavailable
from ollamatrace.settings import Access, Environment

_TIMEOUT_S: Final = 10.0
_SKEW_S: Final = 5.0
_SLOW_S: Final = 1.0
_DEFAULT: Final = "Default"
_SERVED: Final = "mlflow-artifacts:"
_NO_SPANS: Final = orjson.dumps({"resourceSpans": [{"scopeSpans": []}]})


def check_mlflow(address: str, environment: Environment, *, send: bool) -> Iterator[Finding]:
    """Look at one server, from its name to its experiment; stops at what makes the rest moot."""
    access = Access.read()
    try:
        api = Api(Address.parse(address, FORM), access, _TIMEOUT_S)
    except ConfigError as error:
        yield problem("address", str(error))
        return
    try:
        yield from _reached(api, access)
        yield from _answered(api, access, environment)
    except Unavailable as error:
        yield problem("reachable", unreachable(api.url, error))
        return
    except (Denied, Refused) as error:
        yield problem("server", str(error))
        return
    finally:
        api.close()
    if send:
        yield sent(address)
    else:
        yield ok("test_span", "no test span was sent, nothing was changed; --send sends one")


def _reached(api: Api, access: Access) -> Iterator[Finding]:
    api.greet("/version")  # the first one connects
    before = dt.datetime.now(dt.UTC)
    headers, took = api.greet("/version")
    told = f"answers in {1000 * took:.0f} ms"
    if took > _SLOW_S:
        yield warning("reachable", f"{told}, which is slow: spans wait in files meanwhile")
    else:
        yield ok("reachable", told)
    if api.url.startswith("https:"):
        if access.insecure_tls:
            yield warning("tls", "MLFLOW_TRACKING_INSECURE_TLS: the certificate is not checked")
        else:
            yield ok("tls", "the certificate is trusted")
    yield _clock(headers.get("date", ""), before + dt.timedelta(seconds=took / 2))


def _clock(date: str, here: dt.datetime) -> Finding:
    try:
        there = parsedate_to_datetime(date)
    except ValueError:
        return ok("clock", "the server does not tell the time")
    # The header has whole seconds: on average it is half a second behind.
    skew = (there.replace(tzinfo=dt.UTC) - here).total_seconds() + 0.5
    if abs(skew) <= _SKEW_S:
        return ok("clock", "its clock and this machine's agree")
    way = "ahead of" if skew > 0 else "behind"
    return warning(
        "clock",
        f"its clock is {abs(skew):.0f} s {way} this machine's: spans of several machines do not "
        "line up; have both set by NTP",
    )


def _answered(api: Api, access: Access, environment: Environment) -> Iterator[Finding]:
    by_id = environment.experiment_id if environment.experiment is None else None
    name = environment.experiment or _DEFAULT
    place = Server(api, name, by_id).find()  # raises what is wrong with the server
    yield ok("version", _version(api))
    if access.workspace is not None:
        yield ok("workspace", f"the workspace {access.workspace!r} is there")
    if place is None:
        yield ok("experiment", f"there is no experiment {name!r} yet: the first trace makes it")
        yield ok("write", "whether traces may be written there is not known before: try --send")
        return
    yield ok("experiment", f"the experiment {name if by_id is None else '#' + by_id!r} is there")
    yield from _allowed(api, place)
    if place.artifacts.startswith(_SERVED):
        yield ok("images", "images are uploaded as attachments")
    else:
        yield warning(
            "images",
            f"images stay in the spans, which makes them large: the experiment keeps its files in "
            f"{place.artifacts or 'no place that is told'}; start the server with "
            "--serve-artifacts and use a new experiment",
        )


def _version(api: Api) -> str:
    try:
        return f"MLflow {api.text('/version').strip()[:40]}"
    except (Stranger, Refused):
        return "it is an MLflow server that does not tell its version"


def _allowed(api: Api, place: Place) -> Iterator[Finding]:
    where = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": place.id}}
    try:
        api.post(f"{TRACES}/search", {"locations": [where], "max_results": 1})
    except (Denied, Refused) as error:
        yield problem("read", f"traces cannot be read: {error}")
    else:
        yield ok("read", "traces may be read")
    try:
        api.spans(_NO_SPANS, place.id)  # the permission is looked at, and nothing is stored
    except Refused as error:
        yield ok("write", f"the server does not say whether traces may be written ({error})")
    except Denied as error:
        yield problem("write", f"traces cannot be written: {error}")
    else:
        yield ok("write", "traces may be written")
