"""The frameworks that are tried, in the one table that says which versions, and how."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final


@dataclass(frozen=True)
class Framework:
    """A framework that is handed a traced client."""

    name: str
    """The module here with what is done with it; its snippet and environment are called so, too."""
    title: str
    packages: tuple[str, ...]
    """What is installed; the first is the framework itself."""
    how: str
    """Where the client goes."""
    note: str = ""
    """What else is to be known."""
    has_steps: bool = False
    """Whether there is a helper that gives its own steps spans."""
    oldest: tuple[str, ...] = ()
    """What else it is tried with: the oldest that the helper is said to work with."""
    kept_in: str = ""
    """What its environment is called, if not as it is."""

    def variant(self, which: str) -> Framework | None:
        """The same with its ``oldest`` packages, if there are any, or with the ``newest``."""
        packages = self.oldest
        if which == "newest":
            packages = tuple(package.partition("==")[0] for package in self.packages)
        kept_in = f"{self.name}-{which}"
        return replace(self, packages=packages, kept_in=kept_in) if packages else None

    @property
    def version(self) -> str:
        """That of the framework itself."""
        return self.packages[0].partition("==")[2]

    @property
    def package(self) -> str:
        """The name of the framework itself."""
        return self.packages[0].partition("==")[0].partition("[")[0]

    @property
    def client(self) -> str:
        """Of whom the client is, and its version."""
        return self.packages[1].replace("==", " ")


OPENAI: Final = "openai==3.54.0"
OLLAMA: Final = "ollama==0.6.3"

FRAMEWORKS: Final = (
    Framework(
        "openai_agents",
        "OpenAI Agents SDK",
        ("openai-agents==0.24.0", OPENAI),
        "`OpenAIChatCompletionsModel(openai_client=)`",
        "`set_default_openai_client(client, use_for_tracing=False)` gives it to all models.",
        has_steps=True,
        oldest=("openai-agents==0.6.0", "openai==2.8.0"),
    ),
    Framework(
        "pydantic_ai",
        "Pydantic AI",
        ("pydantic-ai-slim[openai]==2.68.0", OPENAI),
        "`OpenAIProvider(openai_client=)`",
    ),
    Framework(
        "langchain_openai",
        "LangChain with OpenAI",
        ("langchain-openai==1.7.3", OPENAI, "langchain==1.4.7", "langgraph==1.2.22"),
        "`ChatOpenAI(client=, async_client=, root_client=, root_async_client=)`",
        "Its streams have token counts with `ChatOpenAI(stream_usage=True)`.",
        has_steps=True,
        oldest=(
            "langchain-openai==1.0.0",
            "openai==2.0.0",
            *("langchain==1.0.0", "langchain-core==1.0.0", "langgraph==1.0.0"),
        ),
    ),
    Framework(
        "langchain_ollama",
        "LangChain with Ollama",
        ("langchain-ollama==1.1.0", OLLAMA, "langchain==1.4.7", "langgraph==1.2.22"),
        "`model._client =`, `model._async_client =`",
        "It takes no client, so the two that it makes are replaced.",
        has_steps=True,
    ),
    Framework(
        "llama_index_openai",
        "LlamaIndex with OpenAI",
        ("llama-index-llms-openai==0.8.3", "openai==2.54.0", "llama-index-core==0.14.25"),
        "`OpenAI(openai_client=, async_openai_client=)`",
        "It knows OpenAI's models only; `OpenAILike` of `llama-index-llms-openai-like` is the same "
        "for all others.",
    ),
    Framework(
        "llama_index_ollama",
        "LlamaIndex with Ollama",
        ("llama-index-llms-ollama==0.11.0", OLLAMA, "llama-index-core==0.14.25"),
        "`Ollama(client=, async_client=)`",
    ),
    Framework(
        "litellm",
        "LiteLLM",
        ("litellm==1.106.2", "openai==2.54.0", "mcp==2.3.0"),
        "`completion(client=)`, `acompletion(client=)`",
        "Each call is given the client; `acompletion(client=aclient)` the asynchronous one.",
    ),
    Framework(
        "instructor",
        "Instructor",
        ("instructor==1.17.0", "openai==3.3.0"),
        "`instructor.from_openai(client)`",
        "Each time that it asks again for a better answer is a call of its own.",
    ),
    Framework(
        "smolagents",
        "smolagents",
        ("smolagents==1.26.0", OPENAI),
        "`model.client =`",
    ),
    Framework(
        "haystack",
        "Haystack",
        ("haystack-ai==3.4.0", OPENAI),
        "`generator.client =`, `generator.async_client =`",
    ),
)
