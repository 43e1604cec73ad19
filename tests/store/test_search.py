"""Which traces a search finds, and in what order."""

import sqlite3

import pytest

from ollamatrace.store import text as text_module
from tests.store.samples import T0, TRACE, conversation, rows, span


def found(store, *args, **filters):
    return [int(trace.trace_id, 16) for trace in store.search(*args, **filters)]


def test_newest_trace_first_with_all_its_spans_in_start_order(store):
    store.write(
        [
            span(5, trace=1, parent_id=f"{3:016x}"),
            span(4, trace=2),
            span(3, trace=1, end_ns=T0 + 99),
        ],
        experiment="e",
    )
    assert found(store) == [2, 1]
    assert [s.span_id[-1] for s in store.search()[1].spans] == ["3", "5"]
    assert found(store, limit=1) == [2]


def test_a_parent_precedes_the_child_that_starts_and_ends_with_it(store):
    child = span(2, parent_id=f"{1:016x}", start_ns=T0, end_ns=T0)
    store.write([child, span(1, start_ns=T0, end_ns=T0)], experiment="e")
    assert [s.span_id[-1] for s in store.get(TRACE).spans] == ["1", "2"]


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_that_is_not_positive_is_refused(store, limit):
    with pytest.raises(ValueError, match="limit"):
        store.search(limit=limit)


def test_filters(store):
    store.write(
        [
            span(1, trace=1, status="ERROR", model="a", session="x"),
            span(2, trace=2, status="OK", model="a", session="y"),
        ],
        experiment="first",
    )
    store.write([span(3, trace=3, model="b", status="CANCELLED")], experiment="second")
    assert found(store, status="ERROR") == [1]
    assert found(store, model="a") == [2, 1]
    assert found(store, model="A") == []
    assert found(store, session="y") == [2]
    assert found(store, experiment="second") == [3]
    assert found(store, since_ns=T0 + 2) == [3, 2]
    assert found(store, until_ns=T0 + 2) == [1]
    assert found(store, since_ns=T0 + 2, until_ns=T0 + 3) == [2]


def test_one_span_must_meet_all_conditions(store):
    store.write(
        [span(1, status="ERROR", model="a"), span(2, status="OK", model="b", outputs="needle")],
        experiment="e",
    )
    assert found(store, status="ERROR", model="a") == [7]
    assert found(store, status="ERROR", model="b") == []
    assert found(store, "needle", model="b") == [7]
    assert found(store, "needle", model="a") == []


def test_a_trace_that_began_before_a_period_is_found_by_a_span_in_it(store):
    store.write([span(1), span(50)], experiment="e")
    assert found(store, since_ns=T0 + 40) == [7]


@pytest.fixture(params=["index", "half an index", "no trigrams", "no index"])
def searching(request, store, monkeypatch):
    """The ways in which a text can be found: all find the same."""
    if request.param == "half an index":
        monkeypatch.setattr(text_module, "_BATCH", 3)
        monkeypatch.setattr("ollamatrace.store.store._INDEX_BUDGET_S", 0.004)
    if request.param == "no trigrams":
        create = text_module._CREATE.replace("trigram", "no_such_tokenizer")
        monkeypatch.setattr(text_module, "_CREATE", create)
    if request.param == "no index":
        monkeypatch.setattr("ollamatrace.store.store._INDEX_BUDGET_S", 0)
    return store


def test_text_is_found_wherever_it_is(searching):
    exception = {"exception.type": "ValueError", "exception.message": "Kaputt"}
    searching.write(
        [
            span(1, trace=1, name="Summarise"),
            span(2, trace=2, inputs={"messages": [{"role": "user", "content": "Blue whale"}]}),
            span(3, trace=3, inputs={"messages": [{"content": "blue WHALES " * 200}]}),
            span(4, trace=4, outputs={"deep": ['the whale\nsaid "hi" \\ 100%_*']}),
            span(5, trace=5, status_message="Connection refused"),
            span(6, trace=6, events=[{"name": "exception", "time_ns": 1, "attributes": exception}]),
            span(7, trace=7, outputs="STRASSE, Straße, ÉCOLE, nul\0byte"),
        ],
        experiment="e",
    )
    assert found(searching, "summaris") == [1]
    assert found(searching, "WHALE") == [4, 3, 2]
    assert found(searching, "blue whales") == [3]
    assert found(searching, "wh") == [4, 3, 2]
    assert found(searching, "refused") == [5]
    assert found(searching, "kaputt") == [6]
    assert found(searching, "école") == [7]
    assert found(searching, "strasse") == [7]
    assert found(searching, "l\0b") == found(searching, "byte") == [7]
    assert found(searching, "role") == []  # a key
    assert found(searching, "") == found(searching) == [7, 6, 5, 4, 3, 2, 1]


@pytest.mark.parametrize(
    "literal",
    ['said "hi"', "\\ 100%", "%_*", '"', "%", "whale\nsaid", "whale OR", "NEAR(", "\udc80"],
)
def test_text_is_taken_literally(searching, literal):
    searching.write(
        [
            span(1, trace=1, outputs='the whale\nsaid "hi" \\ 100%_* (whale OR NEAR( whale'),
            span(2, trace=2, outputs="a whale, 100 times; near, or said hi"),
        ],
        experiment="e",
    )
    assert found(searching, literal) == ([] if literal == "\udc80" else [1])


def test_text_of_a_message_finds_every_later_turn(searching):
    searching.write(list(conversation(12)), experiment="e")
    assert found(searching, "answer 7:") == [11, 10, 9, 8, 7]
    assert found(searching, "question 0:", limit=2) == [11, 10]


def test_what_came_since_the_last_search_is_found(searching):
    for number in range(1, 4):
        searching.write([span(number, trace=number, outputs="a needle")], experiment="e")
        assert found(searching, "needle") == list(range(number, 0, -1))


def test_a_replaced_span_is_found_by_its_new_text_only(searching):
    searching.write([span(outputs="the old text")], experiment="e")
    assert found(searching, "old text") == [7]
    searching.write([span(outputs="the new text")], experiment="e")
    assert (found(searching, "old text"), found(searching, "new text")) == ([], [7])


def test_text_within_one_value_only(searching):
    searching.write([span(inputs={"a": ["ends with abc", "def begins"]})], experiment="e")
    assert found(searching, "abcdef") == found(searching, "abc\ndef") == []


def test_data_in_base64_is_not_searched(searching):
    data = "iVBORw0KGgo" * 1000
    url = f"data:image/png;base64,{data}"
    searching.write([span(inputs={"a": data, "b": url, "c": "prose"})], experiment="e")
    assert (found(searching, "BORw0K"), found(searching, "prose")) == ([], [7])


def test_the_index_narrows_the_spans_that_are_read(store, monkeypatch):
    store.write([span(n, trace=n, outputs=f"number {n}") for n in range(300)], experiment="e")
    looked = []
    has_text = text_module.has_text
    monkeypatch.setattr(
        "ollamatrace.store.store.has_text", lambda c, s, t: looked.append(s) or has_text(c, s, t)
    )
    assert found(store, "number 123") == [123]
    assert len(looked) == 1


def test_an_index_that_this_sqlite_cannot_read_is_passed_over(store, monkeypatch):
    store.write([span(outputs="a needle")], experiment="e")
    store.search("needle")
    connection = sqlite3.connect(store.path)
    connection.execute("DROP TABLE text_index")
    connection.close()
    monkeypatch.setattr(text_module, "_CREATE", "CREATE VIRTUAL TABLE t USING no_such_module")
    assert found(store, "needle") == [7]


def test_trace_ids_by_prefix(store):
    store.write([span(n, trace=n) for n in (0x1A, 0x1B, 0x2A)], experiment="e")
    zeros = "0" * 30
    assert store.trace_ids(zeros + "1") == [zeros + "1b", zeros + "1a"]
    assert store.trace_ids("", limit=2) == [zeros + "2a", zeros + "1b"]
    assert store.trace_ids("0%") == store.trace_ids("f") == []


def test_a_span_written_again_replaces_the_first(store):
    store.write([span(1, name="one"), span(1, name="two"), span(2)], experiment="e")
    assert [s.name for s in store.get(TRACE).spans] == ["two", "chat"]
    store.write([span(1, name="three", start_ns=T0 + 5)], experiment="other")
    assert [s.name for s in store.get(TRACE).spans] == ["chat", "three"]
    assert rows(store.path, "SELECT start_ns FROM trace") == [(T0 + 2,)]
    assert found(store, experiment="other") == [7]
