"""What is done with LlamaIndex over OpenAI's client."""

from __future__ import annotations

from tests.frameworks.llama_index import SCENARIOS

__all__ = ["SCENARIOS"]
