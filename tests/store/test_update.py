"""An update of a trace changes the spans of it that are there."""

import pytest

from ollamatrace.records import TraceUpdate
from tests.store.samples import TRACE, conversation, rows, span

LONG = "x" * 5000


def update(**fields):
    return TraceUpdate(**{"trace_id": TRACE, **fields})


def test_all_spans_of_that_trace_and_no_other(store):
    spans = [span(1), span(2, parent_id=f"{1:016x}"), span(3, trace=8)]
    store.write(spans, experiment="e")
    said = update(session="s", user="u", tags={"a": "1"}, metadata={"m": "1"})
    store.write([said], experiment="other")
    for one in store.get(TRACE).spans:
        assert (one.session, one.user, one.tags, one.metadata) == ("s", "u", {"a": "1"}, {"m": "1"})
        assert one.name == "chat"
    [other] = store.get(f"{8:032x}").spans
    assert (other.session, other.user, other.tags, other.metadata) == (None, None, {}, {})
    assert [trace.trace_id for trace in store.search(session="s", experiment="e")] == [TRACE]


def test_nothing_said_changes_nothing(store):
    store.write([span(session="s", user="u", tags={"a": "1"})], experiment="e")
    before = rows(store.path, "SELECT * FROM span")
    store.write([update()], experiment="e")
    assert rows(store.path, "SELECT * FROM span") == before


def test_in_the_order_of_the_batch(store):
    store.write(
        [
            span(1, tags={"a": "1", "b": "1"}, user="before"),
            update(tags={"b": "2", "c": "2"}),
            span(2, parent_id=f"{1:016x}"),
            update(user="after", tags={"c": "3"}),
        ],
        experiment="e",
    )
    one, two = store.get(TRACE).spans
    assert (one.user, one.tags) == ("after", {"a": "1", "b": "2", "c": "3"})
    assert (two.user, two.tags) == ("after", {"c": "3"})


def test_a_trace_that_is_not_here(store):
    store.write([update(user="u", name="n")], experiment="e")
    assert store.search() == []


def test_the_name_is_that_of_the_root(store):
    store.write([span(1), span(2, parent_id=f"{1:016x}")], experiment="e")
    store.write([update(name="new")], experiment="e")
    assert [one.name for one in store.get(TRACE).spans] == ["new", "chat"]


@pytest.mark.parametrize("indexed", [False, True])
def test_a_renamed_root_is_found_by_its_name_and_its_content(store, indexed):
    *_, last = conversation(5)
    last.trace_id = TRACE
    last.name = "before"
    store.write([last], experiment="e")
    if indexed:
        assert len(store.search("question 2")) == 1
    store.write([update(name="afterwards")], experiment="e")
    assert len(store.search("afterwards")) == 1
    assert store.search("before") == []
    assert len(store.search("question 2")) == 1  # in the list of messages, which is kept apart
    [trace] = store.search("answer 4")
    assert trace.root.inputs == last.inputs
    assert trace.root.outputs == last.outputs


def test_long_and_odd_values(store):
    odd = {"$ollamatrace": "text:00", "long": LONG + "new", 'quo"te': "ü 😀"}
    kept = span(1, tags={"long": LONG}, metadata={"$ollamatrace": "x"}, attributes={"k": LONG})
    store.write([kept], experiment="e")
    more = {"m": LONG + "other"}
    store.write([update(tags=odd, metadata=more, session="ü" * 300)], experiment="e")
    [one] = store.get(TRACE).spans
    assert one.tags == odd
    assert one.metadata == {"$ollamatrace": "x", **more}
    assert one.attributes == {"k": LONG}
    assert one.session == "ü" * 300


def test_nested_too_deep_to_be_read(store):
    value = []
    for _ in range(90):
        value = [value]
    store.write([span(1, attributes={"deep": value, "long": LONG})], experiment="e")
    store.write([update(user="u")], experiment="e")
    [one] = store.get(TRACE).spans
    assert (one.user, one.attributes["deep"]) == ("u", value)
