"""The package as a whole: what it exports, and what importing it costs and does not do."""

from __future__ import annotations

import subprocess
import sys

import pytest

import ollamatrace
import ollamatrace.sync

HEAVY = {
    "agents",
    "anyio",
    "asyncio",
    "decimal",
    "httpx",
    "httpx2",
    "langchain_core",
    "ollama",
    "ollamatrace.clients.twin",
    "ollamatrace.destinations.mlflow",
    "ollamatrace.destinations.otlp",
    "ollamatrace.frameworks",
    "ollamatrace.records.view",
    "ollamatrace.spool",
    "openai",
    "opentelemetry",
    "pathlib",
    "platformdirs",
    "pydantic",
    "rich",
    "sqlite3",
    "tenacity",
    "trio",
    "typer",
}


def python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)


def test_importing_imports_nothing_heavy_and_starts_nothing():
    code = (
        "import sys, threading; from ollamatrace import *; assert TracedClient\n"
        "print(*sys.modules); print(threading.active_count())"
    )
    modules, threads = python(code).stdout.strip().split("\n")
    assert not HEAVY & set(modules.split())
    assert threads == "1"


def test_nothing_is_imported_before_something_is_used():
    code = (
        "import sys; before = {*sys.modules}; import ollamatrace\n"
        "print(*sorted({*sys.modules} - before)); dir(ollamatrace).index('TracedClient')\n"
        "print(*sorted({*sys.modules} - before)); ollamatrace.ConfigError\n"
        "print('ollamatrace.errors' in sys.modules, 'ollamatrace.tracer' in sys.modules)"
    )
    assert python(code).stdout.splitlines() == ["ollamatrace", "ollamatrace", "True False"]


def test_the_modules_are_there_without_being_imported():
    """As they are where importing the package imports them: in an `except`, it is late to know."""
    code = "import ollamatrace; print(ollamatrace.errors.ConfigError is ollamatrace.ConfigError)"
    assert python(code).stdout.strip() == "True"


def test_a_misspelt_name_is_told():
    with pytest.raises(
        AttributeError, match="module 'ollamatrace' has no attribute 'Tracedclient'"
    ):
        ollamatrace.Tracedclient  # noqa: B018


def test_all_is_sorted_and_true():
    assert ollamatrace.__all__ == sorted(ollamatrace.__all__)
    for name in ollamatrace.__all__:
        thing = getattr(ollamatrace, name)
        assert thing.__module__.startswith("ollamatrace")
        assert thing.__doc__


def test_every_twin_has_its_original():
    for name in ollamatrace.sync.__all__:
        assert getattr(ollamatrace.sync, name).__wrapped__ is getattr(ollamatrace, name)
