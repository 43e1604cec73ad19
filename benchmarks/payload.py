"""What is asked and answered: requests and answers of a given size."""

from __future__ import annotations

import re
from typing import Any, Final

MODEL: Final = "llama3.2:1b"
CALL: Final = re.compile(r"call-(\d{8})")
"""How a call is known again by what is said in it."""
_SENTENCE: Final = "Light of short waves is scattered more than light of long ones. "


def text(size: int) -> str:
    """English of `size` characters."""
    return (_SENTENCE * (size // len(_SENTENCE) + 1))[:size]


def question(content: str = "What is the capital of France?") -> dict[str, Any]:
    """The arguments of a small chat."""
    return {
        "model": MODEL,
        "messages": [{"role": "user", "content": content}],
        "temperature": 0.1,
    }


def asked(number: int) -> str:
    """What the program says in a call of 1 kB, of which its `number` is a part."""
    return f"(call-{number:08}) Why is the sky blue? {text(450)}"


def said(number: str) -> str:
    """What the model says to that."""
    return f"(answer to call-{number}) {text(450)}"


def conversation(messages: int, size: int) -> dict[str, Any]:
    """The arguments of a chat with so many messages, of `size` characters each."""
    roles = ("user", "assistant")
    said = [
        {"role": roles[number % 2], "content": f"{number}: {text(size)}"[:size]}
        for number in range(messages)
    ]
    return {"model": MODEL, "messages": said, "temperature": 0.1}


def picture(size: int) -> dict[str, Any]:
    """The arguments of a chat with an image of `size` bytes, encoded in base64."""
    url = "data:image/png;base64," + "iVBORw0K" * (size // 6)
    parts = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": url}},
    ]
    return {"model": MODEL, "messages": [{"role": "user", "content": parts}]}


def answer(content: str = "The capital of France is Paris.", number: str = "") -> dict[str, Any]:
    """What the server says; `number` makes its id another."""
    return {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": 1,
        "model": MODEL,
        "system_fingerprint": "fp_ollama",
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": content},
            }
        ],
        "usage": {"prompt_tokens": 20, "completion_tokens": 8, "total_tokens": 28},
    }


def chunk(content: str = " blue") -> dict[str, Any]:
    """A piece of a stream."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": MODEL,
        "choices": [{"index": 0, "delta": {"content": content}, "finish_reason": None}],
    }
