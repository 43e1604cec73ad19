"""Others that trace a client, each set up as its documentation says; nothing is sent anywhere."""

from __future__ import annotations

import contextlib
import os

NOWHERE = "http://127.0.0.1:9"
os.environ.update(
    BRAINTRUST_API_KEY="none",
    BRAINTRUST_API_URL=NOWHERE,
    BRAINTRUST_APP_URL=NOWHERE,
    DO_NOT_TRACK="true",
    LANGFUSE_BASE_URL=NOWHERE,
    LANGFUSE_PUBLIC_KEY="pk-lf-none",
    LANGFUSE_SECRET_KEY="sk-lf-none",  # noqa: S106
    LANGSMITH_API_KEY="none",
    LANGSMITH_ENDPOINT=NOWHERE,
    LANGSMITH_TRACING="true",
    LITELLM_LOCAL_MODEL_COST_MAP="True",
    LOGFIRE_SEND_TO_LOGFIRE="false",
    MLFLOW_DISABLE_TELEMETRY="true",
    MLFLOW_TRACKING_URI=NOWHERE,
    OPIK_URL_OVERRIDE=NOWHERE,
)


def mlflow(client):
    import mlflow

    mlflow.openai.autolog()
    return client, lambda: mlflow.openai.autolog(disable=True)


def langfuse(client):
    import langfuse.openai  # noqa: F401  this is what patches

    return client, None


def openinference(client):
    from openinference.instrumentation.openai import OpenAIInstrumentor

    return _instrumented(client, OpenAIInstrumentor())


def openinference_ollama(client):
    from openinference.instrumentation.ollama import OllamaInstrumentor

    return _instrumented(client, OllamaInstrumentor())


def openllmetry(client):
    from opentelemetry.instrumentation.openai import OpenAIInstrumentor

    return _instrumented(client, OpenAIInstrumentor())


def openllmetry_ollama(client):
    from opentelemetry.instrumentation.ollama import OllamaInstrumentor

    return _instrumented(client, OllamaInstrumentor())


def opentelemetry(client):
    from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor

    return _instrumented(client, OpenAIInstrumentor())


def _instrumented(client, instrumentor):
    instrumentor.instrument()
    return client, instrumentor.uninstrument


def logfire(client):
    import logfire

    logfire.configure(send_to_logfire=False, console=False)
    stack = contextlib.ExitStack()
    stack.enter_context(logfire.instrument_openai(client))
    return client, stack.close


def logfire_everywhere(client):
    import logfire

    logfire.configure(send_to_logfire=False, console=False)
    stack = contextlib.ExitStack()
    stack.enter_context(logfire.instrument_openai())
    return client, stack.close


def langsmith(client):
    from langsmith.wrappers import wrap_openai

    return wrap_openai(client), None


def braintrust(client):
    from braintrust import wrap_openai

    return wrap_openai(client), None


def braintrust_everywhere(client):
    from braintrust.oai import patch_openai

    patch_openai()
    return client, None


def opik(client):
    from opik.integrations.openai import track_openai

    return track_openai(client), None


def litellm(client):
    import litellm

    litellm.callbacks = ["langsmith"]
    return client, litellm.callbacks.clear
