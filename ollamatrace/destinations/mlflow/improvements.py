"""Where a trace of ours differs from autolog's for the same call, and why: on purpose, always.

By the name of an attribute, of an event, of a field of the trace info, or of a field inside inputs
and outputs; a ``*`` stands for the rest of a name. The test against traces that autolog made reads
this: what is not here must be the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

IMPROVEMENTS: Final[Mapping[str, str]] = {
    "ollamatrace.*": "what MLflow has no name for: how the call ended, its timing, warnings",
    "ollama.*": "Ollama's own fields: durations, counts",
    "gen_ai.*": "the same facts under their standard names, for searches",
    "mlflow.traceOutputs": "the beginning of outputs, which are compared themselves",
    "mlflow.llm.provider": "the server derives it from gen_ai.provider.name: who answered",
    "server.*": "where the model's server is",
    "session.id": "the session on every span, so that it is there without the trace info",
    "user.id": "the same for the user",
    "mlflow.traceTag.*": "tags and name of the trace, so that they are there without its info",
    "extra_headers": "may hold secrets; autolog records them",
    "finish_reason": "as the server said: autolog says `stop` of an abandoned stream",
}
"""What may differ in every trace."""

_OF_ERROR: Final[Mapping[str, str]] = {
    "mlflow.spanOutputs": "what was received before the error is kept",
    "response_preview": "the same, as the preview",
}
_OF_COUNTS: Final[Mapping[str, str]] = {
    "mlflow.chat.tokenUsage": "autolog counts only chat completions and responses",
    "mlflow.trace.tokenUsage": "the same, for the trace",
    "mlflow.llm.cost": "the server derives the cost from the tokens",
    "mlflow.trace.cost": "the same, for the trace",
}


def improvements(kind: str, *, failed: bool) -> Mapping[str, str]:
    """What may differ in the trace of one call.

    Args:
        kind: Of its span, as ``mlflow.spanType`` has it.
        failed: Whether it raised.
    """
    of_kind = _OF_COUNTS if kind in {"LLM", "EMBEDDING"} else {}
    return {**IMPROVEMENTS, **of_kind, **(_OF_ERROR if failed else {})}
