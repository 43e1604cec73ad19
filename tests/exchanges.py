"""Recorded exchanges with real servers, and how to make their calls again."""

from __future__ import annotations

import json
from pathlib import Path

FOLDER = Path(__file__).parent / "captures"

OPENAI_PATHS = {
    "/v1/chat/completions": "chat.completions",
    "/v1/completions": "completions",
    "/v1/embeddings": "embeddings",
    "/v1/responses": "responses",
}
OLLAMA_PATHS = {f"/api/{name}": name for name in ("chat", "generate", "embed", "embeddings")}


def load(name):
    return json.loads((FOLDER / f"{name}.json").read_text())


def path_of(exchange):
    return exchange["request"]["line"].split()[1]


def body_of(exchange):
    return json.loads(exchange["request"]["body"]["text"])


def names(*, sdk):
    """The captures that were made with a traced method of `sdk`."""
    paths = OPENAI_PATHS if sdk == "openai" else OLLAMA_PATHS
    found = []
    for file in sorted(FOLDER.glob("*/*.json")):
        capture = json.loads(file.read_text())
        traced = all(path_of(exchange) in paths for exchange in capture["exchanges"])
        if traced and capture["client"].startswith(sdk):
            found.append(f"{file.parent.name}/{file.stem}")
    return found


def arguments(exchange):
    """The keyword arguments that made the recorded request."""
    body = body_of(exchange)
    if body.get("encoding_format") == "base64":
        del body["encoding_format"]  # the SDK asks for base64 by itself, and decodes it
    return body
