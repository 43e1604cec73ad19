from __future__ import annotations

import pytest

from tests.faults.remote import Remote


@pytest.fixture
def make_remote(tmp_path):
    """Make servers that are not started yet; they are gone at the end."""
    made = []

    def make():
        made.append(Remote(tmp_path))
        return made[-1]

    yield make
    for remote in made:
        remote.kill()


@pytest.fixture
def remote(make_remote):
    return make_remote()
