"""A batch is written with few statements, whatever is in it and whatever is there already."""

import contextlib

import pytest

from ollamatrace.records import TraceUpdate
from ollamatrace.store.batch import insert
from ollamatrace.store.connection import open_writer
from ollamatrace.store.rows import encode
from tests.store.samples import T0, conversation, rows, span


def statements(path, records):
    """How many statements it takes to write them."""
    made = [encode(record, lambda: None) for record in records]
    seen = []
    with contextlib.closing(open_writer(path)) as connection:
        connection.set_trace_callback(seen.append)
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            insert(connection, made, "e")
    return len(seen)


@pytest.mark.parametrize("many", [False, True], ids=["one trace", "many traces"])
def test_a_batch_takes_few_statements(tmp_path, many):
    path = tmp_path / "spans.db"
    for start in (0, 512):  # the second time, the one trace is there
        batch = [span(start + n, trace=start + n if many else 7) for n in range(512)]
        assert statements(path, batch) < 60


def test_so_does_a_conversation(tmp_path):
    path = tmp_path / "spans.db"
    turns = list(conversation(80))
    assert statements(path, turns[:40]) < 60
    assert statements(path, turns[40:]) < 60


def branches():
    """A conversation that was taken up again at several of its turns."""
    messages = [{"role": "user", "content": f"{n} " + "words " * 100} for n in range(12)]
    for number, turn in enumerate((12, 3, 8, 1, 12, 6)):
        other = [{"role": "user", "content": f"other {number} " + "words " * 100}] * (number % 3)
        inputs = {"messages": messages[:turn] + other}
        yield span(number, trace=number, inputs=inputs)


@pytest.mark.parametrize("sizes", [(6,), (1,) * 6, (1, 5), (2, 2, 2), (5, 1)])
@pytest.mark.parametrize("backwards", [False, True])
def test_lists_that_part_come_back_however_they_are_batched(store, sizes, backwards):
    spans = list(branches())
    waiting = spans[::-1] if backwards else list(spans)
    for size in sizes:
        batch, waiting = waiting[:size], waiting[size:]
        store.write(batch, experiment="e")
    for one in spans:
        assert store.get(one.trace_id).spans[0].line() == one.line()
    others = sum(number % 3 for number in range(6))
    assert rows(store.path, "SELECT count(*) FROM link") == [(12 + others,)]
    assert rows(store.path, "SELECT count(*) FROM link WHERE previous IS NULL") == [(1,)]


def test_a_trace_is_as_long_as_its_spans_in_all_batches(store):
    store.write([span(5, trace=1), span(6, trace=2)], experiment="e")
    store.write([span(2, trace=1), span(9, trace=1), span(7, trace=3)], experiment="e")
    assert rows(store.path, "SELECT start_ns, end_ns FROM trace ORDER BY id") == [
        (T0 + 2, T0 + 19),
        (T0 + 6, T0 + 16),
        (T0 + 7, T0 + 17),
    ]


def test_of_a_span_twice_in_a_batch_the_last_is_kept(store):
    store.write([span(1, outputs="a" * 2000), span(2), span(1, outputs="b")], experiment="e")
    assert [one.outputs for one in store.get(span().trace_id).spans] == ["b", None]
    assert rows(store.path, "SELECT count(*) FROM content") == [(0,)]


def test_an_update_changes_what_comes_before_it(store):
    update = TraceUpdate(trace_id=span().trace_id, user="ann")
    store.write([span(1), update, span(2)], experiment="e")
    assert [one.user for one in store.get(span().trace_id).spans] == ["ann", None]


@pytest.mark.parametrize("text", ['"', "\\", '\\"', 'a "word" \\ ', "é"])
def test_a_long_text_is_stored_once_whatever_is_in_it(store, text):
    text = text * 1100
    store.write([span(n, outputs={"a": text, "n": n}) for n in range(3)], experiment="e")
    assert rows(store.path, "SELECT count(*) FROM content") == [(1,)]
    assert [one.outputs["a"] for one in store.get(span().trace_id).spans] == [text] * 3
