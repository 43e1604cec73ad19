"""The recorder of one call: begin, chunk, succeed, fail. No I/O."""

# Values of any type are the business of this file.
# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import sys
from collections.abc import Callable
from time import perf_counter_ns
from typing import Any, Final, Literal

from ollamatrace.clients.answers import read_answer
from ollamatrace.clients.assembly import Assembly, Part, dumped
from ollamatrace.clients.binding import Binding
from ollamatrace.clients.body import Body
from ollamatrace.clients.chunks import CHUNK_EVENT_BYTES, MOST_EVENTS
from ollamatrace.clients.endpoints import Endpoint
from ollamatrace.clients.forms import form_of
from ollamatrace.clients.raw import content_of, traced_response
from ollamatrace.clients.readers import is_reading
from ollamatrace.clients.streams import traced_stream
from ollamatrace.guard import report, shielded
from ollamatrace.ids import process
from ollamatrace.records import Snapshot, SpanRecord, answer_snapshot, snapshot
from ollamatrace.spans import Span, is_cancellation
from ollamatrace.tracer import Tracer

_PART_CHUNKS: Final = 64
_CHUNK_BYTES: Final = 2048
"""About what one chunk takes as an object of the SDK."""

_BUSY: Final = ("generator already executing", "generator is already running")

Reads = Literal["answer", "chunks", "events", "body"]
"""What the program reads: a whole answer; the chunks of a stream as objects of the SDK; the bytes
of an event stream, or of another body."""


class Call(Span):
    """The span of one call of a model."""

    __slots__ = (
        "_assembled",
        "_assembly",
        "_binding",
        "_body",
        "_during",
        "_handed_over",
        "_has_parts",
        "_hides_counts",
        "_parts",
        "_provider",
        "_reads",
        "endpoint",
        "is_sent",
    )

    def __init__(self, tracer: Tracer, name: str, endpoint: Endpoint, binding: Binding) -> None:
        Span.__init__(self, tracer, name, endpoint.kind)
        self.endpoint = endpoint
        self._binding: Binding | None = binding
        self._provider = binding.provider
        self._has_parts: Callable[[Any], bool] | None = None
        self._hides_counts = False
        self.is_sent = False
        """Whether its request is on its way: another one inside is another call."""
        self._reads: Reads = "answer"

    # On the caller's thread

    def _read_on(self, reads: Reads) -> None:
        """There is more to come than this answer."""
        if self._reads == "answer":
            self._parts: list[Part] = []
            self._handed_over = 0
            """How many of them have gone to the worker."""
            self._assembled = 0
            """How many of them it has seen."""
            self._assembly: Assembly | None = None
        self._body: Body | None = None
        self._during = id(sys.exception())
        """The exception that was being handled, by its id, when the program got a stream."""
        self._reads = reads

    def is_beginning(self, binding: Binding, endpoint: Endpoint) -> bool:
        """Whether it is such a call of that client, and has not sent its request."""
        same = self.endpoint is endpoint and self._binding is binding
        return same and not self.is_sent and not self.ended

    def take_inputs(
        self,
        given: dict[str, Any],
        taken: Snapshot | None = None,
        hides_counts: bool = False,  # noqa: FBT001, FBT002  by position it is faster
    ) -> None:
        """Keep the arguments as they are now.

        Args:
            given: What is sent.
            taken: Its snapshot, if there is one already.
            hides_counts: Whether the program is not to get the chunk with the token counts, which
                it did not ask for.
        """
        self._hides_counts = hides_counts
        if "stream" in given:
            self._has_parts = self.endpoint.answer.parts_in(given)
        if taken is None:
            taken = snapshot(given, self.owner.capture.max_leaf_bytes, exclude_unset=True)
        self._inputs = taken

    def succeed(self, result: Any) -> Any:
        """Take what the SDK gave; returns the object that the program gets instead, if any."""
        self._binding = None  # what waits in the queue keeps no client alive
        try:
            self.leave()
            return self._take_result(result)
        except Exception as error:  # noqa: BLE001  shielded in place: a call more would be felt
            self._failed_to_take(error)
            return None

    @shielded
    def _failed_to_take(self, error: Exception) -> None:
        self.end()  # better without its answer than never
        raise error

    def _take_result(self, result: Any) -> Any:
        form = form_of(result)
        if form == "answer":
            take = snapshot if self.kind == "EMBEDDING" else answer_snapshot
            # Another tracer's proxy is recorded as what it stands for.
            answer = result if type(result) is result.__class__ else dumped(result) or result
            self._outputs = take(answer, self.owner.capture.max_leaf_bytes)
        elif form == "stream":
            return self._listen_to(result)
        elif form == "raw":
            return self._respond(result)
        else:
            self._take_body(result.response, None)
        self.end()
        return None

    @shielded
    def parsed(self, stream: Any) -> Any:
        """The program parsed a raw response; returns what it gets instead, if it is a stream."""
        return self._listen_to(stream) if form_of(stream) == "stream" else None

    def _listen_to(self, stream: Any) -> Any:
        self._read_on("chunks")
        return traced_stream(stream, self)

    def _respond(self, response: Any) -> Any:
        if self._take_body(response.http_response, getattr(response, "_cast_to", None)):
            self.end()
            return None
        return traced_response(response, self)

    def _take_body(self, http: Any, answer_type: Any) -> bool:
        """Begin with the body of an HTTP response; says whether it is there already."""
        kind = http.headers.get("content-type") or ""
        body = Body(kind, answer_type, self.owner.capture.max_leaf_bytes)
        self._read_on("events" if body.is_event_stream else "body")
        self._body = None if body.is_event_stream else body
        content = content_of(http)
        if content is not None:
            self.piece(content)
        return content is not None

    @shielded
    def raised(self, error: BaseException) -> None:
        """The call itself raised."""
        self._binding = None
        try:
            if isinstance(error, GeneratorExit):  # maybe the garbage collector's: see `abandon`
                self._end("CANCELLED", "cancelled", error)
            else:
                self.leave()
                self.fail(error)
        finally:
            self._end("ERROR", "error", None)  # if it could not be told what it was

    def chunk(self, item: Any) -> bool:
        """Keep a chunk, by reference, and when it came; says whether it is to be hidden."""
        hidden = self._hides_counts and _is_counts_only(item)
        try:
            if not self.ended:
                has_parts, parts = self._has_parts, self._parts
                if has_parts is not None and has_parts(item):
                    item = dumped(item) or item  # the program may go on with what is in it
                parts.append((perf_counter_ns(), item))
                if not len(parts) % _PART_CHUNKS:
                    self._hand_over()
        except Exception as error:  # noqa: BLE001  shielded in place: a call more would be felt
            report("Call.chunk", error)
        return hidden

    @property
    def reads_body(self) -> bool:
        """Whether the program reads bytes, which nobody has parsed."""
        return self._reads in {"events", "body"} and not self.ended

    @shielded
    def piece(self, data: bytes) -> None:
        """Keep a piece of a body."""
        if self._body is not None:
            self._body.add(data)
        elif self._reads == "events":
            self.chunk(data)

    @shielded
    def exhausted(self) -> None:
        """What the program reads has come to its end."""
        self.end("OK", "returned" if self._reads == "body" else "exhausted")

    @shielded
    def failed(self, error: BaseException) -> None:
        """Reading raised."""
        if _is_busy(error):
            return
        try:
            if isinstance(error, GeneratorExit):  # the program's own generator around it is closed
                self._end("OK", "closed", None)  # maybe by the garbage collector: see `abandon`
            else:
                self.fail(error)
        finally:
            self._end("ERROR", "error", None)  # as above

    @shielded
    def closed(self) -> None:
        """The program closed what it reads, maybe because of an exception that goes through it."""
        error = sys.exception()
        if error is None or id(error) == self._during or not is_cancellation(error):
            self.end("OK", "closed" if self._reads == "chunks" or self._is_read() else "abandoned")
        else:
            self.failed(error)

    def _is_read(self) -> bool:
        pieces = self._body.size if self._body is not None else len(self._parts)
        return pieces + self._handed_over > 0

    @shielded
    def body_closed(self, http: Any) -> None:
        """An HTTP response was closed: by the program, a helper, or the end of a generator."""
        if is_reading():
            return  # at its end, of which the reader says more
        if self.reads_body and not self._is_read() and http.is_stream_consumed:
            self.warn("the program read the body as it was sent, which is not recorded")
            self.end("OK", "closed")
        elif self._reads == "chunks" and isinstance(sys.exception(), GeneratorExit):
            self.abandon()  # the SDK's own generator goes away: its event loop ends, for instance
        else:
            self.closed()

    @shielded
    def dropped(self) -> None:
        """Nobody holds any more what there was to read."""
        self.abandon()

    @shielded
    def _hand_over(self) -> None:
        pipeline = self.owner.pipeline
        if process.generation != self._generation or pipeline.closed:
            self._parts = []  # it is recorded elsewhere, or not at all
        while len(self._parts) >= _PART_CHUNKS:
            part = _Handed(self, self._parts[:_PART_CHUNKS])
            if not pipeline.put(part, self._weight(part.parts), 0, is_part=True):
                return  # no room now: they stay here, and are offered again
            self._handed_over += _PART_CHUNKS
            del self._parts[:_PART_CHUNKS]

    def _size(self) -> int:
        size = Span._size(self)
        if self._reads == "answer":
            return size
        # Chunks that found no room before are held anyway: they are let in with the span.
        here = self._weight(self._parts[:_PART_CHUNKS])
        body = 0 if self._body is None else self._body.size
        return size + body + here + self._event_size()

    def _weight(self, parts: list[Part]) -> int:
        if self._reads == "events":
            return sum(len(part) for _, part in parts)
        return _CHUNK_BYTES * len(parts)

    def _event_size(self) -> int:
        if not self.owner.capture.stream_events:
            return 0
        return CHUNK_EVENT_BYTES * min(self._handed_over, MOST_EVENTS)

    # On the worker

    def assemble(self, parts: list[Part]) -> Assembly:
        """Put the next parts of a stream to those before."""
        if self._assembly is None:
            self._assembly = Assembly(
                self.endpoint.answer, self.owner.capture, self._start_ns, self._begun
            )
        self._assembly.add(parts)
        self._assembled += len(parts)
        return self._assembly

    def finish(self) -> SpanRecord:
        """Make the record: merge what is left, read the answer."""
        record = super().finish()
        record.provider = self._provider.name
        record.attributes = {**self._provider.place, **record.attributes}
        complete = None
        if self._reads in {"chunks", "events"}:
            # Those that another thread was just handing over when the span ended are here twice.
            twice = max(0, self._assembled - self._handed_over)
            parts, self._parts = self._parts[twice:], []
            assembly = self.assemble(parts)
            assembly.give(record)
            complete = assembly.complete
        elif self._reads == "body" and self._body is not None:
            self._body.give(record)
        read_answer(record, self.endpoint.answer, complete=complete)
        return record


class _Handed:
    """Parts of a stream that goes on."""

    is_sampled = True
    """They are of no use without the rest of the span, which is asked."""
    __slots__ = ("_call", "parts")

    def __init__(self, call: Call, parts: list[Part]) -> None:
        self._call = call
        self.parts = parts

    def finish(self) -> None:
        self._call.assemble(self.parts)


def _is_busy(error: BaseException) -> bool:
    """Whether another thread or task reads just now: it goes on, and this one is turned away."""
    return isinstance(error, ValueError | RuntimeError) and str(error).endswith(_BUSY)


def _is_counts_only(chunk: Any) -> bool:
    return not getattr(chunk, "choices", True) and getattr(chunk, "usage", None) is not None
