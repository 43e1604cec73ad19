"""The document and the README say what is in the table and in the snippets."""

from __future__ import annotations

import pytest

from tests.frameworks.document import PATH, rows, trees_in, written
from tests.frameworks.environments import ROOT
from tests.frameworks.snippet import FOLDER, text_of
from tests.frameworks.table import FRAMEWORKS

LONGEST = 10


def test_the_document_is_what_would_be_written():
    text = PATH.read_text("utf-8")
    assert written(trees_in(text)) == text


@pytest.mark.parametrize("row", rows())
def test_the_readme_has_each_framework(row):
    assert row in (ROOT / "README.md").read_text("utf-8")


@pytest.mark.parametrize("name", sorted(file.stem for file in FOLDER.glob("*.py")))
def test_snippets_are_short_and_belong_to_a_framework(name):
    lines = [line for line in text_of(name).splitlines() if line]
    assert len(lines) <= LONGEST
    known = {one.name: one for one in FRAMEWORKS}
    assert name in known or known[name.removesuffix("_steps")].has_steps
