"""Any backend of OpenTelemetry as a destination, by OTLP over HTTP."""

from ollamatrace.destinations.otlp.channel import OtlpChannel
from ollamatrace.destinations.otlp.publisher import TakesNone

__all__ = ["OtlpChannel", "TakesNone"]
