"""Tracers with destinations of a test's own, and what their accounts must always say."""

from __future__ import annotations

import time

from ollamatrace.tracer import Tracer

DEADLINE_S = 10


def tracer_with(*destinations, **settings):
    class Made(Tracer):
        def _open(self, *_address):
            return list(destinations)

    return Made(**settings)


def end_spans(tracer, *names):
    for name in names:
        with tracer.span(name):
            pass


def until(condition):
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.001)


def balanced(report):
    for one in (report, *report.destinations.values()):
        assert one.accepted == one.pending + one.spooled + one.delivered + one.dropped
        assert min(one.pending, one.spooled, one.delivered, one.dropped) >= 0
        assert one.dropped == sum(one.reasons.values())
    return report
