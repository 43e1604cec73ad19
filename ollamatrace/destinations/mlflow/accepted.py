"""What the server accepts: one attribute that it does not costs the whole batch.

The limits are those of MLflow 3.17 and 3.18. Attributes that a program sets itself may have any
name and value; some names mean something to the server, which then fails on the wrong kind of
value (422), or on a text that is too long (400).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from ollamatrace.records.shapes import is_dict

MAX_SESSION: Final = 250
"""Characters of the id of a session."""
MAX_KEY: Final = 250
"""Characters of the name of a tag or of metadata."""
MAX_NAME: Final = 4096
"""Characters of the name of a trace."""
TAG: Final = "mlflow.traceTag."
"""What the attributes begin with that become tags of the trace."""
NAME_TAG: Final = "mlflow.traceName"
# Tags by which the server finds the spans: another value makes a trace unreadable.
_RESERVED: Final = frozenset(
    {
        "mlflow.artifactLocation",
        "mlflow.trace.archivalFailure",
        "mlflow.trace.archiveLocation",
        "mlflow.trace.spansLocation",
    }
)


def is_tag(key: str) -> bool:
    """Whether a trace may have a tag of this name."""
    return 0 < len(key) <= MAX_KEY and key not in _RESERVED


def is_accepted(name: str, value: Any) -> bool:
    """Whether the server takes an attribute of a program's own under this name."""
    if name.startswith(TAG):
        tag = name.removeprefix(TAG)
        return is_tag(tag) and (tag != NAME_TAG or _is_text(value, MAX_NAME))
    check = _CHECKS.get(name)
    return check is None or check(value)


def _is_session(value: Any) -> bool:
    return _is_text(value, MAX_SESSION)


def _is_kind(value: Any) -> bool:
    return isinstance(value, str)


def _is_text(value: Any, limit: int) -> bool:
    return isinstance(value, str) and len(value) <= limit


def _are_numbers(value: Any) -> bool:
    return is_dict(value) and all(isinstance(number, int | float) for number in value.values())


_CHECKS: Final[Mapping[str, Callable[[Any], bool]]] = {
    "gen_ai.conversation.id": _is_session,
    "gen_ai.operation.name": _is_kind,
    "mlflow.chat.tokenUsage": _are_numbers,
    "mlflow.llm.cost": _are_numbers,
    "openinference.span.kind": _is_kind,
    "session.id": _is_session,
    "traceloop.span.kind": _is_kind,
}
