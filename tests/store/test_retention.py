"""Deleting traces leaves what the others need, and nothing else."""

import itertools
import math
import sqlite3
import threading
import time
from contextlib import closing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ollamatrace import Delivery, Tracer
from ollamatrace.destinations import embedded
from ollamatrace.errors import StoreError
from ollamatrace.records import TraceUpdate
from ollamatrace.store import Keeper, Store, schema
from ollamatrace.store.estimate import estimate
from ollamatrace.store.maintenance import Maintenance
from ollamatrace.store.retention import Limits
from tests.store.samples import T0, TRACE, conversation, rows, span

LONG = "long text " * 200
TABLES = ("trace", "span", "content", "link", "part", "use", "loose")


def counts(path):
    query = "SELECT count(*) FROM {}"
    return {table: rows(path, query.format(table))[0][0] for table in TABLES}


def delete(store, *numbers):
    with closing(Maintenance(store.path)) as maintenance:
        return sum(maintenance.delete([f"{number:032x}" for number in numbers]))


def lines(store):
    return {
        trace.trace_id: [one.line() for one in trace.spans] for trace in store.search(limit=999)
    }


def image_chat(number):
    """Messages with a text of their own, with one that others have, and an image in one."""
    messages = [
        {"role": "user", "content": LONG, "images": ["QUJD" * 1000]},
        {"role": "user", "content": f"number {number} {LONG}"},
    ]
    return span(number, trace=number, inputs={"messages": messages}, outputs=LONG + "answer")


@pytest.mark.parametrize("indexed", [False, True])
@pytest.mark.parametrize(
    "make", [lambda: list(conversation(30)), lambda: list(map(image_chat, range(30)))]
)
def test_what_is_left_of_all_but_one_is_what_that_one_takes(store, tmp_path, make, indexed):
    spans = make()
    store.write(spans, experiment="e")
    if indexed:
        assert store.search("answer")
    assert delete(store, *(number for number in range(30) if number != 20)) == 29
    fresh = Store(tmp_path / "fresh.db")
    fresh.write([spans[20]], experiment="e")
    assert counts(store.path) == counts(fresh.path)
    assert lines(store) == lines(fresh)
    fresh.close()


PREFIX = st.lists(st.integers(0, 2), max_size=4)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    chats=st.lists(st.tuples(st.integers(0, 4), PREFIX, st.booleans()), min_size=1, max_size=12),
    gone=st.sets(st.integers(0, 4)),
    search=st.booleans(),
)
def test_a_random_part_deleted_leaves_the_rest_as_it_was(tmp_path_factory, chats, gone, search):
    folder = tmp_path_factory.mktemp("random")
    store, fresh = Store(folder / "a.db"), Store(folder / "b.db")
    for one in (store, fresh):
        one.write([span(99, trace=99)], experiment="e")
    for number, (trace, turns, long) in enumerate(chats):
        messages = [
            {"role": "user", "content": f"turn {turn} {LONG if turn else ''}"} for turn in turns
        ]
        spans = [
            span(
                number % 5,
                trace=trace,
                inputs={"messages": messages},
                outputs=LONG * long,
                tags={"a": LONG},
            ),
            TraceUpdate(
                trace_id=f"{trace:032x}",
                name=f"name {number}",
                tags={"a": LONG + "x" * (number % 2)},
            ),
        ]
        store.write(spans, experiment="e")
        if trace not in gone:
            fresh.write(spans, experiment="e")
        if search:
            store.search("turn")
    delete(store, *gone)
    assert lines(store) == lines(fresh)
    assert counts(store.path) == counts(fresh.path)
    for text in ("turn 1", "name", "long text"):
        assert {t.trace_id for t in store.search(text)} == {t.trace_id for t in fresh.search(text)}
    with closing(sqlite3.connect(store.path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    store.close()
    fresh.close()


def test_the_text_index_forgets_what_is_deleted(store):
    store.write([span(n, trace=n, outputs=f"number {n}") for n in range(50)], experiment="e")
    assert len(store.search("number", limit=99)) == 50
    delete(store, *range(49))
    hits = rows(store.path, "SELECT rowid FROM text_index WHERE text_index MATCH '\"num\"'")
    assert len(hits) == 1


def test_a_span_written_again_leaves_nothing_of_the_first(store, tmp_path):
    first, second = image_chat(1), image_chat(2)
    second.span_id, second.trace_id = first.span_id, first.trace_id
    store.write([first], experiment="e")
    store.write([second], experiment="e")
    fresh = Store(tmp_path / "fresh.db")
    fresh.write([second], experiment="e")
    assert counts(store.path) == counts(fresh.path)
    assert lines(store) == lines(fresh)
    fresh.close()


def test_the_trace_that_ended_first_goes_first(store):
    store.write(
        [
            span(1, trace=1, end_ns=T0 + 900),
            span(2, trace=2, end_ns=T0 + 50),
            span(3, trace=3, end_ns=T0 + 70),
        ],
        experiment="e",
    )
    store.write([span(4, trace=2, end_ns=T0 + 80)], experiment="e")
    with closing(Maintenance(store.path)) as maintenance:
        assert maintenance.newest(2) == (T0 + 80, 2)
        assert sum(maintenance.keep_within(Limits(after=maintenance.newest(2)))) == 1
    assert {int(one.trace_id, 16) for one in store.search()} == {1, 2}


def test_a_trace_of_a_clock_before_1970_is_not_too_old_where_nothing_is(store):
    store.write([span(1, trace=1, start_ns=-900, end_ns=-800), span(2, trace=2)], experiment="e")
    assert estimate(store.path, Limits(), None).traces == 0
    assert delete(store, 2) == 1
    assert Keeper(store, 1 << 32, math.inf).step() == 0
    assert [int(one.trace_id, 16) for one in store.search()] == [1]


def test_a_step_is_short_and_a_trace_is_gone_at_once(store):
    messages = [{"role": "user", "content": f"{n} {LONG}"} for n in range(3000)]
    store.write([span(1, inputs={"messages": messages})], experiment="e")
    steps = 0
    while store.keep_within(Limits(after=(T0 * 2, 0)), 0.001).more:
        assert store.search() == []
        assert store.get(TRACE) is None
        assert store.trace_ids("") == []
        steps += 1
    assert steps > 5
    assert set(counts(store.path).values()) == {0}


def test_a_span_that_comes_after_its_trace_was_deleted_begins_it_anew(store):
    store.write([span(n) for n in range(100)], experiment="e")
    while store.get(TRACE) is not None:  # a machine that is busy needs several turns
        assert store.keep_within(Limits(after=(T0 * 2, 0)), 0.0002).more
    store.write([span(500)], experiment="e")
    assert len(store.get(TRACE).spans) == 1
    while store.keep_within(Limits(), 0.01).more:
        pass
    assert len(store.get(TRACE).spans) == 1
    assert counts(store.path)["span"] == 1


def test_a_reader_keeps_what_it_has_begun_to_read(store):
    store.write([image_chat(n) for n in range(9)], experiment="e")
    with store._reading() as connection:
        delete(store, *range(9))
        store.write([image_chat(n) for n in range(20, 29)], experiment="e")  # uses the ids again
        assert connection.execute("SELECT count(*) FROM span").fetchone() == (9,)
    assert len(store.search()) == 9


def test_the_size_is_kept(store, caplog):
    keeper = Keeper(store, 1_000_000, math.inf)
    oversize = 0
    for number in range(600):
        store.write(
            [span(number, trace=number, outputs=f"{number} " + "word " * 2000)], experiment="e"
        )
        oversize += keeper.step()
        assert store.used_bytes <= 1_000_000
    store.close()
    assert store.path.stat().st_size < 1_500_000
    assert oversize > 400
    found = [int(one.trace_id, 16) for one in store.search(limit=999)]
    assert found == list(range(599, 599 - len(found), -1))
    assert len(found) > 50


def test_the_size_is_kept_where_deleting_is_slower_than_writing(store):
    keeper = Keeper(store, 2_000_000, math.inf)
    for batch in range(12):
        numbers = range(batch * 200, batch * 200 + 200)
        chats = [[{"n": n, "turn": turn, "c": "w " * 40} for turn in range(10)] for n in numbers]
        spans = [
            span(n, trace=n, inputs={"messages": chat})
            for n, chat in zip(numbers, chats, strict=True)
        ]
        store.write(spans, experiment="e")
        keeper.step()
        assert store.used_bytes <= 2_000_000


def test_the_age_is_kept(store):
    now = time.time_ns()
    keeper = Keeper(store, math.inf, 3600)
    old = now - 7200 * 10**9
    store.write([span(1, trace=1, end_ns=old), span(2, trace=2, end_ns=now)], experiment="e")
    assert keeper.step() == 0
    assert [int(one.trace_id, 16) for one in store.search()] == [2]


def test_without_need_nothing_is_asked(store, monkeypatch):
    keeper = Keeper(store, 1 << 32, math.inf)
    store.write([span()], experiment="e")
    keeper.step()
    monkeypatch.setattr(store, "keep_within", None)
    store.write([span(2)], experiment="e")
    assert keeper.step() == 0


@pytest.mark.parametrize(
    ("setting", "deleted"), [({"store_max_bytes": 1 << 20}, True), ({}, False)]
)
def test_a_tracer_keeps_its_store_within_the_bound_and_says_so_once(
    tmp_path, caplog, setting, deleted
):
    told = []
    path = tmp_path / "a.db"
    with Tracer(
        f"sqlite:///{path}", delivery=Delivery(**setting), on_warning=told.append
    ) as tracer:
        for number in range(200):
            with tracer.span(f"number {number}") as one:
                one.outputs = f"{number} " + "word " * 4000
            if number % 5 == 4:
                assert tracer.flush().dropped == 0
    names = {trace.root.name for trace in Store(path).search(limit=999)}
    assert "number 199" in names
    assert ("number 0" not in names) == deleted
    assert len(told) == deleted
    assert all("Delivery(store_max_bytes=)" in text for text in told)
    assert (path.stat().st_size < 2 << 20) == deleted
    embedded._warned.discard(f"sqlite:///{path}")


def test_a_tracer_deletes_what_is_too_old(tmp_path):
    path = tmp_path / "a.db"
    old = Store(path)
    old.write([span()], experiment="e")  # of 2023
    old.close()
    delivery = Delivery(store_max_age_s=3600)
    with Tracer(f"sqlite:///{path}", delivery=delivery) as tracer, tracer.span("new"):
        pass
    assert [trace.root.name for trace in Store(path).search()] == ["new"]


def test_threads_that_delete_and_write_the_same_messages(store):
    spans = list(conversation(25))
    other = Store(store.path)
    stop = threading.Event()
    failures = []

    def collect():
        while not stop.is_set():
            try:
                other.keep_within(Limits(after=(T0 * 2, 0)), 0.002)
            except StoreError as error:
                failures.extend([] if "locked" in str(error) else [error])

    thread = threading.Thread(target=collect)
    thread.start()
    for one in itertools.chain(spans, spans, spans):
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                store.write([one], experiment="e")
                break
            except StoreError as error:
                assert "locked" in str(error)  # noqa: PT017
        for trace in store.search():
            assert trace.root.inputs["messages"]
    stop.set()
    thread.join()
    other.close()
    assert not failures
    store.write(spans, experiment="e")
    assert len(lines(store)) == 25


def first_schema(path, fresh):
    """A file of the first schema with what the store `fresh` has."""
    with closing(sqlite3.connect(path)) as old:
        for statement in schema.MIGRATIONS[0]:
            old.execute(statement)
        old.execute("PRAGMA user_version = 1")
        old.execute("ATTACH ? AS new", (str(fresh.path),))
        for table in ("content", "link", "span", "part"):
            old.execute(f"INSERT INTO {table} SELECT * FROM new.{table}")  # noqa: S608
        old.execute("INSERT INTO trace SELECT id, trace_id, start_ns FROM new.trace")
        old.commit()


def test_a_file_of_the_first_schema_can_be_read_and_estimated_as_it_is(tmp_path, store):
    store.write([image_chat(n) for n in range(9)], experiment="e")
    first_schema(tmp_path / "old.db", store)
    old = Store(tmp_path / "old.db")
    assert lines(old) == lines(store)
    assert old.trace_ids("") == store.trace_ids("")
    assert estimate(old.path, Limits(), 4).traces == 5
    assert estimate(old.path, Limits(after=(T0 + 12, 0)), None).traces == 2
    assert rows(old.path, "PRAGMA user_version") == [(1,)]


def test_a_file_of_the_first_schema_is_migrated(tmp_path, monkeypatch):
    path = tmp_path / "old.db"
    fresh = Store(tmp_path / "fresh.db")
    spans = [image_chat(1), image_chat(2), *list(conversation(5))[3:]]
    fresh.write(spans, experiment="e")
    first_schema(path, fresh)
    with closing(sqlite3.connect(path)) as old:
        old.execute("INSERT INTO part VALUES (1, 999)")  # of a row that was written again
        old.execute("INSERT INTO content VALUES (999, x'00', x'00')")
        old.commit()
    store = Store(path)
    old_ids = store.trace_ids("")
    assert len(old_ids) == 4
    store.write([span(99, trace=99)], experiment="e")
    fresh.write([span(99, trace=99)], experiment="e")
    assert counts(path) == counts(fresh.path)
    assert rows(path, "SELECT * FROM use ORDER BY 1, 2") == rows(
        fresh.path, "SELECT * FROM use ORDER BY 1, 2"
    )
    assert rows(path, "SELECT * FROM trace") == rows(fresh.path, "SELECT * FROM trace")
    delete(store, *(int(one, 16) for one in old_ids), 99)
    assert set(counts(path).values()) == {0}
    store.close()
    fresh.close()


def test_the_estimate_is_near_what_happens(store):
    store.write([image_chat(n) for n in range(200)], experiment="e")
    limits = Limits(after=(T0 + 110, 0))
    guess = estimate(store.path, limits, None)
    assert guess.traces == 100
    assert estimate(store.path, Limits(), 50).traces == 150
    half = estimate(store.path, Limits(max_bytes=store.used_bytes / 2), None)
    assert 80 < half.traces < 120
    with closing(Maintenance(store.path)) as maintenance:
        before = maintenance.used_bytes
        assert sum(maintenance.keep_within(limits)) == 100
        freed = before - maintenance.used_bytes
    assert guess.freed_bytes == pytest.approx(freed, rel=0.25)


@pytest.mark.parametrize("indexed", [False, True])
def test_no_deleted_text_is_in_the_file_or_its_log(store, indexed):
    secret = "Xylophone-4711"  # noqa: S105
    private = span(1, trace=1, name=secret + "-name", inputs={"messages": [{"content": secret}]})
    private.metadata = {"long": f"{secret} " * 300}
    store.write([private, *(span(n, trace=n) for n in range(2, 99))], experiment="e")
    if indexed:
        store.search(secret)
    with closing(Maintenance(store.path)) as maintenance:
        assert sum(maintenance.delete([f"{1:032x}"])) == 1
        maintenance.compact()
    files = [path.read_bytes() for path in store.path.parent.iterdir()]
    assert not any(secret.encode() in one or secret.casefold().encode() in one for one in files)
    assert len(store.search(limit=999)) == 97


def test_a_reader_that_stays_is_told_of(store, monkeypatch):
    store.write([image_chat(n) for n in range(5)], experiment="e")
    monkeypatch.setattr("ollamatrace.store.maintenance._WAIT_S", 0.1)
    with store._reading(), closing(Maintenance(store.path)) as maintenance:
        assert sum(maintenance.delete([f"{1:032x}"])) == 1
        with pytest.raises(StoreError, match="end it, and run `ollamatrace prune` again"):
            maintenance.compact()
