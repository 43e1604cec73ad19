"""What is read is what was written, and content is stored once."""

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ollamatrace.records import Content, Timing, Usage
from ollamatrace.store import Store
from tests.store.samples import T0, TRACE, conversation, rows, span

LONG = "long text " * 200
MARK = "$ollamatrace"


def round_trip(store, record):
    store.write([record], experiment="e")
    return store.get(record.trace_id).spans[0]


def assert_same(store, record):
    assert round_trip(store, record).line() == record.line()


def test_every_field_comes_back(store):
    record = span(
        inputs={"messages": [{"role": "user", "content": "hé 😀"}]},
        outputs=[1, 0.1, -0.0, 1e300, None, True],
        parent_id="0" * 15 + "9",
        status="ERROR",
        end_reason="error",
        status_message="boom",
        attributes={"b": 1, "a": {"deep": [LONG]}},
        events=[{"name": "exception", "time_ns": T0, "attributes": {"exception.stacktrace": LONG}}],
        links=[{"trace_id": "a" * 32, "span_id": "b" * 16}],
        usage=Usage(input_tokens=3, cached_tokens=0),
        model="m",
        provider="",
        timing=Timing(chunks=0),
        warnings=["cut"],
        session="s",
        user="u",
        tags={"k": "v"},
        metadata={"x": ""},
    )
    assert_same(store, record)


def test_absent_is_not_empty(store):
    plain, empty = span(1), span(2, usage=Usage(), model="", provider="", session="", user="")
    store.write([plain, empty], experiment="e")
    assert [s.line() for s in store.get(TRACE).spans] == [plain.line(), empty.line()]
    assert store.get(TRACE).spans[0].usage is None


@pytest.mark.parametrize(
    "inputs",
    [
        {"messages": []},
        {"messages": [{}]},
        {"messages": [{}] * 400},
        {"messages": [{"a": LONG}, "not an object"], "x": {}},
        {"tools": [{"f": LONG}], "messages": [{"f": LONG}]},
        [{"content": LONG}],
        LONG,
        {MARK: "list:00"},
        {MARK: {"messages": [{"a": LONG}]}},
        {"messages": [{MARK: {MARK: LONG}}, {"x": f"text about {MARK}"}], "pad": LONG},
        {MARK: [{MARK: None}], "pad": LONG, "messages": [{"a": 1}]},
        {"images": ["QUJD" * 500_000]},
        {"z": 1, "a": LONG, "m": 1.5e-7},
    ],
)
def test_inputs_come_back(store, inputs):
    assert_same(store, span(inputs=inputs, outputs=inputs, attributes={"copy": inputs}))
    value = Content(inputs)
    assert_same(store, span(2, trace=8, input_content=value, output_content=Content(inputs)))
    assert value.value == inputs


def test_a_value_is_stored_as_its_json_is(store):
    inputs = {"messages": [{"a": LONG, "v": [0.5] * 100}, {MARK: 1}], "x": [1, {MARK: LONG}] * 20}
    store.write([span(1, inputs=inputs)], experiment="e")
    before = (
        rows(store.path, "SELECT count(*) FROM content"),
        rows(store.path, "SELECT count(*) FROM link"),
    )
    store.write([span(2, input_content=Content(inputs))], experiment="e")
    after = (
        rows(store.path, "SELECT count(*) FROM content"),
        rows(store.path, "SELECT count(*) FROM link"),
    )
    assert after == before
    one, two = store.get(TRACE).spans
    assert one.inputs == two.inputs == inputs


@pytest.mark.parametrize(
    "json",
    [
        b'{ "spaced": "%s" }' % LONG.encode(),
        b'{"big": 123456789012345678901234567890, "pad": "%s"}' % LONG.encode(),
        b'{"twice":1,"twice":2,"$ollamatrace":"text:00"}',
        b'{"\\u0024ollamatrace":"text:00"}',
        b"[" * 300 + b'"%s"' % LONG.encode() + b"]" * 300,
    ],
)
def test_json_that_orjson_would_write_otherwise_comes_back_as_it_was(store, json):
    record = span(input_content=Content(json=json), output_content=Content(json=json))
    read = round_trip(store, record)
    assert (read.input_content.json, read.output_content.json) == (json, json)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.sampled_from([LONG, "text:" + "0" * 32, MARK]),
    lambda inner: (
        st.lists(inner)
        | st.lists(st.dictionaries(st.text("ab") | st.just(MARK), inner))
        | st.dictionaries(st.sampled_from([MARK, "messages", "x", ""]), inner)
    ),
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(inputs=JSON, outputs=JSON, pad=st.booleans())
def test_any_value_comes_back(store, inputs, outputs, pad):
    inputs = {"messages": inputs, "pad": LONG} if pad else inputs
    assert_same(store, span(inputs=inputs, outputs=outputs, attributes={"x": outputs}))


def test_a_conversation_grows_by_what_is_new(tmp_path):
    sizes = {}
    for turns in (100, 200):
        store = Store(tmp_path / f"{turns}.db")
        spans = list(conversation(turns))
        store.write(spans, experiment="e")
        assert [t.spans[0].line() for t in reversed(store.search(limit=turns))] == [
            s.line() for s in spans
        ]
        store.search("because. because.")  # the index grows with what is new, too
        store.close()
        sizes[turns] = store.path.stat().st_size
        messages = 2 * turns - 1
        assert rows(store.path, "SELECT count(*) FROM link")[0][0] == messages
    assert sizes[200] / sizes[100] < 2.5


def test_a_window_over_a_conversation_stores_each_message_once(store):
    messages = [{"role": "user", "content": f"{n} " + "words " * 100} for n in range(30)]
    store.write(
        [span(n, inputs={"messages": messages[n : n + 10]}) for n in range(20)], experiment="e"
    )
    assert rows(store.path, "SELECT count(*) FROM content") == [(29,)]


def test_a_blob_is_stored_once_wherever_it_is(store):
    image = "iVBORw0KGgo" * 100_000
    store.write(
        [
            span(1, inputs={"messages": [{"role": "user", "images": [image]}]}, outputs=image),
            span(2, inputs={"prompt": image}, attributes={"image": image}),
        ],
        experiment="e",
    )
    store.close()
    assert store.path.stat().st_size < 2 * len(image)
    assert store.get(TRACE).spans[0].outputs == image


def test_records_rebuilt_give_values(store):
    read = round_trip(store, span(inputs={"a": LONG}, outputs={"b": 1}))
    assert (read.inputs, read.outputs) == ({"a": LONG}, {"b": 1})
    assert orjson.loads(read.line())["inputs"] == {"a": LONG}
