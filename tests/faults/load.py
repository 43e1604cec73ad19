"""Programs' spans by the thousand, and an account that is looked at all the time."""

from __future__ import annotations

import threading

from tests.pipeline.tracers import balanced
from tests.servers.processes import poll

THREADS = 4
DEADLINE_S = 90
_QUESTION = "Which of these two rivers is longer, and by how much? " * 6
_ANSWER = "The first one is, by some four hundred kilometres, as far as maps agree. " * 4


class Load:
    """Spans of small chats, made by several threads at once.

    Attributes:
        made: The (trace, span) ids of all of them.
        roots: The ids of their traces.
        poison: The ids of those whose name is ``poison``.
    """

    def __init__(self, tracer, spans, per_trace, poison=0):
        self.made, self.roots, self.poison = set(), set(), set()
        self._tracer = tracer
        self._per_trace = per_trace
        self._traces = spans // per_trace
        self._bad = {(2 * n + 1) * self._traces // (2 * poison) for n in range(poison)}
        self._numbers = iter(range(self._traces))
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._work) for _ in range(THREADS)]

    def start(self):
        for thread in self._threads:
            thread.start()
        return self

    def join(self):
        for thread in self._threads:
            thread.join()
        assert len(self.made) == self._traces * self._per_trace

    def _work(self):
        while True:
            with self._lock:
                number = next(self._numbers, None)
            if number is None:
                return
            self._trace(number)

    def _trace(self, number):
        with self._tracer.span("agent", kind="AGENT") as root:
            root.inputs = {"question": number}
            self._note(root)
            self.roots.add(root.trace_id)
            for step in range(1, self._per_trace):
                bad = step == 1 and number in self._bad
                with self._tracer.span("poison" if bad else "Chat", kind="CHAT_MODEL") as span:
                    span.inputs = {"messages": [{"role": "user", "content": _QUESTION}]}
                    span.outputs = {"message": {"role": "assistant", "content": _ANSWER}}
                    self._note(span)
                    if bad:
                        self.poison.add((span.trace_id, span.span_id))

    def _note(self, span):
        self.made.add((span.trace_id, span.span_id))


class Watch:
    """A thread that reads the account all the time: it must always balance, and never fall."""

    def __init__(self, tracer):
        self._tracer = tracer
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._before = tracer.stats()
        self.samples = 0
        self.wrong = []

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        self._thread.join()
        assert not self.wrong, self.wrong
        assert self.samples

    def _run(self):
        while not self._end.wait(0.002) and not self.wrong:
            self.samples += 1
            after = self._tracer.stats()
            try:
                check(self._before, balanced(after))
            except AssertionError:
                self.wrong.append(f"{self._before} and then {after}")
            self._before = after


def check(before, after):
    """What has been accepted, has arrived or is lost stays so."""
    pairs = [(before, after)]
    pairs += [(before.destinations[url], one) for url, one in after.destinations.items()]
    for earlier, later in pairs:
        assert earlier.accepted <= later.accepted
        assert earlier.delivered <= later.delivered
        assert earlier.dropped <= later.dropped
        assert all(count <= later.reasons[why] for why, count in earlier.reasons.items())


def settled(tracer, url=None):
    """Flush until nothing is on its way, to one destination or to all; the account by then."""

    def look():
        report = balanced(tracer.flush(timeout=1))
        one = report if url is None else report.destinations[url]
        return None if one.pending or one.spooled else report

    return poll(look, what=f"not all has arrived: {tracer.stats()}", deadline_s=DEADLINE_S)
