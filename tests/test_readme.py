"""What the README says is there."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import re
import signal
from pathlib import Path

import pytest

from ollamatrace import Capture, Delivery, otel, settings

README = Path(__file__).parent.parent / "README.md"
TEXT = README.read_text("utf-8")
SNIPPETS = re.findall(r"^```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("kind", [Capture, Delivery])
def test_every_setting_is_named(kind):
    for field in dataclasses.fields(kind):
        assert f"{kind.__name__}({field.name}=)" in TEXT


def test_every_environment_variable_is_named():
    source = Path(settings.__file__).read_text("utf-8")
    names = set(re.findall(r'"((?:OLLAMATRACE|MLFLOW|OTEL)_[A-Z_]+)"', source))
    assert len(names) >= 24
    assert all(name in TEXT for name in names)


@pytest.mark.parametrize("snippet", SNIPPETS)
def test_snippets_import_what_exists(snippet):
    for node in ast.walk(ast.parse(snippet)):
        if isinstance(node, ast.ImportFrom):
            module = importlib.import_module(node.module)
            assert all(hasattr(module, alias.name) for alias in node.names)


@pytest.fixture
def own_sigterm():
    """One of the snippets installs a handler."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def disconnected():
    """Another connects OpenTelemetry."""
    yield
    otel.disconnect()


@pytest.mark.usefixtures("own_sigterm", "disconnected")
def test_snippets_without_a_server_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    ran = [
        snippet
        for snippet in SNIPPETS
        if "import ollama\n" not in snippet and "OpenAI" not in snippet
    ]
    for snippet in ran:
        exec(compile(snippet, "README.md", "exec"), {})  # noqa: S102  that is the point
    assert len(ran) == 11
    assert "1 of 1" in capsys.readouterr().out
