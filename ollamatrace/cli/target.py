"""What the demo talks to: a running Ollama, a model in this process, or a recording."""

from __future__ import annotations

import importlib.util
import json
from contextlib import contextmanager
from importlib.resources import files
from typing import TYPE_CHECKING, Any, NamedTuple

from ollamatrace.cli import model as local
from ollamatrace.cli.ollama_server import OllamaServer, ollama_url
from ollamatrace.cli.replay import ReplayServer
from ollamatrace.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from ollamatrace import Tracer
    from ollamatrace.cli.calls import Calls


class Target(NamedTuple):
    """Which of the three it is and why, and what makes the calls."""

    why: str
    connect: Callable[[Tracer], Calls]


@contextmanager
def choose(model: str | None, *, recorded: bool) -> Generator[Target]:
    """Take the first of the three that is there, and keep it running.

    Args:
        model: The model to use, of a running Ollama.
        recorded: Look for neither of the first two.

    Raises:
        ConfigError: `model` is not to be had, or a package is missing.
    """
    if recorded:
        with _recording("As asked for") as target:
            yield target
        return
    url = ollama_url()
    ollama = OllamaServer.find(url)
    talking = ollama.chat_model(model) if ollama else None
    if ollama and talking:
        yield _running(ollama, talking)
        return
    if model is not None:
        raise ConfigError(f"--model {model} wants a running Ollama, and none answers at {url}")
    missing = f"Ollama at {url} has no model to talk to" if ollama else f"No Ollama at {url}"
    try:
        small = local.LocalModel.start()
        failed = f"no local model installed ({local.INSTALL})"
    except RuntimeError as error:
        small, failed = None, f"the local model does not start ({error})"
    if small is None:
        with _recording(f"{missing} and {failed}") as target:
            yield target
        return
    with small:
        yield _in_process(missing, small)


def _running(ollama: OllamaServer, talking: str) -> Target:
    def connect(tracer: Tracer) -> Calls:
        require("ollama")
        from ollamatrace.cli.ollama_calls import Models, OllamaCalls

        thinking = talking if ollama.can_think(talking) else None
        models = Models(talking, ollama.embedding_model(talking), thinking)
        return OllamaCalls(tracer, ollama.url, models, recorded=False)

    why = f"Ollama {ollama.version} is running at {ollama.url}: asking its model {talking}"
    return Target(why, connect)


def _in_process(missing: str, small: local.LocalModel) -> Target:
    def connect(tracer: Tracer) -> Calls:
        require("openai")
        from ollamatrace.cli.openai_calls import OpenAICalls

        return OpenAICalls(tracer, small.url, small.model)

    return Target(f"{missing}: asking {small.model} in this process (llama.cpp)", connect)


@contextmanager
def _recording(reason: str) -> Generator[Target]:
    recording = read_recording()
    with ReplayServer(recording["exchanges"]) as server:

        def connect(tracer: Tracer) -> Calls:
            require("ollama")
            from ollamatrace.cli.ollama_calls import Models, OllamaCalls

            models = Models(
                recording["model"], recording["embedding_model"], recording["thinking_model"]
            )
            return OllamaCalls(tracer, server.url, models, recorded=True)

        why = f"{reason}: playing back recorded exchanges of a real {recording['server']}"
        yield Target(why, connect)


def read_recording() -> dict[str, Any]:
    """The exchanges that come with the package, and which server they are of."""
    text = (files("ollamatrace.cli") / "data" / "exchanges.json").read_text("utf-8")
    recording: dict[str, Any] = json.loads(text)
    return recording


def require(package: str) -> None:
    """Check that a client is installed before it is imported.

    Raises:
        ConfigError: it is not.
    """
    if importlib.util.find_spec(package) is None:
        raise ConfigError(f"the demo needs the package {package}: pip install 'ollamatrace[demo]'")
