"""What is done with LangChain over Ollama's client."""

from __future__ import annotations

from tests.frameworks.langchain import SCENARIOS, steps

__all__ = ["SCENARIOS", "STEPS"]

STEPS = steps("Chat", "AsyncChat")
