"""Any backend of OpenTelemetry as a destination, by OTLP over HTTP."""

from ollamatrace.destinations.otlp.channel import OtlpChannel

__all__ = ["OtlpChannel"]
