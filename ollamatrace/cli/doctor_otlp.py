"""What `ollamatrace doctor` asks an OTLP server; without a test span nothing changes there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from ollamatrace.cli.finding import Finding, ok, problem, warning
from ollamatrace.cli.probe import sent, unreachable
from ollamatrace.destinations.otlp import OtlpChannel, TakesNone
from ollamatrace.errors import ConfigError
from ollamatrace.pipeline import Denied, Refused, Unavailable
from ollamatrace.settings import Delivery, Environment, Otlp, variables

_TIMEOUT_S: Final = 10.0
_DEFAULT: Final = "Default"


def check_otlp(address: str, environment: Environment, *, send: bool) -> Iterator[Finding]:
    """Look at one server: whether it takes spans, and metrics, by requests that bring none."""
    if names := variables(are_of_otlp=True):
        yield ok("otlp_variables", f"set: {', '.join(names)}")
    name = environment.experiment or _DEFAULT
    try:
        channel = OtlpChannel(address, name, Delivery(timeout_s=_TIMEOUT_S), Otlp.read())
    except ConfigError as error:
        yield problem("address", str(error))
        return
    try:
        found = _asked(channel.check, channel.address)
        yield found or ok("write", f"spans are taken at {channel.address}")
        if channel.metrics_url is not None and found is None:
            yield _metrics(channel, channel.metrics_url)
    finally:
        channel.close()
    if found is not None:
        return
    if send:
        yield sent(address)
    else:
        yield ok("test_span", "no test span was sent, nothing was changed; --send sends one")


def _asked(check: Callable[[], None], url: str) -> Finding | None:
    """What is wrong, if anything is."""
    try:
        check()
    except Unavailable as error:
        return problem("reachable", unreachable(url, error))
    except Denied as error:
        return problem("server", str(error))
    except Refused as error:
        return problem("write", f"spans are not taken: {error}")
    return None


def _metrics(channel: OtlpChannel, url: str) -> Finding:
    try:
        channel.check_metrics()
    except TakesNone as error:
        return ok("metrics", f"{error}; only spans go there")
    except (Denied, Refused) as error:
        return warning("metrics", f"metrics are not taken: {error}")
    except Unavailable as error:
        return warning("metrics", f"metrics do not arrive: {unreachable(url, error)}")
    return ok("metrics", f"metrics are taken at {url}")
