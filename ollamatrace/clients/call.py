"""The recorder of one call: begin, chunk, succeed, fail. No I/O."""

# Values of any type are the business of this file.
# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from typing import Any, Final

from ollamatrace.clients.answers import Channel, Facts, Merger
from ollamatrace.clients.binding import Binding
from ollamatrace.clients.chunks import CHUNK_EVENT_BYTES, MOST_EVENTS, Came, ChunkEvents
from ollamatrace.clients.endpoints import Endpoint
from ollamatrace.clients.forms import form_of
from ollamatrace.clients.streams import traced_stream
from ollamatrace.clients.tools import as_sent
from ollamatrace.context import span_var
from ollamatrace.guard import shielded
from ollamatrace.ids import process
from ollamatrace.pipeline.pause import Pause
from ollamatrace.records import Content, SpanRecord, answer_snapshot, content_of, plain, snapshot
from ollamatrace.spans import Span
from ollamatrace.tracer import Tracer

_SECRET: Final = frozenset({"extra_headers", "api_key"})
_PART_CHUNKS: Final = 64
_CHUNK_BYTES: Final = 2048
"""About what one chunk takes as an object of the SDK."""

_Chunk = tuple[int, Any]
"""When a chunk came, on the performance counter, and the chunk."""


class Call(Span):
    """The span of one call of a model."""

    __slots__ = (
        "_binding",
        "_chunks",
        "_count",
        "_endpoint",
        "_events_of_chunks",
        "_first",
        "_handed_over",
        "_merger",
        "_raw",
    )

    def __init__(self, tracer: Tracer, name: str, endpoint: Endpoint, binding: Binding) -> None:
        super().__init__(tracer, name, endpoint.kind)
        self._endpoint = endpoint
        self._binding = binding
        self._chunks: list[_Chunk] = []
        self._count: int | None = None
        """How many chunks were received; ``None`` if it is no stream."""
        self._handed_over = 0
        """How many of them have gone to the worker."""
        self._merger: Merger | None = None
        self._events_of_chunks: ChunkEvents | None = None
        self._first: dict[str, int] = {}
        """When the first token and the first answer token came, by field of `Timing`."""
        self._raw: tuple[bytes, Any] | None = None

    # On the caller's thread

    def is_running(self, binding: Binding, endpoint: Endpoint) -> bool:
        """Whether it is such a call of that client and has not returned."""
        same = self._endpoint.operation == endpoint.operation
        return same and self._binding is binding and not self.ended

    def take_inputs(self, given: dict[str, Any]) -> None:
        """Keep the arguments as they are now."""
        limit = self.owner.capture.max_leaf_bytes
        self._inputs = snapshot(given, limit, exclude_unset=True)

    @shielded
    def succeed(self, result: Any) -> Any:
        """Take what the SDK gave; returns the traced stream that the program gets, if it is one."""
        self.leave()
        form = form_of(result)
        if form == "stream":
            self._count = 0
            return traced_stream(result, self)
        if form == "raw":
            self._take_raw(result)
        else:
            take = snapshot if self.kind == "EMBEDDING" else answer_snapshot
            self._outputs = take(result, self.owner.capture.max_leaf_bytes)
        self.end()
        return None

    @shielded
    def raised(self, error: BaseException) -> None:
        """The call itself raised."""
        self.leave()
        self.fail(error)

    def chunk(self, item: Any) -> None:
        """Keep a chunk, by reference, and when it came."""
        self._chunks.append((time.perf_counter_ns(), item))
        if not len(self._chunks) % _PART_CHUNKS:
            self._hand_over()

    @shielded
    def _hand_over(self) -> None:
        if process.generation == self._generation and not self.ended:
            while len(self._chunks) >= _PART_CHUNKS:
                part = _Part(self, self._chunks[:_PART_CHUNKS])
                if not self.owner.pipeline.put(part, _CHUNK_BYTES * _PART_CHUNKS, spans=0):
                    return  # no room now: they stay here, and are offered again
                del self._chunks[:_PART_CHUNKS]
                self._handed_over += _PART_CHUNKS

    @shielded
    def _take_raw(self, result: Any) -> None:
        http = result.http_response
        if getattr(http, "is_stream_consumed", False):
            self._raw = http.content, getattr(result, "_cast_to", None)
        else:
            self.warn("the body of a response that is read by the program is not recorded")

    def _size(self) -> int:
        raw = 0 if self._raw is None else len(self._raw[0])
        # Chunks that found no room before are held anyway: they are let in with the span.
        here = _CHUNK_BYTES * min(len(self._chunks), _PART_CHUNKS)
        return super()._size() + raw + here + self._event_size()

    def _event_size(self) -> int:
        if not self.owner.capture.stream_events:
            return 0
        return CHUNK_EVENT_BYTES * min(self._handed_over, MOST_EVENTS)

    # On the worker

    def merge(self, chunks: list[_Chunk]) -> None:
        """Put the next chunks to those before."""
        merger = self._merger = self._merger or self._endpoint.answer.merger()
        events = self._events_of_chunks
        if events is None and self.owner.capture.stream_events:
            events = self._events_of_chunks = ChunkEvents(self.owner.capture.max_leaf_bytes)
        self._count = (self._count or 0) + len(chunks)
        pause = Pause()
        came: list[Came] = []
        for time_ns, item in chunks:
            since_ns = time_ns - self._begun
            dumped = _dumped(item)
            channel = None if dumped is None else _merged(merger, dumped)
            if channel is not None:
                self._first.setdefault("first_token_ns", since_ns)
            if channel == "answer":
                self._first.setdefault("first_answer_ns", since_ns)
            if events is not None:
                came.append((self._start_ns + since_ns, item if dumped is None else dumped))
            pause()
        if events is not None:
            events.add(came)

    def finish(self) -> SpanRecord:
        """Make the record: merge what is left, read the answer."""
        record = super().finish()
        record.model = _asked(record.inputs)
        record.provider = self._binding.provider
        if self._count is not None:
            self._finish_stream(record)
        elif self._raw is not None:
            record.output_content = _body(*self._raw) or record.output_content
        self._read_answer(record)
        return record

    def _finish_stream(self, record: SpanRecord) -> None:
        self.merge(self._chunks)
        self._chunks = []
        for name, value in {**self._first, "chunks": self._count}.items():
            setattr(record.timing, name, value)
        if self._events_of_chunks is not None:
            self._events_of_chunks.give(record)
        merged = _result(self._merger) if self._merger is not None and self._count else None
        if merged is not None:
            taken = plain(merged, self.owner.capture.max_leaf_bytes)
            record.output_content = content_of(taken, record.warnings)

    @shielded
    def _read_answer(self, record: SpanRecord) -> None:
        facts = Facts()
        if isinstance(record.outputs, dict):
            facts = self._endpoint.answer.facts(record.outputs)
        _note(record, facts)
        complete = facts.complete if self._merger is None else self._merger.complete
        if not complete and record.end_reason in {"returned", "exhausted"}:
            record.end_reason = "incomplete"
            record.warnings.append(
                "the server stopped without its final message: the answer may be cut short, and "
                "there are no token counts"
            )


class _Part:
    """Chunks of a stream that goes on."""

    __slots__ = ("_call", "_chunks")

    def __init__(self, call: Call, chunks: list[_Chunk]) -> None:
        self._call = call
        self._chunks = chunks

    def finish(self) -> None:
        self._call.merge(self._chunks)


@shielded
def begin(
    binding: Binding,
    endpoint: Endpoint,
    name: str,
    method: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Call | None:
    """Begin the span of a call; ``None`` if it is not to be traced."""
    tracer = binding.tracer()
    if tracer is None or not tracer.enabled:
        return None
    current = span_var.get()
    if isinstance(current, Call) and current.is_running(binding, endpoint):
        return None  # the SDK's own helper calls one traced method from another
    call = Call(tracer, binding.name or name, endpoint, binding)
    if args:
        kwargs = {**_named(method, args), **kwargs}
    given = {
        key: value
        for key, value in kwargs.items()
        if type(value) not in binding.sentinels and key not in _SECRET
    }
    if "tools" in given:
        given["tools"] = as_sent(given["tools"])
    call.take_inputs(given)
    call.begin()
    span_var.set(call)
    return call


def _named(method: Callable[..., Any], args: tuple[Any, ...]) -> dict[str, Any]:
    names = list(inspect.signature(method).parameters)
    return dict(zip(names, args, strict=False))


@shielded
def _dumped(chunk: Any) -> dict[str, Any] | None:
    """A chunk as plain values; ``None``: a server may send anything, also what is no object."""
    return chunk.model_dump(warnings=False) if hasattr(chunk, "model_dump") else None


@shielded
def _merged(merger: Merger, chunk: dict[str, Any]) -> Channel | None:
    return merger.add(chunk)


@shielded
def _result(merger: Merger) -> dict[str, Any]:
    return merger.result()


def _asked(inputs: Any) -> str | None:
    asked: Any = inputs.get("model") if inputs else None
    return asked if isinstance(asked, str) else None


@shielded
def _body(body: bytes, answer_type: Any) -> Content:
    """A raw body in the shape that the SDK would have given, as far as it says how."""
    content = Content(json=body)
    value = content.value
    construct = getattr(answer_type, "construct", None)
    if construct is None or not isinstance(value, dict):
        return Content(value)
    return Content(construct(**value).model_dump(mode="json", warnings=False))


def _note(record: SpanRecord, facts: Facts) -> None:
    asked, record.model = record.model, facts.model or record.model
    if asked is not None and asked != record.model:
        record.attributes["model_asked"] = asked
    if facts.finish_reason is not None:
        record.attributes["finish_reason"] = facts.finish_reason
    if facts.from_ollama:
        record.provider = "ollama"
    record.usage = facts.usage
    for name, value in facts.durations.items():
        setattr(record.timing, name, value)
