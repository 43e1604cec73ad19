"""Images and sounds in inputs and outputs, taken out and uploaded as attachments of the trace.

MLflow's own client does the same, and its page shows them. The places are those where that client
looks: data URLs anywhere, and the fields in which OpenAI and others put bare base64. Only those of
Bedrock are left out, which no client here talks to.
"""

from __future__ import annotations

import binascii
import hashlib
import uuid
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

from ollamatrace.records import Content
from ollamatrace.records.shapes import as_dict, is_dict, is_list

_SCHEME: Final = "mlflow-attachment://"
_SLICE: Final = 32 * 1024
"""Characters of base64 decoded in one step: a multiple of four."""
_Way = tuple[str, ...]


class Attachment(NamedTuple):
    """A file of a trace.

    Attributes:
        trace_id: As MLflow has it: ``tr-`` and 32 hex digits.
        id: A UUID that depends on the trace and the content only.
        content_type: Its MIME type.
        data: The bytes.
    """

    trace_id: str
    id: str
    content_type: str
    data: bytes


class Images:
    """Takes base64 out of values, and collects what is to be uploaded.

    The same content of a trace has the same id each time: sending it again changes nothing.
    """

    def __init__(self, pause: Callable[[], None]) -> None:
        self._pause = pause
        self._found: dict[str, Attachment] = {}

    @property
    def attachments(self) -> list[Attachment]:
        """What was taken out so far, each once."""
        return list(self._found.values())

    def replaced(self, value: Any, trace_id: str) -> Any:
        """`value` with references in the place of base64; the rest is shared with `value`.

        Args:
            value: A plain value.
            trace_id: Of the trace that it belongs to, 32 hex digits.
        """
        if isinstance(value, str):
            return self._replaced_url(value, trace_id)
        if is_dict(value):
            for way, content_type in _places(value):
                reference = self._reference(_at(value, way), content_type, trace_id)
                if reference is not None:
                    value = _with(value, way, reference)
                    break
            return {key: self.replaced(item, trace_id) for key, item in value.items()}
        if is_list(value):
            return [self.replaced(item, trace_id) for item in value]
        return value

    def _replaced_url(self, text: str, trace_id: str) -> str:
        if not text.startswith("data:"):
            return text
        header, mark, data = text.partition(";base64,")
        content_type = header.removeprefix("data:")
        if not mark or not content_type:
            return text
        return self._reference(data, content_type, trace_id) or text

    def _reference(self, text: Any, content_type: str, trace_id: str) -> str | None:
        if not isinstance(text, str) or not text:
            return None
        data = self._decoded(text)
        if data is None:
            return None
        digest = hashlib.sha256(f"{trace_id} {content_type} ".encode())
        digest.update(data)
        name = str(uuid.UUID(bytes=digest.digest()[:16], version=4))
        mlflow_id = f"tr-{trace_id}"
        self._found[name] = Attachment(mlflow_id, name, content_type, data)
        query = {"content_type": content_type, "trace_id": mlflow_id, "size": str(len(data))}
        return f"{_SCHEME}{name}?{urlencode(query)}"

    def _decoded(self, text: str) -> bytes | None:
        pieces: list[bytes] = []
        try:
            for start in range(0, len(text), _SLICE):
                piece = text[start : start + _SLICE]
                pieces.append(binascii.a2b_base64(piece, strict_mode=True))
                self._pause()
        except ValueError:  # no base64, or text that is not ASCII
            return None
        return b"".join(pieces)


def may_hold_images(content: Content) -> bool:
    """Whether there may be something to take out; quick to tell where the JSON is there."""
    if not content.has_json:
        return True
    text = content.json
    # One of these is in anything that has something to take out.
    return (
        b";base64," in text
        or b'"data"' in text
        or b'"b64_json"' in text
        or b'"image_generation_call"' in text
    )


def _places(value: dict[str, Any]) -> Iterator[tuple[_Way, str]]:
    """Where bare base64 may be in `value`, and what it would be."""
    kind = value.get("type")
    if kind == "input_audio":
        form = as_dict(value.get("input_audio")).get("format", "wav")
        yield ("input_audio", "data"), "audio/mpeg" if form == "mp3" else f"audio/{form}"
    if kind == "image" and as_dict(value.get("source")).get("type") == "base64":
        yield ("source", "data"), str(value["source"].get("media_type") or "image/png")
    if "b64_json" in value:
        yield ("b64_json",), "image/png"
    if is_dict(value.get("audio")):
        yield ("audio", "data"), "audio/wav"
    if is_dict(inline := value.get("inline_data")):
        yield ("inline_data", "data"), str(inline.get("mime_type") or "application/octet-stream")
    if kind == "image_generation_call":
        yield ("result",), f"image/{value.get('output_format') or 'png'}"


def _at(value: Any, way: _Way) -> Any:
    for key in way:
        value = as_dict(value).get(key)
    return value


def _with(value: dict[str, Any], way: _Way, new: str) -> dict[str, Any]:
    inner = new if len(way) == 1 else _with(value[way[0]], way[1:], new)
    return {**value, way[0]: inner}
