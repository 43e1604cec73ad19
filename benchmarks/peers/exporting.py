"""Each tracing SDK set up to send what it records to one server, as its documentation says.

A function gets a client of OpenAI's and the server's address; it gives the client to call, and
what waits until all has been sent. Whatever is content is switched on.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Final

Ready = tuple[Any, Callable[[], Any]]
Setup = Callable[[Any, str], Ready]
_WAIT_S: Final = 120
_KEY: Final = "none"


def bare(client: Any, _url: str) -> Ready:
    """No tracer."""
    return client, lambda: None


def ollamatrace_embedded(client: Any, url: str) -> Ready:
    """Ours, with the embedded store; `url` is the file."""
    return _ollamatrace(client, url, "info")


def ollamatrace_throughput(client: Any, url: str) -> Ready:
    """Ours, with an MLflow server, spans only."""
    return _ollamatrace(client, url, "throughput")


def ollamatrace_info(client: Any, url: str) -> Ready:
    """Ours, with an MLflow server, and one more request for each trace."""
    return _ollamatrace(client, url, "info")


def ollamatrace_otlp(client: Any, url: str) -> Ready:
    """Ours, with an OpenTelemetry collector."""
    return _ollamatrace(client, f"otlp+{url}", "info")


def _ollamatrace(client: Any, server: str, mode: Any) -> Ready:
    from ollamatrace import Delivery, TracedClient, Tracer

    tracer = Tracer(server, delivery=Delivery(mode=mode))
    return TracedClient(client, tracer=tracer), lambda: tracer.flush(_WAIT_S)


def mlflow_autolog(client: Any, url: str) -> Ready:
    """MLflow's automatic tracing."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    import mlflow

    mlflow.set_tracking_uri(url)
    mlflow.set_experiment("Default")
    mlflow.openai.autolog()
    return client, mlflow.flush_trace_async_logging


def langfuse_openai(client: Any, url: str) -> Ready:
    """Langfuse's replacement of the OpenAI package, which patches it."""
    from langfuse import Langfuse

    sender = Langfuse(public_key="pk-lf-none", secret_key=_KEY, base_url=url)
    import langfuse.openai  # noqa: F401  this is what patches

    return client, sender.flush


def langsmith_wrap(client: Any, url: str) -> Ready:
    """LangSmith's `wrap_openai`."""
    os.environ["LANGSMITH_TRACING"] = "true"
    from langsmith import Client
    from langsmith.wrappers import wrap_openai

    sender = Client(api_url=url, api_key=_KEY)
    return wrap_openai(client, tracing_extra={"client": sender}), sender.flush


def braintrust_wrap(client: Any, url: str) -> Ready:
    """Braintrust's `wrap_openai`."""
    os.environ["BRAINTRUST_API_URL"] = url
    import braintrust

    logger = braintrust.init_logger(project="peers", app_url=url, api_key=_KEY)
    return braintrust.wrap_openai(client), logger.flush


def opik_track(client: Any, url: str) -> Ready:
    """Opik's `track_openai`."""
    os.environ["OPIK_URL_OVERRIDE"] = url
    import opik
    from opik.integrations.openai import track_openai

    return track_openai(client), opik.flush_tracker


def logfire_instrument(client: Any, url: str) -> Ready:
    """Logfire's `instrument_openai`."""
    import logfire

    logfire.configure(
        token=_KEY,
        console=False,
        inspect_arguments=False,
        advanced=logfire.AdvancedOptions(base_url=url),
    )
    logfire.instrument_openai(client)
    return client, logfire.force_flush


def openinference(client: Any, url: str) -> Ready:
    """OpenInference's instrumentor."""
    from openinference.instrumentation.openai import OpenAIInstrumentor

    return _instrumented(client, url, OpenAIInstrumentor)


def openllmetry(client: Any, url: str) -> Ready:
    """Traceloop's instrumentor."""
    from opentelemetry.instrumentation.openai import OpenAIInstrumentor

    return _instrumented(client, url, OpenAIInstrumentor)


def opentelemetry(client: Any, url: str) -> Ready:
    """OpenTelemetry's own instrumentor, with content on its spans."""
    os.environ["OTEL_SEMCONV_STABILITY_OPT_IN"] = "gen_ai_latest_experimental"
    os.environ["OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"] = "SPAN_ONLY"
    from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor

    return _instrumented(client, url, OpenAIInstrumentor)


def _instrumented(client: Any, url: str, instrumentor: Any) -> Ready:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{url}/v1/traces")))
    instrumentor().instrument(tracer_provider=provider)
    return client, lambda: provider.force_flush(_WAIT_S * 1000)
