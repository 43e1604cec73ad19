"""An answer of an SDK is taken by its fields, and is what pydantic would have made of it."""

from __future__ import annotations

import datetime as dt
import gc
import subprocess
import sys
import weakref

import ollama
import orjson
import pydantic
import pytest
from openai.types.chat import ChatCompletion, ParsedChatCompletion
from openai.types.responses import Response

from ollamatrace.records import answer_snapshot, snapshot
from ollamatrace.records.snapshot import LARGE_LEAF, quick_snapshot

LIMIT = 10**6
CHAT = {
    "id": "c",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": "é", "reasoning": "no field of it"},
        }
    ],
    "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
}


class Own(pydantic.BaseModel):
    when: dt.datetime = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)

    @pydantic.field_serializer("when")
    def _year(self, when):
        return when.year


class Masked(pydantic.BaseModel):
    """Its only fields are those that nobody declared."""

    model_config = {"extra": "allow"}

    @pydantic.model_serializer
    def _shown(self):
        return {"key": "masked"}


class Computed(pydantic.BaseModel):
    @pydantic.computed_field
    def area(self) -> int:
        return 3


def answer(**changes):
    made = ChatCompletion.model_validate({**CHAT, **changes})
    made._request_id = "req"
    return made


def incomplete():
    """As OpenAI's client makes it of what a server sent without fields that are required."""
    made = ChatCompletion.construct(id="c", choices=CHAT["choices"])
    made._request_id = "req"
    return made


def lessened():
    """As a program leaves it that throws a field away: it holds as many as before the id came."""
    made = answer()
    del made.usage
    return made


ANSWERS = {
    "chat": answer(),
    "unknown fields": answer(made_by="ollama", odd={"a": [1, None]}),
    "a time": answer(odd=dt.datetime(2026, 1, 1, tzinfo=dt.UTC)),
    "a huge number": answer(odd=2**70),
    "half a character": answer(odd="\ud800"),
    "bytes": answer(odd=b"x"),
    "a model with its own ways": answer(odd=Own()),
    "parsed": ParsedChatCompletion[Own].model_validate(CHAT),
    "a model without fields": answer(odd=Computed()),
    "a model that hides what it holds": answer(odd=[Masked(key="sk-1")]),
    "required fields are missing": incomplete(),
    "a field is gone": lessened(),
    "response": Response.construct(id="r", output=[], created_at=1.5, metadata={"a": "b"}),
    "ollama": ollama.ChatResponse(
        model="m",
        done=True,
        message=ollama.Message(
            role="assistant",
            content="Hi",
            images=[ollama.Image(value="aGk=")],
            tool_calls=[{"function": {"name": "f", "arguments": {"a": 1}}}],
        ),
    ),
    "a list of models": ollama.ListResponse(
        models=[{"model": "m", "size": 7, "modified_at": dt.datetime(2026, 1, 1, tzinfo=dt.UTC)}]
    ),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_answers_are_as_pydantic_writes_them(name):
    value = ANSWERS[name]
    taken = answer_snapshot(value, LIMIT)
    taken = orjson.loads(taken) if isinstance(taken, bytes) else taken.content().value
    try:
        expected = orjson.loads(value.model_dump_json(warnings=False))
    except (orjson.JSONDecodeError, pydantic.ValidationError, ValueError):  # JSON cannot hold it
        expected = taken
    assert taken == expected
    assert "_request_id" not in taken


def test_classes_of_the_program_are_not_kept():
    """They may be made for one call: as the form of its answer, say."""
    kind = pydantic.create_model("Made", when=(int, 1))
    answer_snapshot(answer(odd=kind()), LIMIT)
    kept = weakref.ref(kind)
    del kind
    gc.collect()
    assert kept() is None


@pytest.mark.parametrize(
    "value",
    [
        "x" * (LARGE_LEAF + 1),
        {"a": [{"b": "x" * (LARGE_LEAF + 1)}]},
        {"a": [0.5] * 5000},
        {"a": {1, 2}},
        {"a": object()},
    ],
)
def test_what_takes_long_or_is_no_json_is_not_quick(value):
    assert quick_snapshot(value, LIMIT) is None


def test_shared_values_take_no_time_without_end():
    value = [1]
    for _ in range(60):
        value = [value, value]
    assert quick_snapshot(value, LIMIT) is None
    assert len(snapshot(value, LIMIT)) > 0


def test_what_is_taken_takes_no_more_than_it_is_long():
    """orjson gives bytes that hold on to some kilobytes each."""
    program = """
from ollamatrace.records import answer_snapshot, snapshot

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096

before = resident()
taken = [snapshot({"a": "x" * 100}, 1 << 20) for _ in range(20_000)]
print((resident() - before) // len(taken))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert 100 < int(done.stdout) < 400, done.stderr
