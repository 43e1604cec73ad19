"""Tracers with one defect each, to see that the judge finds it."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import threading
from collections.abc import Iterator
from typing import Any

from tests.conformance.ours import PARENT, Ollamatrace
from tests.conformance.wrapper import Seen


class LosesDropped(Ollamatrace):
    """What is not read to its end and not closed is never heard of."""

    def spans(self) -> list[Seen]:
        return [span for span in super().spans() if span.end_reason != "abandoned"]


class BareGenerators(Ollamatrace):
    """The program gets a generator of its own instead of a stream."""

    def wrap(self, client: Any) -> Any:
        def replaced(call: Any, given: dict[str, Any]) -> Any:
            return _generator(call, given) if given.get("stream") else call(**given)

        traced = super().wrap(client)
        is_async = type(client).__name__.startswith("Async")
        return traced if is_async else _replaced(traced, replaced)


def _generator(call: Any, given: dict[str, Any]) -> Iterator[Any]:
    stream = call(**given)
    try:
        yield from stream
    finally:
        stream.close()


def _replaced(client: Any, way: Any) -> Any:
    resource, name = (client, "chat")
    if not callable(client.chat):
        resource, name = client.chat.completions, "create"
    call = getattr(resource, name)
    setattr(resource, name, lambda **given: way(call, given))
    return client


class Talks(Ollamatrace):
    """All is well, and said so in the log of the program."""

    @contextlib.contextmanager
    def parent(self) -> Iterator[str]:
        with super().parent() as span_id:
            yield span_id
        logging.getLogger("talkative").warning("a span has ended")


class StaysCurrent(Ollamatrace):
    """A span is attached at the call and never detached."""

    def wrap(self, client: Any) -> Any:
        def attached(call: Any, given: dict[str, Any]) -> Any:
            result = call(**given)
            self._tracer.span(PARENT).__enter__()
            return result

        return _replaced(super().wrap(client), attached)


class Hangs(Ollamatrace):
    """Waits for a server that does not answer when a stream was closed."""

    def spans(self) -> list[Seen]:
        spans = super().spans()
        if any(span.end_reason == "closed" for span in spans):
            threading.Event().wait()
        return spans


class EndsTwice(Ollamatrace):
    """Each span comes twice."""

    def spans(self) -> list[Seen]:
        return super().spans() * 2


class ForgetsParents(Ollamatrace):
    def spans(self) -> list[Seen]:
        return [dataclasses.replace(span, parent_id=None) for span in super().spans()]


class CallsAllOk(Ollamatrace):
    def spans(self) -> list[Seen]:
        return [dataclasses.replace(span, status="OK") for span in super().spans()]


class ForgetsTexts(Ollamatrace):
    def spans(self) -> list[Seen]:
        return [dataclasses.replace(span, text="") for span in super().spans()]
