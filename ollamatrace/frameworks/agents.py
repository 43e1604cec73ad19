"""Spans for the steps of the OpenAI Agents SDK: runs, agents, tools, handoffs, guardrails.

Needs ``pip install 'ollamatrace[agents]'``. Calls of models have their spans from the traced client
that the SDK was given, below these.
"""

from __future__ import annotations

from typing import Any, Final

import orjson

try:
    from agents.tracing import Span as Step
    from agents.tracing import SpanError, Trace, TracingProcessor
except ModuleNotFoundError as error:
    raise ImportError(
        "ollamatrace.frameworks.agents needs the SDK: pip install 'ollamatrace[agents]'"
    ) from error

from ollamatrace.frameworks.steps import Steps, text_of
from ollamatrace.guard import shielded
from ollamatrace.spans import Span
from ollamatrace.tracer import Tracer, update_trace

_KINDS: Final = {"agent": "AGENT", "function": "TOOL", "mcp_tools": "TOOL"}
_SKIPPED: Final = frozenset(
    # Calls of models, which the client traces, and what is one with the steps around it.
    ("generation", "response", "transcription", "speech", "speech_group", "task", "turn")
)
_SAID: Final = {"generation": "messages", "response": "input"}
"""The calls of models that say what a run was asked, and what it answered."""


class TraceProcessor(TracingProcessor):
    """A trace processor of the Agents SDK: one trace for each run, with spans for its steps.

    Give it to `agents.set_trace_processors`, and it takes the place of the one that sends traces to
    OpenAI, or to `agents.add_trace_processor`, and it works beside that one.

    Args:
        tracer: The tracer to use; without it, the one that fits, at each run.

    Example:
        >>> set_trace_processors([TraceProcessor()])
    """

    def __init__(self, tracer: Tracer | None = None) -> None:
        self._steps = Steps(tracer)
        self._failures: dict[str, StepError] = {}
        """Why the agent failed that ended last, for each run where it did."""

    @shielded
    def on_trace_start(self, trace: Trace) -> None:
        """Begin the span of a run, or of several within ``with agents.trace(…)``."""
        self._steps.begin(trace.trace_id, text_of(trace.name, "Agent workflow"), "CHAIN", None)
        session, metadata = getattr(trace, "group_id", None), getattr(trace, "metadata", None)
        if session or metadata:
            update_trace(session=session, metadata=metadata)

    @shielded
    def on_trace_end(self, trace: Trace) -> None:
        """End it: as failed if the agent was that ended last."""
        self._steps.end(trace.trace_id, self._failures.pop(trace.trace_id, None))

    @shielded
    def on_span_start(self, span: Step[Any]) -> None:
        """Begin the span of a step."""
        told = span.span_data
        parent = span.parent_id or span.trace_id
        if told.type in _SKIPPED:
            self._steps.skip(span.span_id, parent)
        else:
            name = text_of(getattr(told, "name", None), told.type)
            self._steps.begin(span.span_id, name, _KINDS.get(told.type, "CHAIN"), parent)

    @shielded
    def on_span_end(self, span: Step[Any]) -> None:
        """End it with what is known by then."""
        made = self._steps.open(span.span_id)
        if made is None:
            self._tell_run(span)
            self._steps.end(span.span_id)
            return
        failure = _failure(span.error)
        if span.span_data.type == "agent":
            self._failures.pop(span.trace_id, None)
            if failure is not None:
                self._failures[span.trace_id] = failure
        _describe(made, span.span_data)
        self._steps.end(span.span_id, failure)

    @shielded
    def _tell_run(self, call: Step[Any]) -> None:
        """Take what the run's own agents were asked first and answered last for the run's.

        The SDK does not tell it; with ``trace_include_sensitive_data=False`` nor that.
        """
        told = call.span_data
        run, agent = self._steps.open(call.trace_id), self._steps.within(call.span_id)
        if told.type not in _SAID or run is None or agent is None or agent.above() is not run:
            return
        if run.inputs is None and told.input is not None:
            run.inputs = {_SAID[told.type]: told.input}
        if told.type == "response":
            if told.response is not None:
                run.outputs = {"output": told.response.output}
        elif told.output:
            # Of a stream the SDK makes what the newer API answers.
            items = told.output[0].get("output")
            run.outputs = {"messages": told.output} if items is None else {"output": items}

    def shutdown(self) -> None:
        """End what is open: the SDK ends with the program."""
        self._steps.clear()
        self._failures.clear()

    def force_flush(self) -> None:
        """Nothing waits here; `ollamatrace.Tracer.flush` is what delivers."""


class StepError(Exception):
    """What the Agents SDK says of a step that failed: text, as it keeps no exception."""


def _failure(error: SpanError | None) -> StepError | None:
    if error is None:
        return None
    data: dict[str, Any] = error.get("data") or {}
    return StepError(
        ": ".join(str(one) for one in (error.get("message"), data.get("error")) if one)
    )


def _arguments(given: Any) -> Any:
    """The arguments of a tool by their names; the SDK tells them as JSON."""
    if not isinstance(given, str) or not given.startswith("{"):
        return given
    try:
        return orjson.loads(given)
    except orjson.JSONDecodeError:
        return given


@shielded  # by itself, so that the span ends in any case
def _describe(made: Span, told: Any) -> None:
    if told.type == "function":
        made.inputs, made.outputs = _arguments(told.input), told.output
    elif told.type == "handoff":
        made.name = f"handoff to {told.to_agent}" if told.to_agent else made.name
        made.inputs, made.outputs = {"from_agent": told.from_agent}, {"to_agent": told.to_agent}
    elif told.type == "guardrail":
        made.outputs = {"triggered": told.triggered}
    elif told.type == "mcp_tools":
        made.inputs, made.outputs = {"server": told.server}, told.result
    elif told.type == "agent":
        made.inputs = {"handoffs": told.handoffs, "tools": told.tools}
        made.set("output_type", told.output_type)
    else:  # of the program's own, or of a newer SDK
        made.inputs = getattr(told, "data", None)
