"""A program that was packed into one file has no notes of pip's, and is traced all the same."""

from __future__ import annotations

import importlib.metadata
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ollamatrace import Tracer
from ollamatrace.cli.app import app
from ollamatrace.release import release

PROJECT = Path(__file__).parents[1] / "pyproject.toml"


@pytest.fixture
def packed(monkeypatch):
    """As if pip had not installed it."""
    find = importlib.metadata.Distribution.from_name

    def other_than_ours(name):
        if name == "ollamatrace":
            raise importlib.metadata.PackageNotFoundError(name)
        return find(name)

    monkeypatch.setattr(importlib.metadata.Distribution, "from_name", other_than_ours)
    release.cache_clear()
    yield
    release.cache_clear()


def test_it_is_what_is_installed():
    assert release() == tomllib.loads(PROJECT.read_text())["project"]["version"]


@pytest.mark.parametrize("server", ["http://127.0.0.1:9", "otlp+http://127.0.0.1:9"])
@pytest.mark.usefixtures("packed")
def test_a_packed_program_can_send_to_servers(server):
    Tracer(server).close(timeout=0)
    assert release() == "unknown"


@pytest.mark.parametrize("command", [["--version"], ["doctor", "--json"]])
@pytest.mark.usefixtures("packed")
def test_its_commands_work(command, tmp_path, monkeypatch):
    monkeypatch.setenv("OLLAMATRACE_SERVER", f"sqlite:///{tmp_path}/traces.db")
    said = CliRunner().invoke(app, command)
    assert said.exit_code == 0, said.output
    assert "unknown" in said.output
