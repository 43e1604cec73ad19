"""What a trace shows of itself: in a terminal on one line, in a notebook as HTML."""

from __future__ import annotations

import base64
import functools
import struct
import zlib
from html import escape
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ollamatrace.records import PARENT, Content, SpanRecord, Timing, Trace, Traces, Usage

NS = 1_000_000_000
BEGAN = 1_790_000_000 * NS
ID = "4f1c2a9b" * 4
TAGS = {"div", "style", "b", "span", "details", "summary", "img"}
ATTRIBUTES = {"class", "style", "open", "alt", "src", "title"}
VOID = {"img"}


def record(number=1, parent=None, *, name="Chat", given=None, gave=None, events=(), **more):
    fields = {
        "kind": "CHAT_MODEL",
        "start_ns": BEGAN,
        "end_ns": BEGAN + NS,
        "status": "OK",
        "end_reason": "returned",
        "trace_id": ID,
        **more,
    }
    return SpanRecord(
        name=name,
        span_id=f"{number:016x}",
        parent_id=None if parent is None else f"{parent:016x}",
        input_content=Content(given),
        output_content=Content(gave),
        event_content=Content(list(events)),
        **fields,
    )


def chat(number=1, parent=None, *, asked="Why is the sky blue?", said="Rayleigh.", **more):
    return record(
        number,
        parent,
        given={"model": "m:1b", "messages": [{"role": "user", "content": asked}]},
        gave={"message": {"role": "assistant", "content": said}},
        model="m:1b",
        **more,
    )


def trace(*spans):
    return Trace(ID, spans)


class Page(HTMLParser):
    """Read a page; its text, its attributes, and whether every tag is closed in order."""

    def __init__(self, html):
        super().__init__()
        self.text = ""
        self.tags = []
        self.attributes = []
        self.open = []
        self.opened = 0
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        self.opened += ("open", None) in attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] != ["style"]:
            self.text += data

    def handle_comment(self, data):
        raise AssertionError(data)

    handle_decl = handle_pi = unknown_decl = handle_comment


def shown(thing):
    return Page(thing._repr_html_())


def test_head_tree_and_what_was_said():
    page = shown(
        trace(
            record(1, name="agent", kind="AGENT", session="chat-7", user="ada"),
            chat(
                2,
                1,
                usage=Usage(input_tokens=13, output_tokens=8),
                timing=Timing(first_token_ns=NS // 4),
                warnings=["the prompt was cut"],
                session="chat-7",
            ),
            record(3, 1, name="get_weather", kind="TOOL", given={"city": "Paris"}, gave="Sunny"),
        )
    )
    for text in (
        "agent OK",
        "1.00 s · 3 spans · 13 → 8 tokens · m:1b · session chat-7 · user ada",
        ID,
        "Why is the sky blue?",
        "Rayleigh.",
        "the prompt was cut",
        "get_weather",
        "Paris",
        "Sunny",
    ):
        assert text in page.text
    assert page.opened == 0  # a tree is looked at before its spans
    assert ("style", "width:25.0%") in page.attributes  # until the first token
    assert "ollamatrace show" not in page.text


def test_a_trace_without_its_root():
    page = shown(trace(chat(2, 1), chat(3, 1)))
    assert "what is above it is not here (yet)" in page.text
    assert "not here" not in shown(trace(chat(1))).text
    elsewhere = chat(2, 1, attributes={PARENT: "opentelemetry"})
    assert "not here" not in shown(trace(elsewhere)).text


def test_one_span_is_open_and_of_many_the_cause_of_a_failure():
    assert shown(trace(chat())).opened == 1
    failed = {"status": "ERROR", "end_reason": "error", "status_message": "Boom: it broke"}
    page = shown(trace(record(1, **failed), record(2, 1, **failed), chat(3, 1)))
    assert page.opened == 1
    html = trace(record(1, name="outer", **failed), record(2, 1, name="inner", **failed))
    opened = html._repr_html_().partition('<details class="span" open>')[2]
    assert "inner" in opened.partition("</summary>")[0]
    assert "Boom: it broke" in page.text


def test_thinking_tools_errors_and_other_facts():
    exception = {
        "exception.type": "ollama.ResponseError",
        "exception.message": "no such model",
        "exception.stacktrace": "Traceback …\n  the line",
    }
    call = {"function": {"name": "get_weather", "arguments": '{"city":"Paris"}'}}
    page = shown(
        record(
            given={"messages": [{"role": "system", "content": "Be brief."}], "stream": True},
            gave={"message": {"thinking": "I wonder", "tool_calls": [call]}},
            events=[{"name": "exception", "time_ns": BEGAN, "attributes": exception}],
            tags={"answer": "good"},
            attributes={"finish_reason": "stop"},
        )
    )
    for text in (
        "Be brief.",
        "I wonder",
        'get_weather(city="Paris")',
        "ollama.ResponseError: no such model",
        "the line",
        "answer=good",
        "finish_reason=stop",
        "stream",
    ):
        assert text in page.text


def picture(width=8, height=8):
    def part(kind, data):
        sum_ = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", sum_)

    rows = zlib.compress(b"".join(b"\0" + bytes(3 * width) for _ in range(height)))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    png = part(b"IHDR", head) + part(b"IDAT", rows) + part(b"IEND", b"")
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + png).decode()


def sources(*content, images=()):
    message = {"role": "user", "content": list(content), "images": list(images)}
    page = shown(record(given={"messages": [message]}))
    return [value for name, value in page.attributes if name == "src"]


def test_small_pictures_are_shown():
    data = picture()
    url = f"data:image/png;base64,{data}"
    assert sources({"type": "image_url", "image_url": {"url": url}}) == [url]
    assert sources({"type": "input_image", "image_url": url}) == [url]
    assert sources(images=[data, {"value": data}]) == [url, url]
    made = record(gave={"data": [{"b64_json": data}]}, kind="LLM")
    assert ("src", url) in shown(made).attributes


def test_no_other_picture_is():
    svg = base64.b64encode(b"<svg onload='alert(1)'/>").decode()
    for url in (
        "https://example.org/a.png",
        "javascript:alert(1)",
        f"data:image/svg+xml;base64,{svg}",
        'data:image/png;base64,AAAA" onerror="alert(1)',
        f"data:image/png;base64,{'A' * 400_000}",
    ):
        assert sources({"type": "image_url", "image_url": {"url": url}}) == []
    assert sources(images=["/home/ada/a.png", "iVBORw0KGgo<b>"]) == []


def test_what_is_in_a_trace_is_never_a_tag():
    page = shown(trace(chat(asked="<script>alert(1)</script>", said="</div><b onclick=x>&lt;")))
    assert "<script>alert(1)</script>" in page.text
    assert "</div><b onclick=x>&lt;" in page.text
    assert "script" not in page.tags


# Texts as somebody would write them who wants to break out, and any other.
nasty = st.sampled_from(
    [
        "<script>",
        "</style>",
        "</details>",
        '" onload="x',
        "'",
        "&",
        "<!--",
        "-->",
        "<img src=x>",
        "\x00",
    ]
)
texts = st.lists(nasty | st.text(max_size=8), max_size=4).map("".join)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
messages = st.fixed_dictionaries(
    {},
    optional={
        "role": values,
        "content": values | st.lists(st.fixed_dictionaries({"image_url": values, "type": texts})),
        "thinking": values,
        "images": values,
        "tool_calls": values | st.lists(st.fixed_dictionaries({"function": values}), max_size=2),
        "type": st.sampled_from(["reasoning", "function_call", "function_call_output", "message"]),
        "summary": values,
        "output": values,
    },
)
conversations = st.fixed_dictionaries(
    {},
    optional={
        "messages": st.lists(messages | values, max_size=3),
        "message": messages,
        "choices": st.lists(st.fixed_dictionaries({"message": messages}), max_size=2),
        "data": st.lists(st.fixed_dictionaries({"b64_json": values}), max_size=2),
        "input": values,
        "images": values,
        "prompt": values,
        "tools": values,
        "embeddings": values,
    },
)


@st.composite
def spans(draw):
    """A span with anything wherever recorded values go."""
    return record(
        draw(st.integers(1, 4)),
        draw(st.none() | st.integers(1, 4)),
        name=draw(texts),
        kind=draw(st.sampled_from(["CHAT_MODEL", "TOOL", "<b>"])),
        status=draw(st.sampled_from(["OK", "ERROR", "CANCELLED"])),
        end_ns=BEGAN + draw(st.integers(-1, 10**12)),
        given=draw(conversations | values),
        gave=draw(conversations | values),
        status_message=draw(texts),
        model=draw(st.none() | texts),
        provider=draw(st.none() | texts),
        session=draw(st.none() | texts),
        user=draw(st.none() | texts),
        tags=draw(st.dictionaries(texts, texts, max_size=2)),
        attributes=draw(st.dictionaries(texts, values, max_size=2)),
        warnings=draw(st.lists(texts, max_size=2)),
        timing=Timing(first_token_ns=draw(st.none() | st.integers(0, 10**13))),
        events=[
            {"name": name, "time_ns": BEGAN, "attributes": attributes}
            for name, attributes in draw(
                st.lists(
                    st.tuples(
                        st.just("exception") | texts,
                        st.dictionaries(
                            st.sampled_from(["exception.type", "exception.stacktrace"]) | texts,
                            values,
                            max_size=2,
                        ),
                    ),
                    max_size=2,
                )
            )
        ],
    )


@given(st.lists(spans(), max_size=4).map(tuple))
def test_whatever_is_in_it_only_our_own_tags_are_there(content):
    one = Trace(ID, content)
    for thing in (one, Traces([one]), *content):
        html = thing._repr_html_()
        html.encode()
        page = Page(html)
        assert set(page.tags) <= TAGS | {"table", "thead", "tbody", "tr", "th", "td"}
        assert {name for name, _ in page.attributes} <= ATTRIBUTES
        for name, value in page.attributes:
            assert name != "src" or value.startswith("data:image/")
            assert name != "title" or value == ID
        assert "\n" not in repr(thing)


def test_marks_of_writing_direction_are_shown():
    assert "\u202e" not in trace(chat(said="abc\u202edef"))._repr_html_()


def test_long_texts_are_cut_and_counted():
    one = trace(chat(said="<" * 1_000_000, asked="short"))
    page = shown(one)
    assert "994,000 more characters" in page.text
    assert f"ollamatrace show {ID}" in page.text
    assert len(one._repr_html_()) < 100_000


def test_long_conversations_lose_their_middle():
    said = [{"role": "user", "content": f"message {number}."} for number in range(500)]
    page = shown(record(given={"messages": said}))
    assert "message 0." in page.text
    assert "message 499." in page.text
    assert "message 250." not in page.text
    assert "460 more" in page.text


def test_a_large_trace_stays_small():
    spans = [record(1, name="agent")]
    spans += [chat(number, 1, said="&" * 50_000) for number in range(2, 1_002)]
    html = trace(*spans)._repr_html_()
    page = Page(html)
    assert page.tags.count("summary") < 500
    assert f"801 more spans: ollamatrace show {ID}" in page.text
    assert len(html) < 3_000_000


def test_the_cause_of_a_failure_is_shown_wherever_it_is():
    many = [chat(number, 1, said="a b " * 2_000) for number in range(2, 1_000)]
    failed = {"status": "ERROR", "status_message": "Boom: it broke"}
    root = record(1, name="agent", status="ERROR")
    page = shown(trace(root, *many, record(1_000, 1, name="culprit", **failed)))
    assert page.opened == 1
    assert "culprit" in page.text
    assert "Boom: it broke" in page.text
    assert "800 more spans" in page.text


def test_large_values_are_read_up_to_a_bound():
    rows = [{"number": number, "text": "y" * 20} for number in range(5_000)]
    spans = [record(number, kind="TOOL", given={"rows": rows}) for number in range(1, 101)]
    page = shown(trace(*spans, record(101, name="last", given={"rows": rows}, kind="TOOL")))
    assert 5 < page.text.count('"number": 0') < 50
    assert f"The whole of it: ollamatrace show {ID}" in page.text
    assert "last" in page.text


@pytest.mark.parametrize(
    "odd",
    [
        {"name": None},
        {"model": 5},
        {"start_ns": 10**21, "end_ns": 10**21},
        {"events": [{"name": "exception"}]},
        {"links": [{}]},
        {"given": functools.reduce(lambda inner, _: {"a": inner}, range(5_000), {})},
    ],
    ids=lambda odd: next(iter(odd)),
)
def test_what_no_tracer_of_ours_records_does_not_raise(odd):
    one = trace(record(**odd))
    for thing in (one, one.root, Traces([one])):
        assert shown(thing).text
        assert repr(thing)
    assert "cannot be shown here: " in shown(one).text


def test_nothing_else_is_needed_and_nothing_else_changes():
    html = trace(chat())._repr_html_()
    assert "http" not in html.lower()
    assert "@import" not in html
    assert "url(" not in html
    style = html.partition("<style>")[2].partition("</style>")[0]
    for rule in style.replace("\n", "").split("}")[:-1]:
        for selector in rule.partition("{")[0].split(","):
            assert ".ollamatrace" in selector


def test_a_list_is_a_table():
    page = shown(Traces([trace(chat(asked="How <b>high</b>?")), Trace("a" * 32, ())]))
    assert page.tags.count("tr") == 3
    for text in ("4f1c2a9b", "aaaaaaaa", "How <b>high</b>?", "m:1b"):
        assert text in page.text
    assert "no traces" in shown(Traces()).text
    assert "20 more traces" in shown(Traces([trace(chat())] * 120)).text


def test_a_part_of_a_list_is_a_table_too():
    found = Traces([trace(chat()), trace(record(2))])
    assert found[1:] == [found[1]]
    assert shown(found[1:]).tags.count("tr") == 2
    assert found[-1] is list(found)[1]


def test_on_one_line():
    span = chat(usage=Usage(input_tokens=13, output_tokens=8))
    assert repr(span) == "<SpanRecord Chat CHAT_MODEL OK 1.00 s, m:1b, 13 → 8 tokens: Rayleigh.>"
    assert repr(trace(span)) == (
        f"<Trace {ID} Chat OK 1.00 s, 1 span, 13 → 8 tokens, m:1b: Why is the sky blue?>"
    )
    failed = record(status="ERROR", status_message="Boom:\nit broke " + 100 * "x")
    assert repr(failed).startswith("<SpanRecord Chat CHAT_MODEL ERROR 1.00 s: Boom: it broke xxx")
    assert len(repr(failed)) < 130
    named = record(given={"user": "ada", "messages": [{"role": "system", "content": "Be brief."}]})
    assert "ada" not in repr(trace(named))
    many = [record(number, 1, model=f"m{number}") for number in range(1, 1_000)]
    assert ", m1, m2, m3, 996 more models>" in repr(trace(*many))
    long = "<b>" * 1_000_000
    assert len(repr(trace(record(name=long, kind=long, model=long)))) < 300
    assert repr(Trace(ID, ())) == f"<Trace {ID}, no spans>"
    assert escape(ID) in Trace(ID, ())._repr_html_()
