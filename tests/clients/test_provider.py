"""Who answers, and where that is."""

from __future__ import annotations

import httpx
import ollama
import openai
import pytest

from ollamatrace import TracedClient
from ollamatrace.clients.provider import Provider

NOWHERE = "http://127.0.0.1:9/v1"
AT = {"server.address": "127.0.0.1", "server.port": 9}


def place(host, port):
    return {"server.address": host, "server.port": port}


@pytest.mark.parametrize(
    ("url", "name", "where"),
    [
        ("http://localhost:11434/v1", "ollama", place("localhost", 11434)),
        ("http://user:SECRET@box/SECRET?key=SECRET", "openai", place("box", 80)),
        ("https://api.example.com/v1", "openai", place("api.example.com", 443)),
        ("http://[::1]:8000", "openai", place("::1", 8000)),
        ("unix:/run/model.sock", "openai", {}),
    ],
)
def test_the_address_of_an_openai_client(url, name, where):
    with openai.OpenAI(base_url=url, api_key="k") as client:
        assert Provider.of(client, is_native=False) == Provider(name, where)


def test_azure():
    with openai.AzureOpenAI(
        azure_endpoint="https://me.openai.azure.com", api_key="k", api_version="1"
    ) as client:
        provider = Provider.of(client, is_native=False)
    assert provider == Provider("azure.ai.openai", place("me.openai.azure.com", 443))


def test_the_address_of_an_ollama_client():
    client = ollama.Client("http://127.0.0.1:8080/path")
    with client._client:
        provider = Provider.of(client, is_native=True)
    assert provider == Provider("ollama", place("127.0.0.1", 8080))


def test_a_client_that_does_not_tell():
    assert Provider.of(object(), is_native=True) == Provider("ollama", {})


def test_each_call_says_where_it_went(tracer):
    with openai.OpenAI(base_url="http://other:1/v1", api_key="k", max_retries=0) as bare:
        client = TracedClient(bare, tracer=tracer).with_options(base_url=NOWHERE)
        with pytest.raises(openai.APIConnectionError):
            client.completions.create(model="m", prompt="Why?")
    native = ollama.Client("http://127.0.0.1:9")
    with native._client, pytest.raises((ConnectionError, httpx.ConnectError)):
        TracedClient(native, tracer=tracer).chat("m")
    first, second = tracer.finished()
    assert first.attributes == second.attributes == AT
