"""A place where something was found: where it is, and never what."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One place.

    Attributes:
        rule: What was looked for: the name of a rule, ``pattern 1``, ``text 1``.
        where: ``span``, ``spool``, ``store`` (a row of it that no span has), ``index`` or ``file``.
        length: How long it is: characters of a text, bytes of a file.
        at: Where it begins: characters from the beginning of the text, bytes from that of the file.
        trace_id: The trace, if it is in a span.
        span_id: The span.
        span: The name of the span.
        field: The way to the text in the span, line or row.
        file: The file.
        line: The line of the file, from 1 on.
    """

    rule: str
    where: str
    length: int
    at: int
    trace_id: str | None = None
    span_id: str | None = None
    span: str | None = None
    field: str | None = None
    file: str | None = None
    line: int | None = None

    def fields(self) -> dict[str, Any]:
        """What is known, for JSON."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def __str__(self) -> str:
        parts: list[str] = []
        if self.trace_id is not None:
            parts.append(f"trace {self.trace_id} span {self.span_id} {self.span or ''}".rstrip())
        if self.field is not None:
            parts.append(self.field)
        if self.file is not None:
            parts.append(self.file if self.line is None else f"{self.file} line {self.line}")
        unit = "byte" if self.where == "file" else "character"
        length = f"{self.length:,} {unit}{'' if self.length == 1 else 's'}"
        return f"{self.rule}: {', '.join(parts)}, {length} at {self.at:,}"
