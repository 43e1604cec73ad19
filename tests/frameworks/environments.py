"""An environment of its own for each framework, made once by uv and kept."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.frameworks.table import Framework

ROOT: Final = Path(__file__).parents[2]
HOME: Final = ROOT / ".venv-frameworks"

_LEFT_OUT: Final = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
_FOREIGN: Final = ("OTEL_", "MLFLOW_", "OPENAI_", "OLLAMA", "PYTHON", "LANGCHAIN_", "LANGSMITH_")
_QUIET: Final = {
    "HAYSTACK_TELEMETRY_ENABLED": "False",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # else it fetches one when it is imported
    "LITELLM_MODE": "PRODUCTION",  # else it reads an .env file
    "LANGSMITH_TRACING": "false",
    "OPENAI_AGENTS_DISABLE_TRACING": "false",
    "TQDM_DISABLE": "1",
}


def python_of(framework: Framework) -> Path:
    """The interpreter that has the framework, made if need be.

    Raises:
        CalledProcessError: it could not be installed.
    """
    folder = _folder(framework)
    python, complete = folder / "bin" / "python", folder / "complete"
    wanted = "\n".join(framework.packages)
    if not complete.exists() or complete.read_text() != wanted:
        HOME.mkdir(exist_ok=True)
        _uv("venv", "--clear", "--python", sys.executable, str(folder))
        # Of ours only what it needs: the package itself is the one in this folder.
        ours = ("-r", str(ROOT / "pyproject.toml"))
        _uv("pip", "install", "--python", str(python), *ours, *framework.packages)
        complete.write_text(wanted)
    return python


def forget(framework: Framework) -> None:
    """Have it made anew: there may be newer versions by now."""
    (_folder(framework) / "complete").unlink(missing_ok=True)


def _folder(framework: Framework) -> Path:
    return HOME / (framework.kept_in or framework.name)


def run(framework: Framework, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a module of this folder there, with nothing of this environment's settings."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_FOREIGN) and name.upper() not in _LEFT_OUT
    }
    return subprocess.run(
        [python_of(framework), "-m", *arguments],
        cwd=ROOT,
        env={**kept, **_QUIET, "PYTHONPATH": str(ROOT), "OLLAMATRACE_STRICT": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )


def _uv(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "uv", *arguments, "-q"], check=True, cwd=ROOT)
