"""Lists as OpenTelemetry writes them in the environment: ``key=value,key=value``."""

from __future__ import annotations

from urllib.parse import unquote

from ollamatrace.errors import ConfigError


def pairs(setting: str, text: str | None) -> dict[str, str]:
    """The values by their keys, with ``%XX`` decoded.

    Args:
        setting: The name of the variable.
        text: What stands in it, if anything.

    Raises:
        ConfigError: something in it is no pair; the text does not repeat it.
    """
    found: dict[str, str] = {}
    for pair in (text or "").split(","):
        key, mark, value = pair.partition("=")
        if not pair.strip():
            continue
        if not mark or not key.strip():
            raise ConfigError(f"{setting} reads `key=value,key=value`; write a comma as %2C")
        found[unquote(key.strip())] = unquote(value.strip())
    return found
