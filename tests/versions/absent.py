"""A pytest plugin: leaves out tests of what the installed SDKs do not have.

They are told apart by what there is, not by numbers of versions; pytest counts them as deselected.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import ollama
import openai

_PATH: Final = re.compile(r"[a-z_]+(?:\.[a-z_]+)+")


@dataclass(frozen=True)
class Rule:
    """Tests that need something.

    Attributes:
        what: What it is.
        is_there: Whether the installed SDK has it.
        tests: A pattern found in their names, with parameters.
    """

    what: str
    is_there: Callable[[], bool]
    tests: str


def _has(value: Any, path: str) -> bool:
    try:
        functools.reduce(getattr, path.split("."), value)
    except AttributeError:
        return False
    return True


@functools.cache
def _client() -> openai.OpenAI:
    return openai.OpenAI(api_key="none")


def _openai(path: str) -> Callable[[], bool]:
    return lambda: _has(_client(), path)


def _ollama(name: str) -> Callable[[], bool]:
    return lambda: _has(ollama.Client, name)


def _takes(function: Any, name: str) -> Callable[[], bool]:
    return lambda: name in inspect.signature(function).parameters


RULES: Final = (
    Rule(
        "openai: responses",
        _openai("responses"),
        r"responses|test_in_the_background|test_tokens_of_a_response|with_a_stored_response"
        r"|test_a_program_that_puts_a_response_together",
    ),
    Rule("openai: beta.responses", _openai("beta.responses"), r"beta\.responses"),
    Rule(
        "openai: chat.completions.parse and stream",
        _openai("chat.completions.parse"),
        r"test_parse_is_one_span|helper-chat_stream|test_an_output_schema_given_as_a_class"
        r"|test_methods_of_openai_are_replaced|test_include_usage.py::test_helper",
    ),
    Rule("openai: videos", _openai("videos"), r"videos"),
    Rule(
        "openai: images and transcriptions in several parts",
        _takes(openai.resources.Images.generate, "stream"),
        r"test_by_path_streamed|test_several_images",
    ),
    Rule("openai: omit", lambda: hasattr(openai, "omit"), r"holds_too\[omit"),
    Rule(
        "openai: the time-out among the headers",
        lambda: "x-stainless-read-timeout" in inspect.getsource(openai._base_client),
        r"used_by_it_alone\[timeout",
    ),
    Rule(
        "openai: trio",
        lambda: hasattr(openai._utils._sync, "sniffio"),
        r"below_one_span\[trio-AsyncO|no_more_noise\[AsyncOpenAI-trio|with_calls\[AsyncOpenAI",
    ),
    Rule("openai: bodies of bytes", _takes(openai.OpenAI.post, "content"), r"test_post_of_bytes"),
    Rule("openai: all methods", _openai("decisions"), r"test_every_method_of_openai_is_listed"),
    Rule(
        "openai: a module that is no client",
        lambda: not hasattr(openai, "_load_client") or _has(_client(), "decisions"),
        r"test_anything_else_is_refused\[openai\]",
    ),
    Rule(
        "openai: resources made when they are asked for",
        lambda: isinstance(vars(openai.OpenAI).get("chat"), functools.cached_property),
        r"test_subclasses_keep_what_is_their_own",
    ),
    Rule("ollama: images as objects", lambda: hasattr(ollama, "Image"), r"test_images_of"),
    Rule(
        "ollama: thinking, schemas, log probabilities",
        _takes(ollama.Client.chat, "logprobs"),
        r"test_ollama_exchange|ollama-native/chat_think|test_other_arguments",
    ),
    Rule("ollama: create from a model", _takes(ollama.Client.create, "from_"), r"-create\]"),
    Rule("ollama: web search", _ollama("web_search"), r"web_search|web_fetch"),
    Rule(
        "ollama: systemone",
        _ollama("systemone"),
        r"systemone|test_methods_of_ollama_are_replaced|test_every_method_of_ollama_is_listed",
    ),
    Rule("ollama: close", _ollama("close"), r"Client-close|test_with_blocks_and_close"),
)


def pytest_collection_modifyitems(config, items):
    absent = [rule for rule in RULES if not rule.is_there()]
    without = [item for item in items if not _is_possible(item, absent)]
    items[:] = [item for item in items if item not in set(without)]
    config.hook.pytest_deselected(items=without)


def _is_possible(item, absent: list[Rule]) -> bool:
    """Whether the SDKs have what a test is about: by the rules, and by methods among its values."""
    if any(re.search(rule.tests, item.nodeid) for rule in absent):
        return False
    values = getattr(item, "callspec", None)
    given = [one for one in values.params.values() if isinstance(one, str)] if values else []
    return all(_has(_client(), one) for one in given if _PATH.fullmatch(one))
