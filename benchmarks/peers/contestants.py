"""What is compared: tracing SDKs, and ollamatrace with each kind of destination."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Contestant:
    """One line of the comparison.

    Attributes:
        name: What it is called there.
        environment: Where it is installed; see `benchmarks.environments`.
        setup: The function of `exporting` that sets it up.
    """

    name: str
    environment: str
    setup: str

    @property
    def is_ours(self) -> bool:
        """Whether it is ollamatrace."""
        return self.environment == "ollamatrace"


CONTESTANTS: Final = (
    Contestant("ollamatrace, embedded", "ollamatrace", "ollamatrace_embedded"),
    Contestant("ollamatrace, OTLP", "ollamatrace", "ollamatrace_otlp"),
    Contestant("ollamatrace, MLflow throughput", "ollamatrace", "ollamatrace_throughput"),
    Contestant("ollamatrace, MLflow info", "ollamatrace", "ollamatrace_info"),
    Contestant("OpenTelemetry openai-v2", "opentelemetry", "opentelemetry"),
    Contestant("OpenLLMetry", "openllmetry", "openllmetry"),
    Contestant("OpenInference", "openinference", "openinference"),
    Contestant("Logfire", "logfire", "logfire_instrument"),
    Contestant("Langfuse", "langfuse", "langfuse_openai"),
    Contestant("LangSmith", "langsmith", "langsmith_wrap"),
    Contestant("Braintrust", "braintrust", "braintrust_wrap"),
    Contestant("Opik", "opik", "opik_track"),
    Contestant("MLflow autolog", "mlflow", "mlflow_autolog"),
)
