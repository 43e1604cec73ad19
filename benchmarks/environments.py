"""Virtual environments for tracing SDKs, each one's own: they want other versions than we do."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import venv
from pathlib import Path
from typing import Final

from benchmarks.surroundings import ROOT, surroundings

HOME: Final = ROOT / ".venv-peers"
_EXPORTS: Final = ("opentelemetry-sdk", "opentelemetry-exporter-otlp-proto-http")
_CLIENTS: Final = ("openai", "ollama", "anyio", "trio")
PACKAGES: Final[dict[str, tuple[str, ...]]] = {
    "ollamatrace": (f"{ROOT}[otlp]",),
    "mlflow": ("mlflow",),
    "langfuse": ("langfuse",),
    "langsmith": ("langsmith",),
    "braintrust": ("braintrust",),
    "opik": ("opik",),
    "logfire": ("logfire",),
    "openinference": (
        "openinference-instrumentation-openai",
        "openinference-instrumentation-ollama",
        *_EXPORTS,
    ),
    "openllmetry": ("opentelemetry-instrumentation-openai", *_EXPORTS),
    # There are only versions before the first: naming one is what has pip take them.
    "opentelemetry": (
        "opentelemetry-instrumentation-openai-v2>=2.0b0",
        "opentelemetry-util-genai<1.2b0",  # of which it imports what later ones have not
        *_EXPORTS,
    ),
}
"""What is installed in each; the first one's version is told."""


def environment(name: str, home: Path = HOME) -> Path:
    """Make an environment, unless it is there; gives its interpreter.

    Args:
        name: One of `PACKAGES`.
        home: The folder of the environments.

    Raises:
        subprocess.CalledProcessError: something could not be installed; `stderr` says what.
    """
    folder = home / name
    python = folder / "bin" / "python"
    wanted = [*PACKAGES[name], *_CLIENTS]
    complete = folder / "complete"
    if complete.exists() and complete.read_text().split() == wanted:
        return python
    home.mkdir(parents=True, exist_ok=True)
    (home / ".gitignore").write_text("*\n")
    if uv := shutil.which("uv"):
        _run([uv, "venv", "-q", "--clear", str(folder)])
        _run([uv, "pip", "install", "-q", "--python", str(python), *wanted])
    else:
        venv.create(folder, with_pip=True, clear=True)
        _run([str(python), "-m", "pip", "install", "-q", *wanted])
    complete.write_text("\n".join(wanted))
    return python


def versions(python: Path, name: str) -> dict[str, str]:
    """The versions of what is judged in an environment, and of the clients."""
    code = (
        "import importlib.metadata as m, json, sys\n"
        "print(json.dumps({name: m.version(name) for name in sys.argv[1:]}))"
    )
    names = [_distribution(wanted) for wanted in (*PACKAGES[name], "openai", "ollama")]
    told = _run([str(python), "-c", code, *names], cwd=str(python.parent))
    return json.loads(told)


def _distribution(wanted: str) -> str:
    return "ollamatrace" if wanted.startswith("/") else re.split(r"[\[<>=]", wanted)[0]


def _run(command: list[str], cwd: str | None = None) -> str:
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, cwd=cwd, env=surroundings()
    )
    return done.stdout
