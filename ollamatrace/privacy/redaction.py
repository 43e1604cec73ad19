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
from ollamatrace.privacy.encoded import is_picture, text_in
from ollamatrace.privacy.outline import described, failure, frames, outline, scalar, sized
from ollamatrace.privacy.places import SHORTEST_NUMBER
from ollamatrace.privacy.rules import RULES, replaced
from ollamatrace.privacy.vocabulary import ATTRIBUTES, KEYS, WORDS
from ollamatrace.records import CUTS, Content, Event, Record, SpanRecord, TraceUpdate, shorn, utf8
from ollamatrace.settings import Capture

FAILED: Final = "<redaction failed>"
"""What is recorded instead of a text that could not be looked at."""

_CHUNK: Final = "chunk"
_NUMBER: Final = 64
"""Characters of a text that tell whether it is a telephone number."""
_OWN_TEXTS: Final = ("name", "kind", "status_message", "model", "provider", "session", "user")


class Redaction:
    """Applies the rules of a `Capture` to records, and takes out their content if it says so.

    It fails closed: where a rule raises, or gives back no text, `FAILED` is recorded.
    """

    def __init__(self, capture: Capture, told: Callable[[str], None] | None) -> None:
        self._keeps_content = capture.content
        self._told = told
        self._rules = capture.redact
        self._cuts = {*CUTS, capture.max_leaf_bytes}
        self._pause: Callable[[], None] = _no_pause
        self._hides_keys = "key" in capture.redact
        self._hides_phones = "phone" in capture.redact

    def apply(self, record: Record, pause: Callable[[], None]) -> Record:
        """The record as it may be kept; a span is changed in place.

        Args:
            record: What is to be kept.
            pause: Called between pieces of work: it lets the program run.
        """
        self._pause = pause
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
        is_call = record.provider is not None
        record.input_content = self._content(record.input_content, is_call=is_call)
        record.output_content = self._content(record.output_content, is_call=is_call)
        record.attributes = self._attributes(record.attributes)
        record.event_content = Content([self._event(event) for event in record.events])
        if not self._keeps_content:
            record.status_message = failure(record.status_message)
        return record

    def _content(self, content: Content, *, is_call: bool) -> Content:
        value = self._value(content.value)
        if self._keeps_content or value is None:
            return Content(value)
        return Content(outline(value) if is_call else described(value))

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
            found: dict[str, Any] = {}
            for key, one in value.items():
                name = key if key in KEYS else self._text(key)
                # Two that have become one are both kept.
                found[name if name not in found else f"{name} {len(found)}"] = self._under(key, one)
            return found
        if isinstance(value, list):
            return [self._value(one) for one in value]
        if isinstance(value, int | float) and not isinstance(value, bool):
            return self._number(value)
        return value

    def _number(self, value: float) -> Any:
        if abs(value) < SHORTEST_NUMBER or value != value // 1:
            return value
        text = str(int(value))
        redacted = self._text(text)
        return value if redacted == text else redacted

    def _under(self, key: str, value: Any) -> Any:
        """A value of a mapping: some are what they are only by their key."""
        if key in KEYS or not (self._hides_keys or self._hides_phones):
            return self._value(value)
        if isinstance(value, list):
            return [self._under(key, one) for one in value]
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            text = str(value)
            if self._hides_keys and is_secret_under(key, text):
                return "<key>"
            said = RULES["phone"](f"{key}: {text[:_NUMBER]}") if self._hides_phones else ""
            if said == f"{key}: <phone>":
                return "<phone>"
        return self._value(value)

    def _maybe(self, text: str | None) -> Any:
        return None if text is None else self._text(text)

    def _text(self, text: str) -> str:
        if text in WORDS:
            return text
        if text.endswith("…") and len(text) - 1 in self._cuts:
            text = f"{shorn(text[:-1])}…"
        hidden = text_in(text)
        if hidden is not None and (redacted := self._ruled(hidden)) != hidden:
            return redacted
        return self._ruled(text)

    def _ruled(self, text: str) -> str:
        is_looked_into = not is_picture(text, self._pause)
        try:
            for rule in self._rules:
                if isinstance(rule, str):
                    text = replaced(rule, text, self._pause) if is_looked_into else text
                else:
                    text = rule(text)
                    if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
                        raise TypeError  # noqa: TRY301  as good as one that raises
        except BaseException as error:  # noqa: BLE001  the rule's own, which may say the text
            guard.warn(
                f"redact:{id(self)}",
                f"a rule of Capture(redact=…) raised {type(error).__name__}, or gave back no text: "
                f"what it was given is recorded as {FAILED}",
                self._told,
            )
            return FAILED
        return utf8(text)


def _no_pause() -> None:
    """Nobody waits."""


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
