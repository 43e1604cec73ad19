"""Each of the others on a client of ours: one warning, and all else as with neither of us."""

from __future__ import annotations

import pytest

from tests.doubles.environment import told_by

NAMED = {
    "braintrust": "Braintrust",
    "braintrust_everywhere": "Braintrust",
    "langfuse": "langfuse.openai",
    "langsmith": "LangSmith",
    "litellm": "LiteLLM (langsmith)",
    "logfire": "Logfire",
    "logfire_everywhere": "Logfire",
    "mlflow": "mlflow.openai.autolog",
    "openinference": "OpenInference",
    "openinference_ollama": "OpenInference",
    "openllmetry": "OpenLLMetry (opentelemetry-instrumentation-openai)",
    "openllmetry_ollama": "OpenLLMetry (opentelemetry-instrumentation-ollama)",
    "opentelemetry": "opentelemetry-instrumentation-openai-v2",
    "opik": "Opik",
}
AT_CALLS = {"litellm"}
"""Nothing of it can be seen of the client."""
CAN_GO = {"litellm", "logfire", "mlflow", "openinference", "openinference_ollama", "opentelemetry"}
TEXT = "One two three"


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize("when", ["before", "after"])
def test_one_warning_and_all_works(name, when):
    seen = run(name, when)
    [warning] = seen["logged"]
    assert warning.startswith(f"{NAMED[name]} also traces this client: ")
    assert seen["told"] == [warning]
    assert seen["at_making"] == (when == "before" and name not in AT_CALLS)
    check_calls(seen, name)


@pytest.mark.parametrize("name", sorted(CAN_GO))
def test_no_warning_once_it_is_gone_as_the_warning_says(name):
    seen = run(name, "gone")
    assert seen["logged"] == seen["told"] == []
    check_calls(seen, name)


def check_calls(seen, name):
    error = "ResponseError" if name.endswith("_ollama") else "InternalServerError"
    for got, spans in zip(seen["got"], seen["spans"], strict=True):
        assert got == [TEXT, TEXT, error, TEXT]
        answered, streamed, failed = (
            ["OK", "returned", TEXT],
            ["OK", "exhausted", TEXT],
            ["ERROR", "error", None],
        )
        assert spans == [answered, streamed, failed, answered]


def run(name, when):
    return told_by("tests.doubles.program", name, when, sdk_of(name))


def sdk_of(name):
    return "ollama" if name.endswith("_ollama") else "openai"
