"""The four bare clients, and how each is asked, read and closed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import ollama
import openai

MESSAGES: Final = ({"role": "user", "content": "Count to three."},)


@dataclass(frozen=True)
class Column:
    """One kind of client."""

    name: str
    make: Callable[..., Any]
    openai: bool
    is_async: bool

    def bare(self, url: str, timeout: float = 20) -> Any:
        """A client of that server."""
        if not self.openai:
            return self.make(host=url, timeout=timeout, verify=False)
        http = openai.DefaultAsyncHttpxClient if self.is_async else openai.DefaultHttpxClient
        return self.make(
            base_url=f"{url}/v1",
            api_key="none",
            max_retries=0,
            timeout=timeout,
            # No TLS here, and to load certificates takes 30 ms.
            http_client=http(verify=False),
        )

    def ask(self, client: Any, model: str, *, stream: bool) -> Any:
        """Call it: the answer or the stream, or what is to be awaited for it."""
        ask = client.chat.completions.create if self.openai else client.chat
        return ask(model=model, messages=list(MESSAGES), stream=stream)

    def text(self, answer: Any) -> str:
        """The text of an answer, or of a piece of one."""
        if not self.openai:
            return answer.message.content or ""
        choice = answer.choices[0]
        message = choice.message if hasattr(choice, "message") else choice.delta
        return message.content or ""

    def block(self, stream: Any) -> Any:
        """What goes after ``with`` to close the stream at the end of the block."""
        if self.openai:
            return stream
        return contextlib.aclosing(stream) if self.is_async else contextlib.closing(stream)

    def close(self, stream: Any) -> Any:
        """Close the stream, or give what is to be awaited for it."""
        return stream.close() if self.openai or not self.is_async else stream.aclose()


COLUMNS: Final = (
    Column("openai", openai.OpenAI, openai=True, is_async=False),
    Column("openai async", openai.AsyncOpenAI, openai=True, is_async=True),
    Column("ollama", ollama.Client, openai=False, is_async=False),
    Column("ollama async", ollama.AsyncClient, openai=False, is_async=True),
)
