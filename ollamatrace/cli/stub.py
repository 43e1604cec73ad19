"""Clients of the SDKs that answer on the spot: a call takes nothing but what is around it."""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Callable
from typing import Any, Final

_NOWHERE: Final = "http://127.0.0.1:9"
_TEXT: Final = "x" * 1000
_ASKED: Final[dict[str, Any]] = {"model": "stub", "messages": [{"role": "user", "content": _TEXT}]}

Stub = tuple[Any, Callable[[Any], Any]]
"""A client, and a call of it or of its twin, with a prompt and an answer of 1 kB."""


def stub_client() -> Stub | None:
    """One of an SDK that is installed and can be used here; ``None``: there is none."""
    for name, make in (("ollama", _ollama), ("openai", _openai)):
        if importlib.util.find_spec(name) is not None:
            # Each is of another mind about what it finds in the environment.
            with contextlib.suppress(Exception):
                return make()
    return None


def _ollama() -> Stub:
    import ollama

    answer = ollama.ChatResponse(
        model="stub", message=ollama.Message(role="assistant", content=_TEXT)
    )

    class Client(ollama.Client):
        def chat(self, *_: Any, **__: Any) -> Any:
            return answer

    client = Client(_NOWHERE, trust_env=False)
    return client, lambda one: one.chat(**_ASKED)


def _openai() -> Stub:
    from openai import OpenAI
    from openai.types.chat import ChatCompletion

    answer = ChatCompletion.model_validate(
        {
            "id": "stub",
            "object": "chat.completion",
            "created": 0,
            "model": "stub",
            "choices": [
                {
                    "index": 0,
                    "finish_reason": "stop",
                    "message": {"role": "assistant", "content": _TEXT},
                }
            ],
        }
    )

    class Client(OpenAI):
        def request(self, *_: Any, **__: Any) -> Any:
            return answer

    client = Client(api_key="none", base_url=_NOWHERE)
    return client, lambda one: one.chat.completions.create(**_ASKED)
