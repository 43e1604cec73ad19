"""Sampling: whole traces or nothing of them, and every span counted."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import subprocess
import sys
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ollamatrace
from ollamatrace import (
    Capture,
    ConfigError,
    Delivery,
    Sampling,
    Tracer,
    current_span,
    extract,
    inject,
    last_trace_id,
    update_trace,
)
from ollamatrace.ids import new_bits
from ollamatrace.pipeline.sampler import Sampler, Sized
from ollamatrace.records import TraceUpdate
from ollamatrace.testing import MemoryTracer
from tests.pipeline.tracers import balanced

BRANCHES = 3


class BoomError(Exception):
    pass


def sampled(ratio=1.0, keep=()):
    return MemoryTracer(sampling=Sampling(ratio, keep))


def one_trace(tracer, *, fails=False):
    """A root with two children below each other; returns the trace id."""
    with contextlib.suppress(BoomError), tracer.span("root") as root:
        with tracer.span("child"), tracer.span("grandchild"):
            if fails:
                raise BoomError
        with tracer.span("late"):
            pass
    return root.trace_id


def test_nothing_of_what_is_not_wanted_is_recorded_and_all_of_it_is_counted():
    with sampled(0) as tracer:
        trace_id = one_trace(tracer)
        assert last_trace_id() == trace_id
        assert tracer.finished() == []
        report = balanced(tracer.stats())
    assert (report.accepted, report.sampled_out) == (0, 4)
    assert [one.sampled_out for one in report.destinations.values()] == [4]


def test_by_default_everything_is_recorded():
    with MemoryTracer() as tracer:
        one_trace(tracer)
        assert len(tracer.finished()) == 4
        assert tracer.stats().sampled_out == 0


def test_traces_are_recorded_whole_or_not_at_all():
    with sampled(0.5) as tracer:
        traces = [one_trace(tracer) for _ in range(400)]
        records = tracer.finished()
        report = balanced(tracer.stats())
    found = [record.trace_id for record in records]
    assert {found.count(trace_id) for trace_id in traces} == {0, 4}
    assert 100 < len(set(found)) < 300
    assert report.accepted == report.delivered == len(records)
    assert report.sampled_out == 1600 - len(records)
    ids = {record.span_id for record in records}
    assert all(record.parent_id in ids for record in records if record.parent_id)


@given(st.integers(1, 2**128 - 1), st.floats(0, 1))
def test_the_same_traces_as_opentelemetry_takes(trace, ratio):
    from opentelemetry.sdk.trace.sampling import Decision, TraceIdRatioBased

    theirs = TraceIdRatioBased(ratio).should_sample(None, trace, "").decision
    ours = Sampler(Sampling(ratio), Delivery(), None).wants(trace)
    assert ours == (theirs is Decision.RECORD_AND_SAMPLE)


async def test_what_begins_in_tasks_and_threads_follows():
    with sampled(0) as tracer:

        async def task():
            with tracer.span("task"):
                await asyncio.to_thread(work)

        @tracer.trace
        def work():
            with tracer.span("thread"):
                pass

        with tracer.span("root"):
            await asyncio.gather(*(task() for _ in range(BRANCHES)))
        assert tracer.finished() == []
        assert tracer.stats().sampled_out == 1 + 3 * BRANCHES


def test_what_is_not_wanted_says_so_to_other_processes():
    with sampled(0) as here, MemoryTracer() as there:
        with here.span("caller"):
            headers = inject()
        assert headers["traceparent"].endswith("-00")
        with extract(headers), there.span("answers") as answer:
            assert inject()["traceparent"] == f"00-{answer.trace_id}-{answer.span_id}-00"
            with there.span("below"):
                pass
        assert there.finished() == []
        assert there.stats().sampled_out == 2


def test_what_is_wanted_elsewhere_is_wanted_here():
    with MemoryTracer() as here, sampled(0, keep=("errors",)) as there:
        with here.span("caller"):
            headers = inject()
        assert headers["traceparent"].endswith("-01")
        with extract(headers), there.span("answers"), there.span("below"):
            update_trace(user="u")
        assert [record.name for record in there.finished()] == ["below", "answers"]
        assert there.stats().sampled_out == 0


def test_what_is_not_wanted_elsewhere_is_not_kept_here():
    """Its parent would be nowhere."""
    with sampled(0) as here, sampled(1, keep=("errors",)) as there:
        with here.span("caller"):
            headers = inject()
        with contextlib.suppress(BoomError), extract(headers), there.span("answers"):
            raise BoomError
        assert there.finished() == []
        assert there.stats().sampled_out == 1


def test_an_update_of_a_trace_that_is_left_out_goes_nowhere():
    seen = []

    class Looking(MemoryTracer):
        def _open(self, *address, **settings):
            [memory] = super()._open(*address, **settings)
            write = memory.write

            def looked(records, pause):
                seen.extend(records)
                write(records, pause)

            memory.write = looked
            return [memory]

    with Looking(sampling=Sampling(0)) as tracer:
        one_trace(tracer)
        update_trace(user="u")
        with tracer.span("again"):
            update_trace(tags={"a": "b"})
        tracer.flush()
    assert seen == []


def test_with_errors_a_trace_is_kept_whole():
    with sampled(0, keep=("errors",)) as tracer:
        one_trace(tracer)
        failed = one_trace(tracer, fails=True)
        records = tracer.finished()
        report = balanced(tracer.stats())
    assert [record.name for record in records] == ["grandchild", "child", "root"]
    assert {record.trace_id for record in records} == {failed}
    assert (report.accepted, report.delivered, report.sampled_out) == (3, 3, 4)


def test_with_warnings_a_trace_is_kept():
    with MemoryTracer(
        capture=Capture(max_leaf_bytes=64), sampling=Sampling(0, keep=("warnings",))
    ) as tracer:
        with tracer.span("short") as short:
            short.inputs = "x"
        with tracer.span("cut") as cut:
            cut.inputs = "x" * 1000
        assert [record.name for record in tracer.finished()] == ["cut"]


def test_a_rule_gets_the_trace_in_the_order_in_which_its_spans_began():
    seen = []

    def rule(trace):
        seen.append((trace.trace_id, trace.root.name, [span.name for span in trace.spans]))
        return len(seen) == 2

    with sampled(0, keep=(rule,)) as tracer:
        first, second = one_trace(tracer), one_trace(tracer)
        records = tracer.finished()
    assert seen == [
        (one, "root", ["root", "child", "grandchild", "late"]) for one in (first, second)
    ]
    assert {record.trace_id for record in records} == {second}


def test_a_rule_that_raises_keeps_the_trace_and_is_told():
    told = []

    def rule(trace):
        raise BoomError("no")

    class Told(MemoryTracer):
        def __init__(self):
            self._memory = ollamatrace.testing._Memory()
            Tracer.__init__(self, sampling=Sampling(0, keep=(rule,)), on_warning=told.append)

    with Told() as tracer:
        one_trace(tracer)
        assert len(tracer.finished()) == 4
    assert told == ["a rule of Sampling(keep=…) raised BoomError: no; the trace is kept"]


def test_what_the_ratio_takes_is_not_asked_about_and_not_held_back():
    with sampled(1, keep=(lambda _: pytest.fail("asked"),)) as tracer, tracer.span("open"):
        with tracer.span("child"):
            pass
        assert [record.name for record in tracer.finished()] == ["child"]


def test_a_flush_does_not_wait_for_what_is_held_back():
    with sampled(0, keep=("errors",)) as tracer:
        with contextlib.suppress(BoomError), tracer.span("root"):
            with tracer.span("child"):
                pass
            report = balanced(tracer.flush(timeout=30))
            assert (report.accepted, report.pending) == (1, 1)
            raise BoomError
        assert [record.name for record in tracer.finished()] == ["child", "root"]
        assert balanced(tracer.stats()).delivered == 2


@pytest.mark.parametrize("fails", [False, True])
def test_what_ends_after_its_trace_was_decided_follows(fails):
    with sampled(0, keep=("errors",)) as tracer:
        late = tracer.span("late")
        with contextlib.suppress(BoomError), tracer.span("root"):
            late.begin()
            if fails:
                raise BoomError
        tracer.flush()
        late.fail(BoomError("too late to keep it"))
        update_trace(tags={"a": "b"})
        records = tracer.finished()
        report = balanced(tracer.stats())
    assert [record.name for record in records] == (["root", "late"] if fails else [])
    assert [record.tags for record in records] == [{"a": "b"}] * len(records)
    assert report.sampled_out == (0 if fails else 2)


def test_closing_decides_what_has_not_ended():
    with sampled(
        0, keep=(lambda trace: any(span.name == "asked for" for span in trace.spans),)
    ) as t:
        kept, out = t.span("root"), t.span("other root")
        kept.begin()
        child = t.span("asked for", parent=kept)
        with child:
            pass
        out.begin()
        with t.span("not", parent=out):
            pass
        report = balanced(t.close())
    assert (report.accepted, report.delivered, report.sampled_out) == (1, 1, 1)


def test_no_more_is_held_back_than_there_is_room_for():
    with MemoryTracer(sampling=Sampling(0, keep=("errors",))) as tracer:
        tracer.pipeline.sampler._most_spans = 10
        roots = [tracer.span(f"root {number}") for number in range(20)]
        for root in roots:
            root.begin()
            with contextlib.suppress(BoomError), tracer.span("child", parent=root):
                raise BoomError
        tracer.flush()
        assert len(tracer.finished()) == 10  # the oldest, and kept, as there was an error
        for root in roots:
            root.end()
        assert len(tracer.finished()) == 10 + 20
        assert balanced(tracer.stats()).sampled_out == 0


def test_what_is_held_back_leaves_room_for_others(monkeypatch):
    with MemoryTracer(sampling=Sampling(0, keep=("errors",))) as tracer:
        for _ in range(3):
            one_trace(tracer)
        tracer.flush()
        assert (tracer.pipeline._queue.waiting, tracer.pipeline._queue.bytes) == (0, 0)


def test_every_span_is_counted_at_every_moment():
    with sampled(0.3, keep=("errors",)) as tracer:
        stop, wrong, ended = threading.Event(), [], []

        def look():
            while not stop.is_set():
                try:
                    balanced(tracer.stats())
                except AssertionError as error:
                    wrong.append(error)
                    return

        def work(seed):
            chance = random.Random(seed)
            for _ in range(300):
                one_trace(tracer, fails=chance.random() < 0.2)
            ended.append(seed)

        looking = threading.Thread(target=look)
        working = [threading.Thread(target=work, args=(seed,)) for seed in range(3)]
        looking.start()
        for thread in working:
            thread.start()
        for thread in working:
            thread.join()
        report = balanced(tracer.flush(timeout=30))
        stop.set()
        looking.join()
        records = tracer.finished()
    assert not wrong
    assert len(ended) == 3
    names = [record.name for record in records]
    roots = names.count("root")
    assert report.pending == 0
    assert report.delivered == len(records)
    assert names.count("child") == names.count("grandchild") == roots
    spans = sum(3 if record.status == "ERROR" else 4 for record in records if record.name == "root")
    assert spans == len(records)
    assert 300 < roots < 600


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.sampled_from(["open", "end", "fail", "flush"]))))
def test_no_span_is_recorded_without_the_one_above_it(steps):
    with sampled(0.5, keep=("errors",)) as tracer:
        stacks = {number: [] for number in range(5)}
        count = 0
        records = []
        for number, step in steps:
            stack = stacks[number]
            if step == "open":
                span = tracer.span("s", parent=stack[-1] if stack else None)
                span.begin()
                stack.append(span)
            elif step == "flush":
                records += tracer.finished()
            elif stack:
                count += 1
                stack.pop().end() if step == "end" else stack.pop().fail(BoomError())
        for stack in stacks.values():
            while stack:
                count += 1
                stack.pop().end()
        records += tracer.finished()
        report = balanced(tracer.stats())
    ids = {record.span_id for record in records}
    assert all(record.parent_id in ids for record in records if record.parent_id)
    assert report.accepted == report.delivered == len(records)
    assert report.accepted + report.sampled_out == count


PROGRAM = """
from ollamatrace import Sampling, Tracer
tracer = Tracer(f"sqlite:///{__import__('sys').argv[1]}", sampling=Sampling(0, keep=("errors",)))
root = tracer.span("open at the end")
root.begin()
try:
    with tracer.span("child", parent=root):
        1 / 0
except ZeroDivisionError:
    pass
with tracer.span("fine"):
    pass
"""


def test_what_is_held_back_at_exit_is_decided(tmp_path):
    store = tmp_path / "x.db"
    subprocess.run([sys.executable, "-c", PROGRAM, store], check=True)
    with Tracer(f"sqlite:///{store}") as tracer:
        [trace] = asyncio.run(tracer.search_traces())
    assert [span.name for span in trace.spans] == ["open at the end", "child"]
    assert trace.root.end_reason == "abandoned"


def test_what_is_held_back_stays_with_the_parent(tmp_path):
    with sampled(0, keep=(lambda _: True,)) as tracer:
        with tracer.span("root"):
            with tracer.span("child"):
                pass
            tracer.flush()
            child = os.fork()
            if not child:
                with contextlib.suppress(BaseException):
                    os._exit(0 if not tracer.pipeline.sampler._held else 1)
            assert os.waitpid(child, 0)[1] == 0
        assert len(tracer.finished()) == 2


def test_a_span_of_opentelemetry_that_is_not_sampled_is_followed():
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased

    from ollamatrace import otel

    otel.connect()
    try:
        for sampler, expected in ((ALWAYS_OFF, 0), (ALWAYS_ON, 1)):
            other = TracerProvider(sampler=sampler).get_tracer("t")
            with MemoryTracer() as tracer:
                with other.start_as_current_span("theirs"), tracer.span("ours"):
                    pass
                assert len(tracer.finished()) == expected
        with sampled(0) as tracer, tracer.span("ours"):
            below = TracerProvider(sampler=ParentBased(ALWAYS_ON)).get_tracer("t")
            with below.start_as_current_span("theirs") as theirs:
                assert not theirs.is_recording()
                assert not trace.get_current_span().get_span_context().trace_flags.sampled
    finally:
        otel.disconnect()


def test_a_span_that_is_not_wanted_is_like_any_other():
    with sampled(0) as tracer, tracer.span("root") as root:
        assert current_span() is root
        assert root.is_open
        assert len(root.trace_id) == 32


@pytest.mark.parametrize("ratio", [-0.1, 1.1, float("nan")])
def test_a_share_is_from_none_to_all(ratio):
    with pytest.raises(ConfigError, match="ratio is a share from 0 to 1"):
        Sampling(ratio)


@pytest.mark.parametrize("keep", ["errors", ["slow"], [1], len])
def test_rules_are_callables_or_known(keep):
    with pytest.raises(ConfigError, match="keep takes"):
        Sampling(0.1, keep=keep)


def test_the_decision_is_as_random_as_the_id():
    sampler = Sampler(Sampling(0.25), Delivery(), None)
    taken = sum(sampler.wants(new_bits(128)) for _ in range(20_000))
    assert 4_500 < taken < 5_500


def test_closing_decides_what_was_held_back_long_ago():
    with sampled(0, keep=("errors",)) as tracer:
        root = tracer.span("root")
        root.begin()
        with contextlib.suppress(BoomError), tracer.span("child", parent=root):
            raise BoomError
        assert tracer.flush().pending == 1
        report = balanced(tracer.close(timeout=30))
    assert (report.delivered, report.pending) == (1, 0)


def test_a_trace_whose_end_finds_no_room_is_decided(tmp_path):
    with Tracer(
        f"sqlite:///{tmp_path}/traces.db",
        sampling=Sampling(0, keep=("errors",)),
        delivery=Delivery(max_bytes=20_000),
    ) as tracer:
        with tracer.span("root") as root:
            with contextlib.suppress(BoomError), tracer.span("child"):
                raise BoomError
            tracer.flush()
            root.inputs = "x" * 50_000
        report = balanced(tracer.flush(timeout=30))
    assert (report.delivered, report.dropped, report.pending) == (1, 1, 0)


def test_a_trace_that_calls_its_own_process_is_one():
    with sampled(0, keep=("errors",)) as tracer:

        def serve(headers):
            with extract(headers), tracer.span("answers"):
                pass

        with contextlib.suppress(BoomError), tracer.span("root"):
            server = threading.Thread(target=serve, args=(inject(),))
            server.start()
            server.join()
            raise BoomError
        assert [record.name for record in tracer.finished()] == ["answers", "root"]


@pytest.mark.parametrize("ratio", [0, 1])
def test_between_two_of_ours_what_others_say_does_not_count(ratio):
    with sampled(ratio) as tracer, tracer.span("outer") as outer:
        flags = "00" if ratio else "01"
        header = f"00-{outer.trace_id}-{'b' * 16}-{flags}"
        with extract({"traceparent": header}), tracer.span("inner"):
            pass
        assert len(tracer.finished()) == ratio


def test_a_rule_that_ends_the_program_does_not():
    with sampled(0, keep=(lambda _: sys.exit(3),)) as tracer:
        one_trace(tracer)
        assert len(tracer.finished()) == 4
        one_trace(tracer)
        assert len(tracer.finished()) == 4


def test_an_update_of_a_trace_that_was_left_out_long_ago_goes_nowhere():
    sampler = Sampler(Sampling(0), Delivery(), None)
    update = Sized(TraceUpdate(trace_id="1" * 32, user="u"), 1)
    assert sampler.sift(update, wanted=False) == ([], [update])


def test_what_others_wanted_can_still_be_changed():
    with sampled(0) as tracer:
        with extract({"traceparent": f"00-{'f' * 32}-{'b' * 16}-01"}), tracer.span("answers"):
            pass
        update_trace(user="ada")
        assert [record.user for record in tracer.finished()] == ["ada"]


def test_below_a_root_of_the_parent_process_nothing_is_kept_for_itself():
    with sampled(0, keep=("errors",)) as tracer, tracer.span("root"):
        child = os.fork()
        if not child:
            with contextlib.suppress(BaseException):
                with contextlib.suppress(BoomError), tracer.span("in child"):
                    raise BoomError
                os._exit(len(tracer.finished()))
            os._exit(9)
        assert os.waitpid(child, 0)[1] == 0


def test_the_room_of_attributes_is_counted():
    with sampled(0, keep=("errors",)) as tracer:
        tracer.pipeline.sampler._most_bytes = 100_000
        with tracer.span("root"):
            for _ in range(3):
                with tracer.span("child") as child:
                    child.set("big", "x" * 60_000)
            tracer.flush()
            assert tracer.pipeline.sampler._held_bytes < 100_000
