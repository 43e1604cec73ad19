"""Spans for the steps of LangChain and LangGraph: chains, graphs, nodes, tools, retrievers.

Needs ``pip install 'ollamatrace[langchain]'``. Calls of models have their spans from the traced
client that the chat model was given, below these.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from inspect import CO_ASYNC_GENERATOR, CO_GENERATOR
from typing import Any, Final
from uuid import UUID

try:
    from langchain_core.callbacks import BaseCallbackHandler
except ModuleNotFoundError as error:
    raise ImportError(
        "ollamatrace.frameworks.langchain needs LangChain: pip install 'ollamatrace[langchain]'"
    ) from error

from ollamatrace.frameworks.steps import Steps, text_of
from ollamatrace.guard import shielded
from ollamatrace.tracer import Tracer

_HIDDEN: Final = "langsmith:hidden"
"""The tag of steps that are of no interest, which LangGraph has many of."""
_AGENT: Final = "langchain_create_agent"
_GRAPH: Final = "LangGraph"
"""What a graph is called that was given no name."""
_NO_FAILURE: Final = "GraphBubbleUp"
"""The exceptions by which a LangGraph stops to ask, or hands over to another node."""
_CALLBACKS: Final = ("langchain_core.callbacks", __name__, "ollamatrace.guard")


class TraceCallbackHandler(BaseCallbackHandler):
    """A callback handler of LangChain: one trace for each run, with spans for its steps.

    Give it where a chain, a graph or an agent is run: ``config={"callbacks": [handler]}``. One is
    enough for the whole program.

    Args:
        tracer: The tracer to use; without it, the one that fits, at each run.

    Example:
        >>> agent.invoke(question, config={"callbacks": [TraceCallbackHandler()]})
    """

    run_inline = True
    """In the task of the step, whose context its calls see, and not in a thread beside it."""

    def __init__(self, tracer: Tracer | None = None) -> None:
        self._steps = Steps(tracer)

    @shielded
    def on_chain_start(
        self,
        serialized: dict[str, Any] | None,
        inputs: Any,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        tags: Sequence[str] | None = None,
        metadata: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> None:
        """Begin the span of a chain, a graph or one of its nodes."""
        if _HIDDEN in (tags or ()):
            self._steps.skip(run_id, parent_run_id)
            return
        name = text_of(more.get("name"), text_of((serialized or {}).get("name"), "chain"))
        kind = "AGENT" if _is_agent(name, metadata or {}) else "CHAIN"
        made = self._steps.begin(
            run_id, name, kind, parent_run_id, is_current=not _is_told_by_generator()
        )
        made.inputs = inputs

    @shielded
    def on_chain_end(self, outputs: Any, *, run_id: UUID, **more: Any) -> None:
        """End it."""
        self._take_late(run_id, more)
        self._end(run_id, outputs)

    @shielded
    def on_chain_error(self, error: BaseException, *, run_id: UUID, **more: Any) -> None:
        """End it with an exception."""
        self._take_late(run_id, more)
        self._fail(run_id, error)

    @shielded
    def on_tool_start(
        self,
        serialized: dict[str, Any] | None,
        input_str: str,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        inputs: dict[str, Any] | None = None,
        **more: Any,
    ) -> None:
        """Begin the span of a tool."""
        name = text_of(more.get("name"), text_of((serialized or {}).get("name"), "tool"))
        made = self._steps.begin(run_id, name, "TOOL", parent_run_id)
        made.inputs = input_str if inputs is None else inputs

    @shielded
    def on_tool_end(self, output: Any, *, run_id: UUID, **_more: Any) -> None:
        """End it."""
        self._end(run_id, output)

    @shielded
    def on_tool_error(self, error: BaseException, *, run_id: UUID, **_more: Any) -> None:
        """End it with an exception."""
        self._fail(run_id, error)

    @shielded
    def on_retriever_start(
        self,
        serialized: dict[str, Any] | None,
        query: str,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        **more: Any,
    ) -> None:
        """Begin the span of a retriever."""
        name = text_of(more.get("name"), text_of((serialized or {}).get("name"), "retriever"))
        self._steps.begin(run_id, name, "RETRIEVER", parent_run_id).inputs = {"query": query}

    @shielded
    def on_retriever_end(self, documents: Any, *, run_id: UUID, **_more: Any) -> None:
        """End it."""
        self._end(run_id, documents)

    @shielded
    def on_retriever_error(self, error: BaseException, *, run_id: UUID, **_more: Any) -> None:
        """End it with an exception."""
        self._fail(run_id, error)

    # A call of a model has its span from the client. Where it is part of a stream no step is
    # current, as the program reads in the same context; so the one around the call is, as long as
    # it lasts. LangChain runs the parts of a stream in a context of their own.

    @shielded
    def on_chat_model_start(
        self, *_given: Any, run_id: UUID, parent_run_id: UUID | None = None, **_more: Any
    ) -> None:
        """Have the call below the step that it is part of."""
        self._steps.surround(run_id, parent_run_id)

    @shielded
    def on_llm_start(
        self, *_given: Any, run_id: UUID, parent_run_id: UUID | None = None, **_more: Any
    ) -> None:
        """Have the call below the step that it is part of."""
        self._steps.surround(run_id, parent_run_id)

    @shielded
    def on_llm_end(self, *_given: Any, run_id: UUID, **_more: Any) -> None:
        """The call is over."""
        self._steps.release(run_id)

    @shielded
    def on_llm_error(self, *_given: Any, run_id: UUID, **_more: Any) -> None:
        """The call is over."""
        self._steps.release(run_id)

    def _take_late(self, run_id: UUID, told: Mapping[str, Any]) -> None:
        """Take the inputs of a chain that is streamed: it knows them when it has read them."""
        made = self._steps.open(run_id)
        if made is not None and told.get("inputs") is not None:
            made.inputs = told["inputs"]

    def _end(self, run_id: UUID, outputs: Any) -> None:
        made = self._steps.open(run_id)
        if made is not None:
            made.outputs = outputs
        self._steps.end(run_id)

    def _fail(self, run_id: UUID, error: BaseException) -> None:
        is_failure = all(kind.__name__ != _NO_FAILURE for kind in type(error).__mro__)
        self._steps.end(run_id, error if is_failure else None)


def _is_agent(name: str, metadata: Mapping[str, Any]) -> bool:
    """Whether that is an agent, and not one of its nodes, which have its metadata, too."""
    return metadata.get("ls_integration") == _AGENT and (
        "langgraph_node" not in metadata or name in {_GRAPH, metadata.get("lc_agent_name")}
    )


def _is_told_by_generator() -> bool:
    """Whether the step that calls back is a generator, such as a stream that a program reads.

    What it sets in its context is set for that program, too.
    """
    frame = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(_CALLBACKS):
        frame = frame.f_back
    return bool(frame.f_code.co_flags & (CO_GENERATOR | CO_ASYNC_GENERATOR))
