"""The table is what the package says it needs."""

from __future__ import annotations

import tomllib
from pathlib import Path

from tests.versions.absent import RULES
from tests.versions.table import COMBINATIONS, MORE_TESTS, NEEDS, TESTS

ROOT = Path(__file__).parents[2]


def test_the_oldest_are_those_of_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    assert set(NEEDS) == {*project["dependencies"], *extras["cli"], *extras["otel"]}
    [oldest] = [one for one in COMBINATIONS if one.lowest]
    asked = [one for one in extras["demo"] if not one.startswith("ollamatrace")]
    versions = [one.replace(">=", "==").removesuffix(".0") for one in asked]
    assert sorted(one.removesuffix(".0") for one in oldest.packages) == sorted(versions)
    assert project["requires-python"] == f">={oldest.python}"


def test_the_tests_are_there():
    assert [one for one in (*TESTS, *MORE_TESTS) if not (ROOT / one).exists()] == []


def test_the_newest_have_all():
    assert [rule.what for rule in RULES if not rule.is_there()] == []
