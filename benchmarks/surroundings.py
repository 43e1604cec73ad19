"""The environment variables of a process that is measured: no settings but those it is given."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
_CHANGE: Final = (
    "BRAINTRUST_", "LANGCHAIN_", "LANGFUSE_", "LANGSMITH_", "LOGFIRE_", "MLFLOW_", "OLLAMA",
    "OPENAI_", "OPIK_", "OTEL_", "PYTHON", "TRACELOOP_", "XDG_",
)  # fmt: skip


def surroundings(home: Path | str | None = None, **more: str) -> dict[str, str]:
    """The variables of this process without those that would make it another measurement.

    Args:
        home: Where the process keeps its files, if not where it usually does.
        more: Variables that are added.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_CHANGE)}
    if home is not None:
        kept |= {"HOME": str(home), "XDG_DATA_HOME": str(home)}
    return {**kept, "PYTHONPATH": str(ROOT), "DO_NOT_TRACK": "true", **more}
