"""The endpoints that are traced: one table for each SDK."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from ollamatrace.clients.answers import (
    Answer,
    ChatAnswer,
    CompletionAnswer,
    EmbeddingAnswer,
    OllamaAnswer,
    OtherAnswer,
    ProgressAnswer,
    ResponsesAnswer,
    RetrievedAnswer,
)


@dataclass(frozen=True, slots=True, eq=False)
class Endpoint:
    """Something that a client can be asked for.

    Attributes:
        name: What its spans are called; of an asynchronous client with ``Async`` in front.
        kind: The kind of its spans.
        answer: How its answers are read.
        methods: The methods that ask for it, with the way to them from the client. Those which an
            SDK does not have are passed over.
        paths: The addresses under which OpenAI's client posts it, ``{}`` for an id. What comes
            here without one of the methods (``beta``, a helper, ``client.post``) is traced, too.
        counts_on_request: Whether its streams have token counts only if they are asked for.
    """

    name: str
    kind: str
    answer: Answer
    methods: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    counts_on_request: bool = False


_OTHER: Final = OtherAnswer()
_OLLAMA: Final = OllamaAnswer()
_PROGRESS: Final = ProgressAnswer()

OPENAI: Final = (
    Endpoint(
        "Completions",
        "CHAT_MODEL",
        ChatAnswer(),
        methods=("chat.completions.create", "chat.completions.parse"),
        paths=("/chat/completions",),
        counts_on_request=True,
    ),
    Endpoint(
        "Completions",
        "LLM",
        CompletionAnswer(),
        methods=("completions.create",),
        paths=("/completions",),
        counts_on_request=True,
    ),
    Endpoint(
        "Embeddings",
        "EMBEDDING",
        EmbeddingAnswer(),
        methods=("embeddings.create",),
        paths=("/embeddings",),
    ),
    Endpoint(
        "Responses",
        "CHAT_MODEL",
        ResponsesAnswer(),
        methods=("responses.create", "responses.parse"),
        paths=("/responses",),
    ),
    # A background response is picked up, or gone on with, by its id.
    Endpoint("Responses", "TASK", RetrievedAnswer(), methods=("responses.retrieve",)),
    Endpoint("Responses", "LLM", ResponsesAnswer(), paths=("/responses/compact",)),
    Endpoint(
        "Images",
        "LLM",
        _OTHER,
        paths=("/images/generations", "/images/edits", "/images/variations"),
    ),
    Endpoint("Speech", "LLM", _OTHER, paths=("/audio/speech",)),
    Endpoint("Transcriptions", "LLM", _OTHER, paths=("/audio/transcriptions",)),
    Endpoint("Translations", "LLM", _OTHER, paths=("/audio/translations",)),
    Endpoint("Moderations", "GUARDRAIL", _OTHER, paths=("/moderations",)),
    Endpoint("Decisions", "LLM", _OTHER, paths=("/decisions",)),
    Endpoint(
        "Videos",
        "LLM",
        _OTHER,
        paths=("/videos", "/videos/edits", "/videos/extensions", "/videos/{}/remix"),
    ),
    Endpoint("Graders", "EVALUATOR", _OTHER, paths=("/fine_tuning/alpha/graders/run",)),
    Endpoint("VectorStores", "RETRIEVER", _OTHER, paths=("/vector_stores/{}/search",)),
    Endpoint(
        "Runs",
        "AGENT",
        _OTHER,
        paths=(
            "/threads/runs",
            "/threads/{}/runs",
            "/threads/{}/runs/{}/submit_tool_outputs",
        ),
    ),
    Endpoint("Sessions", "AGENT", _OTHER, paths=("/agents/sessions", "/agents/sessions/{}/events")),
)

OLLAMA: Final = (
    Endpoint("Chat", "CHAT_MODEL", _OLLAMA, methods=("chat",)),
    Endpoint("Generate", "LLM", _OLLAMA, methods=("generate",)),
    Endpoint("Embed", "EMBEDDING", _OLLAMA, methods=("embed",)),
    Endpoint("Embeddings", "EMBEDDING", _OLLAMA, methods=("embeddings",)),
    Endpoint("SystemOne", "LLM", _OTHER, methods=("systemone",)),
    Endpoint("WebSearch", "RETRIEVER", _OTHER, methods=("web_search",)),
    Endpoint("WebFetch", "TOOL", _OTHER, methods=("web_fetch",)),
    Endpoint("Create", "TASK", _PROGRESS, methods=("create",)),
    Endpoint("Pull", "TASK", _PROGRESS, methods=("pull",)),
    Endpoint("Push", "TASK", _PROGRESS, methods=("push",)),
)


class Paths:
    """Finds the endpoint that is asked for at an address."""

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        self._exact: dict[str, Endpoint] = {}
        self._patterns: list[tuple[re.Pattern[str], Endpoint]] = []
        for endpoint in endpoints:
            for path in endpoint.paths:
                if "{}" in path:
                    pattern = "[^/]+".join(map(re.escape, path.split("{}")))
                    self._patterns.append((re.compile(pattern), endpoint))
                else:
                    self._exact[path] = endpoint

    def find(self, path: str) -> Endpoint | None:
        """The endpoint at `path`, which may have a query; ``None`` if it is not traced."""
        path = path.partition("?")[0]
        found = self._exact.get(path)
        if found is not None:
            return found
        return next((one for pattern, one in self._patterns if pattern.fullmatch(path)), None)
