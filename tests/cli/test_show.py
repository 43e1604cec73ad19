"""What `show` prints of a trace, whatever was recorded in it."""

import io

import pytest
from rich.console import Console

from ollamatrace.cli.details import print_trace
from ollamatrace.records import Trace, Usage
from ollamatrace.records.view.branches import branches

T = "a" * 32


def shown(*spans, width=100, terminal=False):
    out = io.StringIO()
    console = Console(
        file=out,
        width=width,
        force_terminal=terminal,
        color_system="truecolor" if terminal else None,
        markup=False,
        highlight=False,
        emoji=False,
    )
    print_trace(console, Trace(spans[0].trace_id, spans))
    return out.getvalue()


def cells(text, label):
    """What stands behind a label in the details, its lines joined."""
    lines = iter(text.splitlines())
    found = []
    for line in lines:
        if line.startswith(f"   {label}  ") or line.strip() == label:
            found.append(line.strip().removeprefix(label).strip())
        elif found and line.startswith(" " * 12):
            found.append(line.strip())
        elif found:
            break
    return "\n".join(found)


def test_an_agent(make):
    text = shown(*make.agent(T))
    head = text.splitlines()
    assert head[0] == f"trace {T}"
    assert "agent OK " in head[1]
    assert "4 spans · 13 → 8 tokens" in head[1]
    table = [line.split() for line in head[3:9]]
    assert table[0] == ["#", "span", "kind", "status", "took", "tokens", "ttft", "load", "eval"]
    assert table[2][:5] == ["1", "agent", "AGENT", "OK", "3.00"]
    assert "13 → 8  52 ms  1.99 s  200 ms" in head[6]
    assert "└─ Chat" in head[8]
    assert "–" in head[8]  # a call without counts
    assert "µs" in head[7]
    assert "3  get_weather  TOOL · OK · 20 µs" in text
    assert cells(text, "city") == "Paris"
    assert cells(text, "output") == "Sunny"
    assert cells(text, "user") == "Why is the sky blue?"
    assert cells(text, "assistant") == "Rayleigh."
    assert cells(text, "error") == "openai.BadRequestError: too long"
    assert 'File "x.py", line 3' in cells(text, "stack")
    assert cells(text, "warning") == "the prompt was cut"
    assert "first token 52 ms" in cells(text, "times")
    assert "40.0 tokens/s" in cells(text, "times")
    assert "8 chunks" in cells(text, "times")


def test_the_chunks_of_a_stream_are_one_line(make):
    began = make.chat(T, 1).start_ns
    events = [
        {
            "name": "chunk",
            "time_ns": began + number * 10_000_000,
            "attributes": {"index": number - 1, "value": {"message": {"content": "piece"}}},
        }
        for number in range(1, 31)
    ]
    mine = {"name": "chunk", "time_ns": began, "attributes": {"of": "mine"}}
    text = shown(make.chat(T, 1, events=[mine, *events]))
    assert cells(text, "events") == "30 chunks, the first after 10 ms, the last 300 ms"
    assert cells(text, "event") == "chunk after 0 µs of=mine"
    assert "piece" not in text
    assert "1 chunk, the" in shown(make.chat(T, 1, events=events[:1]))


@pytest.mark.parametrize("width", [20, 40, 80, 100, 200])
def test_no_line_is_wider_than_the_terminal(make, width):
    text = shown(*make.agent(T, asked="word " * 100 + "x" * 300), width=width)
    assert max(map(len, text.splitlines())) <= max(width, 40)


def test_nothing_is_markup_and_nothing_reaches_the_terminal(make):
    evil = "[bold red]not red[/] :smile: \x1b[31m\x1b]0;title\x07 \x08\x9b2J \u202etfel\r\nnext"
    text = shown(make.chat(T, 1, asked=evil, said=evil, name=evil, warnings=[evil]), terminal=True)
    assert "[bold red]not red[/] :smile:" in text
    assert "␛[31m␛]0;title␇" in text
    assert not set("\x07\x08\x9b\u202e\r") & set(text)
    assert "\x1b[31m" not in text
    assert "\x1b]" not in text


def test_a_conversation_with_everything(make):
    picture = "iVBORw0KGgo" + "A" * 4000
    tool = {
        "type": "function",
        "function": {
            "name": "look",
            "description": "Looks",
            "parameters": {"properties": {"at": {}}},
        },
    }
    call = {"id": "c1", "function": {"name": "look", "arguments": '{"at": "sky", "n": 2}'}}
    given = {
        "model": "m",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is this?"},
                    {
                        "type": "image_url",
                        "image_url": {"url": f"data:image/jpeg;base64,{picture}"},
                    },
                    {"type": "image_url", "image_url": {"url": "https://example.test/a.png"}},
                ],
            },
            {"role": "user", "content": "and this?", "images": [picture, {"value": picture}]},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "content": "blue", "tool_call_id": "c1"},
        ],
        "tools": [tool],
        "temperature": 0,
    }
    gave = {
        "choices": [
            {"message": {"role": "assistant", "content": "Sky.", "reasoning_content": "Hm."}},
            {"message": {"role": "assistant", "content": None, "refusal": "No."}},
        ]
    }
    text = shown(make.span(T, 1, given=given, gave=gave))
    assert cells(text, "system") == "Be brief."
    assert cells(text, "user").splitlines()[:3] == [
        "What is this?",
        "<image image/jpeg 3 kB>",
        "<image https://example.test/a.png>",
    ]
    assert text.count("<image image/png 3 kB>") == 2
    assert cells(text, "tool call") == 'look(at="sky", n=2)'
    assert cells(text, "tool") == "blue"
    assert cells(text, "tools") == "look(at): Looks"
    assert cells(text, "temperature") == "0"
    assert cells(text, "thinking") == "Hm."
    assert "Sky." in text
    assert cells(text, "refusal") == "No."
    assert "AAAA" not in text


@pytest.mark.parametrize(
    ("gave", "said"),
    [
        ({"embeddings": [[0.5] * 768, [0.1] * 768]}, "[768 numbers], [768 numbers]"),
        ({"embedding": [0.5] * 768}, "[768 numbers]"),
        ({"data": [{"embedding": [0.5] * 2, "index": 0}]}, "[2 numbers]"),
        ({"data": [{"embedding": "AACAPwAAAEA=", "index": 0}]}, "[2 numbers]"),
    ],
)
def test_embeddings(make, gave, said):
    span = make.span(
        T,
        1,
        kind="EMBEDDING",
        given={"model": "m", "input": ["a", "b"]},
        gave=gave,
        usage=Usage(input_tokens=2),
    )
    text = shown(span)
    assert cells(text, "embeddings") == said
    assert cells(text, "input") == "a\nb"
    assert "2 → –" in text


def test_generate_and_completions(make):
    given = {"model": "m", "prompt": "Once", "system": "Tell."}
    span = make.span(T, 1, kind="LLM", given=given, gave={"response": "upon", "thinking": "Hm."})
    text = shown(span)
    assert [cells(text, name) for name in ("system", "user", "thinking", "assistant")] == [
        "Tell.",
        "Once",
        "Hm.",
        "upon",
    ]
    text = shown(make.span(T, 1, kind="LLM", given=given, gave={"choices": [{"text": "upon"}]}))
    assert cells(text, "assistant") == "upon"


def test_responses(make):
    given = {
        "model": "m",
        "instructions": "Be brief.",
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
            {"type": "function_call_output", "call_id": "c", "output": "blue"},
        ],
    }
    gave = {
        "output": [
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]},
            {"type": "function_call", "name": "look", "arguments": '{"at": "sky"}'},
            {
                "type": "message",
                "role": "assistant",
                "content": [{"type": "output_text", "text": "Hello"}],
            },
        ]
    }
    text = shown(make.span(T, 1, given=given, gave=gave))
    found = [
        cells(text, name)
        for name in ("system", "user", "tool", "thinking", "tool call", "assistant")
    ]
    assert found == ["Be brief.", "Hi", "blue", "Hm.", 'look(at="sky")', "Hello"]


@pytest.mark.parametrize(
    "value",
    [
        None, 0, "text", [], {}, [1, [2]], {"messages": 3}, {"messages": [None, 3, {}]},
        {"messages": [{"role": None, "content": 5, "tool_calls": [7, {}, {"function": 3}]}]},
        {"choices": [None, {}, {"message": 4}]}, {"message": []}, {"output": [None, {"type": 1}]},
        {"tools": [None, {"function": {"name": "x", "parameters": 3}}]}, {"data": [1]},
        {"embeddings": [[], None]}, {"embeddings": []}, {"images": [None]}, {"input": 5},
    ],
)  # fmt: skip
def test_any_shape_is_shown(make, value):
    for kind in ("CHAT_MODEL", "EMBEDDING", "TOOL"):
        assert "OK" in shown(make.span(T, 1, kind=kind, given=value, gave=value))


def test_what_a_span_belongs_to(make):
    span = make.span(
        T, 1, session="s1", user="me", tags={"env": "test"}, metadata={"k": "v"},
        attributes={"score": 0.5}, links=[{"trace_id": "b" * 32, "span_id": "c" * 16}],
        events=[{"name": "retry", "time_ns": 1_790_000_000_500_000_000, "attributes": {"n": 1}}],
    )  # fmt: skip
    text = shown(span)
    assert cells(text, "session") == "s1"
    assert cells(text, "user id") == "me"
    assert cells(text, "tags") == "env=test"
    assert cells(text, "metadata") == "k=v"
    assert cells(text, "attributes") == "score=0.5"
    assert cells(text, "link") == f"trace {'b' * 32} span {'c' * 16}"
    assert cells(text, "event") == "retry after 500 ms n=1"


def test_a_session_is_told_where_it_begins(make):
    spans = [make.span(T, 1, session="s1"), make.span(T, 2, parent=1, session="s1")]
    assert shown(*spans).count("s1") == 1
    other = make.span(T, 3, parent=1, session="s2")
    text = shown(*spans, other)
    assert (text.count("s1"), text.count("s2")) == (1, 1)
    later = [make.span(T, 1), make.span(T, 2, parent=1, session="s3")]
    assert shown(*later).count("s3") == 1


def test_a_cancelled_call_says_why(make):
    span = make.chat(T, 1, status="CANCELLED", status_message="CancelledError")
    assert cells(shown(span), "cancelled") == "CancelledError"


def test_the_tree_is_the_calls_depth_first(make):
    spans = (
        make.span(T, 1, name="root"),
        make.span(T, 2, name="a", parent=1, start=1),
        make.span(T, 3, name="b", parent=1, start=2),
        make.span(T, 4, name="a1", parent=2, start=3),
        make.span(T, 5, name="orphan", parent=99, start=4),
    )
    found = [guide + span.name for guide, span, _ in branches(Trace(T, spans))]
    assert found == ["root", "├─ a", "│  └─ a1", "└─ b", "orphan"]
    found = [guide + span.name for guide, span, _ in branches(Trace(T, spans), ascii_only=True)]
    assert found == ["root", "|- a", "|  `- a1", "`- b", "orphan"]


def test_a_very_deep_trace_and_one_that_bites_its_tail(make):
    deep = tuple(make.span(T, n, parent=n - 1 or None) for n in range(1, 3001))
    found = branches(Trace(T, deep))
    assert [branch.span for branch in found] == list(deep)
    assert max(len(branch.guide) for branch in found) <= 40
    circle = (make.span(T, 1, parent=2), make.span(T, 2, parent=1))
    assert [branch.span for branch in branches(Trace(T, circle))] == list(circle)
