"""The one stage that every record passes before it is stored, spooled or sent anywhere."""

# Values of any type are the business of this file.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import orjson

from ollamatrace import guard
from ollamatrace.privacy.credentials import is_secret_under
from ollamatrace.privacy.outline import failure, frames, outline, scalar, sized
from ollamatrace.privacy.rules import RULES
from ollamatrace.privacy.vocabulary import ATTRIBUTES, KEYS, WORDS
from ollamatrace.records import Content, Event, Record, SpanRecord, TraceUpdate
from ollamatrace.settings import Capture

FAILED: Final = "<redaction failed>"
"""What is recorded instead of a text that could not be looked at."""

_CHUNK: Final = "chunk"
_SHORTEST_NUMBER: Final = 1_000_000
"""Whole numbers from here on are looked at as text: a card's may be one."""
_OWN_TEXTS: Final = ("name", "kind", "status_message", "model", "provider", "session", "user")


class Redaction:
    """Applies the rules of a `Capture` to records, and takes out their content if it says so.

    It fails closed: where a rule raises, or gives back no text, `FAILED` is recorded.
    """

    def __init__(self, capture: Capture, told: Callable[[str], None] | None) -> None:
        self._keeps_content = capture.content
        self._told = told
        self._rules = tuple(RULES[one] if isinstance(one, str) else one for one in capture.redact)
        self._hides_keys = "key" in capture.redact
        self._hides_phones = "phone" in capture.redact

    def apply(self, record: Record) -> Record:
        """The record as it may be kept; a span is changed in place."""
        try:
            return self._update(record) if isinstance(record, TraceUpdate) else self._span(record)
        except BaseException as error:  # noqa: BLE001  whatever it is, nothing gets through
            # Not the exception itself, which may hold the text.
            guard.report("Redaction.apply", RuntimeError(type(error).__name__))
            return _emptied(record)

    def _update(self, update: TraceUpdate) -> TraceUpdate:
        return replace(
            update,
            **{name: self._maybe(getattr(update, name)) for name in ("session", "user", "name")},
            tags=self._value(dict(update.tags)),
            metadata=self._value(dict(update.metadata)),
        )

    def _span(self, record: SpanRecord) -> SpanRecord:
        for name in _OWN_TEXTS:
            setattr(record, name, self._maybe(getattr(record, name)))
        record.warnings = self._value(record.warnings)
        record.tags = self._value(record.tags)
        record.metadata = self._value(record.metadata)
        record.input_content = self._content(record.input_content)
        record.output_content = self._content(record.output_content)
        record.attributes = self._attributes(record.attributes)
        record.event_content = Content([self._event(event) for event in record.events])
        if not self._keeps_content:
            record.status_message = failure(record.status_message)
        return record

    def _content(self, content: Content) -> Content:
        value = self._value(content.value)
        return Content(value if self._keeps_content else outline(value))

    def _event(self, event: Event) -> Event:
        attributes = event["attributes"]
        if event["name"] == _CHUNK:
            # A rule cannot see what comes in pieces: the merged answer has it whole.
            size = sized(orjson.dumps(attributes.get("value")))
            attributes = {"index": attributes.get("index"), "value": size}
        else:
            attributes = self._attributes(attributes)
        name = self._text(event["name"])
        return {"name": name, "time_ns": event["time_ns"], "attributes": attributes}

    def _attributes(self, attributes: dict[str, Any]) -> dict[str, Any]:
        values: dict[str, Any] = self._value(attributes)
        if self._keeps_content:
            return values
        return {
            key: value
            if key in ATTRIBUTES
            else frames(value)
            if key == "exception.stacktrace"
            else scalar(value)
            for key, value in values.items()
        }

    def _value(self, value: Any) -> Any:
        """A plain value with the rules applied to its texts, and to keys that are no field's."""
        if not self._rules:
            return value
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, dict):
            return {
                (key if key in KEYS else self._text(key)): self._under(key, one)
                for key, one in value.items()
            }
        if isinstance(value, list):
            return [self._value(one) for one in value]
        if type(value) is int and abs(value) >= _SHORTEST_NUMBER:
            text = str(value)
            redacted = self._text(text)
            return value if redacted == text else redacted
        return value

    def _under(self, key: str, value: Any) -> Any:
        """A value of a mapping: some are what they are only by their key."""
        if isinstance(value, str | int) and not isinstance(value, bool) and key not in KEYS:
            text = str(value)
            if self._hides_keys and is_secret_under(key, text):
                return "<key>"
            if self._hides_phones and RULES["phone"](f"{key}: {text}") == f"{key}: <phone>":
                return "<phone>"
        return self._value(value)

    def _maybe(self, text: str | None) -> Any:
        return None if text is None else self._text(text)

    def _text(self, text: str) -> str:
        if text in WORDS:
            return text
        try:
            for rule in self._rules:
                text = rule(text)
                if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
                    raise TypeError  # noqa: TRY301  as good as one that raises
        except BaseException as error:  # noqa: BLE001  the rule's own; what it says may hold the text
            guard.warn(
                f"redact:{id(self)}",
                f"a rule of Capture(redact=…) raised {type(error).__name__}, or gave back no text: "
                f"what it was given is recorded as {FAILED}",
                self._told,
            )
            return FAILED
        return text


def _emptied(record: Record) -> Record:
    """Ids, times and counts alone."""
    if isinstance(record, TraceUpdate):
        return TraceUpdate(trace_id=record.trace_id)
    return SpanRecord(
        name=FAILED,
        kind="UNKNOWN",
        trace_id=record.trace_id,
        span_id=record.span_id,
        parent_id=record.parent_id,
        start_ns=record.start_ns,
        end_ns=record.end_ns,
        status=record.status,
        end_reason=record.end_reason,
        usage=record.usage,
        timing=record.timing,
    )
