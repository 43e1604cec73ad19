"""Whether the spans of model calls are what the model's server saw."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from textwrap import dedent
from typing import Any

from ollamatrace import Span, SpanRecord
from tests.frameworks.server import Exchange
from tests.frameworks.wire import INPUT_TOKENS, OUTPUT_TOKENS

MODEL_KINDS = {"CHAT_MODEL", "LLM"}


def wrong_with(records: list[SpanRecord], exchanges: list[Exchange]) -> list[str]:
    """What is wrong with `records`, the spans of model calls, where that is what the server saw."""
    wrong = []
    if len(records) != len(exchanges):
        wrong.append(f"{len(records)} spans of {len(exchanges)} calls")
    answered = {_id(record): record for record in records if record.status == "OK"}
    for exchange in exchanges:
        if exchange.said is not None:
            wrong += _differences(answered.pop(exchange.id, None), exchange)
    refused = sum(exchange.said is None for exchange in exchanges)
    if sum(record.status == "ERROR" for record in records) != refused:
        wrong.append(f"{refused} calls were refused: {[record.status for record in records]}")
    return wrong + [f"a span of no call: {name}" for name in answered]


def misplaced(records: list[SpanRecord], below: Span | None) -> list[str]:
    """Which are not right below a span, or, without one, not each alone in a trace of its own."""
    wanted = None if below is None else (below.trace_id, below.span_id)
    wrong = [
        f"{record.name} is below {record.parent_id}"
        for record in records
        if (None if record.parent_id is None else (record.trace_id, record.parent_id)) != wanted
    ]
    traces = Counter(record.trace_id for record in records)
    if below is None and any(number > 1 for number in traces.values()):
        wrong.append("calls share a trace")
    return wrong


def trees(records: list[SpanRecord]) -> list[str]:
    """Each trace as lines of name, kind and what did not go well, indented by what is above."""
    below: defaultdict[str | None, list[SpanRecord]] = defaultdict(list)
    for record in sorted(records, key=lambda record: record.start_ns):
        below[record.parent_id].append(record)

    def lines(record: SpanRecord, depth: int) -> list[str]:
        status = "" if record.status == "OK" else f" {record.status}"
        line = f"{'  ' * depth}{record.name} {record.kind}{status}"
        inner = [lines(one, depth + 1) for one in below[record.span_id]]
        return [line, *(text for one in inner for text in one)]

    return sorted("\n".join(lines(root, 0)) for root in below[None])


def inside(top: str, drawn: list[str]) -> list[str]:
    """The trees right below `top`, if that is above all there is; else what there is."""
    if len(drawn) != 1 or not drawn[0].startswith(f"{top}\n"):
        return drawn
    below = dedent(drawn[0].partition("\n")[2])
    return re.split(r"\n(?! )", below)


def without_steps(tree: str) -> str:
    """A tree without the chains and agents inside it, of which each version has others."""
    kept: list[str] = []
    above: list[tuple[int, bool]] = []
    """The depths of the lines above, and whether they are kept."""
    for line in tree.splitlines():
        depth = len(line) - len(line.lstrip())
        above = [one for one in above if one[0] < depth]
        name, _, _ = line.strip().removesuffix(" ERROR").rpartition(" ")
        is_kept = not above or not line.removesuffix(" ERROR").endswith((" CHAIN", " AGENT"))
        if is_kept:
            kept.append("  " * sum(shown for _, shown in above) + (name if above else "root"))
        above.append((depth, is_kept))
    return "\n".join(kept)


def _id(record: SpanRecord) -> str:
    return record.outputs.get("id") or record.outputs.get("created_at")


def _differences(record: SpanRecord | None, exchange: Exchange) -> list[str]:
    if record is None:
        return [f"no span of {exchange.id}"]
    said = exchange.said
    assert said is not None
    wrong = []
    if _said(record.outputs) != (
        said.text,
        [(name, json.loads(call)) for name, call in said.calls],
    ):
        wrong.append(f"{exchange.id}: {_said(record.outputs)} instead of {said}")
    usage = record.usage
    counted = None if usage is None else (usage.input_tokens, usage.output_tokens)
    if counted != ((INPUT_TOKENS, OUTPUT_TOKENS) if exchange.counts else None):
        wrong.append(f"{exchange.id}: tokens {counted}")
    if record.model != exchange.body["model"]:
        wrong.append(f"{exchange.id}: model {record.model}")
    wrong += [
        f"{exchange.id}: {name} is not as it was sent"
        for name in ("messages", "input", "tools")
        if name in exchange.body
        and not _holds((record.inputs or {}).get(name) or [], exchange.body[name])
    ]
    return wrong


def _said(outputs: dict[str, Any]) -> tuple[str, list[tuple[str, Any]]]:
    """The text and the calls of tools, from the outputs of any client."""
    if "output" in outputs:
        items = outputs["output"]
        parts = [part for item in items if item["type"] == "message" for part in item["content"]]
        calls = [item for item in items if item["type"] == "function_call"]
        text = "".join(part["text"] for part in parts)
    else:
        message = outputs["choices"][0]["message"] if "choices" in outputs else outputs["message"]
        calls = [call["function"] for call in message.get("tool_calls") or ()]
        text = message.get("content") or ""
    return text, [(call["name"], _value(call["arguments"])) for call in calls]


def _value(arguments: Any) -> Any:
    return json.loads(arguments) if isinstance(arguments, str) else arguments


def _holds(given: Any, sent: Any) -> bool:
    """Whether what was sent is what was given, or part of it: clients leave out what is empty."""
    if isinstance(sent, dict) and isinstance(given, dict):
        return all(_holds(given.get(name), value) for name, value in sent.items())
    if isinstance(sent, list) and isinstance(given, list):
        return len(sent) == len(given) and all(map(_holds, given, sent))
    return given == sent
