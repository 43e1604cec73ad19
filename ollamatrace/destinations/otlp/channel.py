"""An OTLP server as a destination."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Final

from ollamatrace import guard
from ollamatrace.destinations.exchange import Exchange
from ollamatrace.destinations.otlp.answers import failure
from ollamatrace.destinations.otlp.encoding import Encoding
from ollamatrace.destinations.otlp.json_encoding import JsonEncoding
from ollamatrace.destinations.otlp.outgoing import Outgoing, outgoing
from ollamatrace.destinations.otlp.protobuf_encoding import ProtobufEncoding
from ollamatrace.destinations.otlp.publisher import Publisher
from ollamatrace.destinations.otlp.resource import SERVICE, resource
from ollamatrace.destinations.otlp.target import Target
from ollamatrace.errors import ConfigError
from ollamatrace.pipeline import Refused
from ollamatrace.records import Record, SpanRecord, TraceUpdate
from ollamatrace.settings import Delivery, Otlp

_LEVEL: Final = 1
"""Of compression: the usual ones take three times as long, and save a sixth of what is left."""


class OtlpChannel:
    """Sends spans to a backend of OpenTelemetry by OTLP over HTTP, and metrics where they go.

    Args:
        server: ``otlp+http://…``, ``otlp+https://…`` or ``otlp:``; see `Target`.
        experiment: What the traces are filed under: an attribute of the resource.
        delivery: The time-out, if the environment has none.
        otlp: What the environment says.

    Raises:
        ConfigError: something of it cannot work, or a library is missing.
    """

    def __init__(self, server: str, experiment: str, delivery: Delivery, otlp: Otlp) -> None:
        target = Target.parse(server, otlp, delivery.timeout_s)
        self._target = target
        self._encoding: Encoding = JsonEncoding() if target.is_json else ProtobufEncoding()
        self._resource = resource(otlp, experiment)
        self._experiment = experiment
        self._exchange = Exchange(
            target.address,
            target.headers,
            target.trust,
            target.timeout_s,
            partial(failure, message=self._encoding.message, is_withheld=target.is_withheld),
        )
        self._fields = {"content-type": self._encoding.content_type}
        if target.is_gzip:
            self._fields["content-encoding"] = "gzip"
        self._is_told = False
        """That updates cannot be sent."""
        self._publisher = self._made_publisher(server, otlp, delivery.timeout_s)

    @property
    def url(self) -> str:
        """The server's address, without credentials."""
        return self._target.url

    @property
    def address(self) -> str:
        """The address that spans are posted to, without credentials."""
        return self._exchange.url

    @property
    def experiment(self) -> str:
        """The service and the experiment.

        Both are said of all spans of a request, and so must be those of what waited on disk.
        """
        return f"{self._resource[SERVICE]}/{self._experiment}"

    @property
    def metrics_url(self) -> str | None:
        """Where metrics go, without credentials; ``None``: nowhere."""
        return None if self._publisher is None else self._publisher.url

    def start(self) -> None:
        """Be ready to send metrics."""
        if self._publisher is not None:
            self._publisher.start()

    def measure(self, record: SpanRecord) -> None:
        """Count a span, if it is a call of a model."""
        if self._publisher is not None:
            self._publisher.measure(record)

    def publish(self, timeout: float, *, is_patient: bool) -> None:
        """Send metrics; see `Publisher`."""
        if self._publisher is not None:
            self._publisher.publish(timeout, is_patient=is_patient)

    def prepare(self) -> None:
        """Import what sending needs."""
        self._exchange.prepare()
        self._encoding.prepare()

    def send(self, records: Sequence[Record], pause: Callable[[], None]) -> None:
        """Bring spans to the server; of the same span twice the last.

        Raises:
            Unavailable: try all of them again.
            Refused: not these together.
            Denied: nothing will be taken.
        """
        spans = {(one.trace_id, one.span_id): one for one in records if isinstance(one, SpanRecord)}
        if not self._is_told and any(isinstance(one, TraceUpdate) for one in records):
            self._is_told = True
            guard.warn(
                f"otlp update:{self.url}",
                f"update_trace: {self.url} keeps what it has of a trace, as OTLP cannot change "
                "spans that have ended; say it while the root span is open",
            )
        if not spans:
            return
        made = (outgoing(span, self._target.names, pause) for span in spans.values())
        self._hear(self._post(made, pause), len(spans))

    def check(self) -> None:
        """Send a request without spans, to see whether the server takes any.

        Raises:
            Unavailable: not now.
            Refused: it does not want this request.
            Denied: nothing is taken.
        """
        self._post((), lambda: None)

    def check_metrics(self) -> None:
        """Do the same with metrics.

        Raises:
            TakesNone: it takes no metrics, as many servers do.
            Unavailable: not now.
            Refused: it does not want this request.
            Denied: nothing is taken.
        """
        if self._publisher is not None:
            self._publisher.ask([])

    def close(self) -> None:
        """Close the connections; a later `send` opens others. Nothing more is measured."""
        self._exchange.close()
        if self._publisher is not None:
            self._publisher.close()

    def abandon(self) -> None:
        """Leave the connections, in the child of a fork, to the parent."""
        self._exchange.abandon()
        if self._publisher is not None:
            self._publisher.abandon()

    def _made_publisher(self, server: str, otlp: Otlp, timeout_s: float) -> Publisher | None:
        try:
            target = Target.of_metrics(server, otlp, timeout_s)
            if target is None or otlp.metrics is None:
                return None
            encoding: Encoding = JsonEncoding() if target.is_json else ProtobufEncoding()
        except ConfigError as error:
            # What the environment says of metrics may be for another exporter: spans can be sent.
            guard.warn(
                f"metrics:{self.url}",
                f"there are no metrics: {error}. OTEL_METRICS_EXPORTER=none turns them off",
            )
            return None
        is_own = otlp.metrics.own_endpoint is not None
        return Publisher(target, self._resource, encoding, is_own=is_own)

    def _post(self, spans: Iterable[Outgoing], pause: Callable[[], None]) -> bytes:
        body = self._encoding.body(self._resource, spans, pause)
        if self._target.is_gzip:
            body = gzip.compress(body, _LEVEL, mtime=0)
        return self._exchange.ask("POST", "", body, self._fields)

    def _hear(self, body: bytes, sent: int) -> None:
        """What the server says of the spans that it took, or did not."""
        try:
            rejected, message = self._encoding.partial(body)
        except (ValueError, TypeError):
            return  # it took them; some answer with a word of their own
        if not rejected and not message:
            return
        text = f"{self.url} rejects {rejected} of {sent} spans: {message or 'no reason'}"
        if rejected >= sent:
            raise Refused(text)
        # It does not say which; sending all again is against the protocol.
        guard.warn(f"otlp partial:{self.url}", text if rejected else f"{self.url} says: {message}")
