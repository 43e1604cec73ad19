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
        paths: The addresses to which OpenAI's client sends it, by POST if nothing else is said,
            ``{}`` for an id. What goes there without one of the methods (``beta``, a helper,
            ``client.post``) is traced, too.
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
    Endpoint(
        "Responses",
        "TASK",
        RetrievedAnswer(),
        methods=("responses.retrieve",),
        paths=("GET /responses/{}",),
    ),
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
    """Finds the endpoint to which a request goes."""

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        self._exact: dict[tuple[str, str], Endpoint] = {}
        self._patterns: list[tuple[str, re.Pattern[str], Endpoint]] = []
        for endpoint in endpoints:
            for address in endpoint.paths:
                verb, _, path = address.rpartition(" ")
                verb = (verb or "POST").lower()
                if "{}" in path:
                    pattern = "[^/]+".join(map(re.escape, path.split("{}")))
                    self._patterns.append((verb, re.compile(pattern), endpoint))
                else:
                    self._exact[verb, path] = endpoint

    def find(self, verb: str, url: str) -> Endpoint | None:
        """The endpoint at `url`, relative to the server's; ``None`` if it is not traced."""
        verb, path = verb.lower(), path_of(url)
        found = self._exact.get((verb, path))
        if found is not None:
            return found
        for one, pattern, endpoint in self._patterns:
            if one == verb and pattern.fullmatch(path):
                return endpoint
        return None


def path_of(url: str) -> str:
    """The path of an address that is relative to the server's, as the table has it."""
    return "/" + url.partition("?")[0].strip("/")
