"""What ``docs/frameworks.md`` and the README say of the frameworks."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.frameworks.environments import ROOT, run
from tests.frameworks.snippet import text_of
from tests.frameworks.table import FRAMEWORKS, Framework

PATH: Final = ROOT / "docs" / "frameworks.md"

_HEAD: Final = """\
# Frameworks

A framework that lets you hand it a client is traced by handing it a traced one. Each model call is
then one span, below the span that is open in your program; `with span("…")` or `@trace` around a
run makes it one trace.

Each snippet below is a whole program, run in an environment of its own by
`python -m tests.frameworks`, as are agents with tools, streams, structured output and errors, sync
and async, against a scripted server: with a bare client and with a traced one. Results, exceptions,
warnings, log lines and the requests that the server gets must be the same, the client that was
wrapped unchanged, and the spans those calls that the server saw, each once, with their answers and
tokens.

Below each snippet is the trace of an agent that asks for the weather with a tool, as
`ollamatrace show` prints it, run in `with span("weather", kind="AGENT")` where nothing gives the
framework's own steps spans.
"""
_STEPS: Final = {
    "openai_agents": """\
**Its own steps**, with `pip install 'ollamatrace[agents]'`: one trace for each run, with spans for
agents, tools, handoffs and guardrails, by the SDK's own hook. `set_trace_processors` takes the
place of the processor that sends traces to OpenAI; `add_trace_processor` keeps it. The `group_id`
of a run is the session. Its input and output are what its agents' model was asked first and
answered last, as the SDK tells no more. With the program above:
""",
    "langchain_openai": """\
**Its own steps**, with `pip install 'ollamatrace[langchain]'`: one trace for each run, with spans
for chains, graphs and their nodes, agents, tools and retrievers, by LangChain's own hook. With the
program above:
""",
    "langchain_ollama": "**Its own steps**, as above:\n",
}
_TABLE: Final = re.compile(r"^#  span.*?(?=\n\n)", re.MULTILINE | re.DOTALL)
_DURATION: Final = re.compile(r" *[\d.]+ (ns|µs|ms|s|min)\b")


def written(trees: Mapping[str, str]) -> str:
    """The whole document, given the trees by the names of their snippets."""
    return "\n".join([_HEAD, *(_section(one, trees) for one in FRAMEWORKS)])


def _section(framework: Framework, trees: Mapping[str, str]) -> str:
    title = f"## {framework.title}\n"
    packages = f"`{'`, `'.join(framework.packages)}`. {framework.note}".strip()
    parts = [title, f"{packages}\n", _shown(framework.name, trees)]
    if framework.has_steps:
        parts += [_STEPS[framework.name], _shown(f"{framework.name}_steps", trees)]
    return "\n".join(parts)


def _shown(name: str, trees: Mapping[str, str]) -> str:
    return f"<!-- {name} -->\n```python\n{text_of(name)}```\n\n```text\n{trees[name]}\n```\n"


def trees_in(text: str) -> dict[str, str]:
    """The trees of a document, by the names of their snippets."""
    shown = r"<!-- (\w+) -->\n```python\n.*?^```\n\n```text\n(.*?)\n```$"
    return dict(re.findall(shown, text, re.MULTILINE | re.DOTALL))


def trees_of(framework: Framework) -> dict[str, str]:
    """The trees as a run of the framework gives them now."""
    ways = {framework.name: (), f"{framework.name}_steps": ("steps",)}
    return {
        name: _tree(framework, *more)
        for name, more in ways.items()
        if framework.has_steps or not more
    }


def _tree(framework: Framework, *more: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        store = str(Path(folder, "traces.db"))
        done = run(framework, "tests.frameworks.shown", framework.name, store, *more)
        if done.returncode:
            raise RuntimeError(done.stderr)
        [trace_id] = re.findall(r"^[0-9a-f]{8}", _printed("ls", "--store", store), re.MULTILINE)
        shown = _printed("show", "--store", store, trace_id)
        found = _TABLE.search(shown)
        if found is None:
            raise RuntimeError(shown)
        return "\n".join(line.rstrip() for line in found[0].splitlines())


def _printed(*arguments: str) -> str:
    command = [sys.executable, "-m", "ollamatrace", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout


def shape(tree: str) -> list[str]:
    """A tree without what differs from run to run: how long things took."""
    return [" ".join(_DURATION.sub("", line).split()) for line in tree.splitlines()[2:]]


def rows() -> list[str]:
    """The rows of the README's table."""
    return [
        f"| [{one.title}](docs/frameworks.md#{one.title.lower().replace(' ', '-')}) "
        f"| {one.package} {one.version} | {one.client} | {one.how} |"
        for one in FRAMEWORKS
    ]
