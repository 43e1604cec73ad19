"""What is done with LangChain over OpenAI's client."""

from __future__ import annotations

from tests.frameworks.langchain import SCENARIOS as CHAT
from tests.frameworks.langchain import steps
from tests.frameworks.script import QUESTION


def _responses(made):
    return made.model.model_copy(update={"use_responses_api": True})


def responses(made):
    return _responses(made).invoke(QUESTION).text


def responses_stream(made):
    return [chunk.text for chunk in _responses(made).stream(QUESTION)]


SCENARIOS = (*CHAT, responses, responses_stream)
STEPS = steps("Completions", "AsyncCompletions")
