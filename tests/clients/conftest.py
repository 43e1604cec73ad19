"""Traced clients against recorded servers."""

from __future__ import annotations

import ollama
import openai
import pytest


@pytest.fixture
def openai_client(replay):
    """A bare `openai.OpenAI` on a recording, by the recording's name."""
    opened = []

    def make(name, kind=openai.OpenAI, pace=0.0, **options):
        server, _ = replay(name, pace)
        client = kind(
            base_url=server.url + "/v1", api_key="sk-secret", max_retries=0, timeout=20, **options
        )
        if isinstance(client, openai.OpenAI):
            opened.append(client)
        return client

    yield make
    for client in opened:
        client.close()


@pytest.fixture
def ollama_client(replay):
    """A bare `ollama.Client` on a recording, by the recording's name."""
    opened = []

    def make(name, kind=ollama.Client, pace=0.0):
        server, _ = replay(name, pace)
        client = kind(host=server.url, timeout=20)
        if kind is ollama.Client:
            opened.append(client)
        return client

    yield make
    for client in opened:
        client._client.close()
