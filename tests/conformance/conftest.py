"""The matrix at the end of the tests."""

from __future__ import annotations

import pytest

from tests.conformance.matrix import Verdict, ascii_matrix

_VERDICTS = pytest.StashKey[list[Verdict]]()


@pytest.fixture
def verdicts(request):
    return request.config.stash.setdefault(_VERDICTS, [])


def pytest_terminal_summary(terminalreporter, config):
    verdicts = config.stash.get(_VERDICTS, [])
    if verdicts:
        terminalreporter.section("how calls end")
        terminalreporter.write_line(ascii_matrix(verdicts))
