"""What all spans have in common: the program that they come from."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from ollamatrace.destinations.otlp.pairs import pairs
from ollamatrace.release import release
from ollamatrace.settings import Otlp

SERVICE: Final = "service.name"


def resource(otlp: Otlp, experiment: str) -> dict[str, str]:
    """The attributes of the resource.

    Raises:
        ConfigError: ``OTEL_RESOURCE_ATTRIBUTES`` is no list of pairs.
    """
    made = {
        SERVICE: _unknown_service(),
        "ollamatrace.experiment": experiment,
        # What Phoenix calls a project.
        "openinference.project.name": experiment,
        **pairs("OTEL_RESOURCE_ATTRIBUTES", otlp.resource_attributes),
        "telemetry.sdk.name": "ollamatrace",
        "telemetry.sdk.language": "python",
        "telemetry.sdk.version": release(),
    }
    if otlp.service_name is not None:
        made[SERVICE] = otlp.service_name
    return made


def _unknown_service() -> str:
    """What OpenTelemetry's SDKs call a program that does not say its name."""
    executable = Path(sys.executable or "").name
    return f"unknown_service:{executable}" if executable else "unknown_service"
