import pytest

from ollamatrace.store import Store


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "spans.db")
    yield store
    store.close()
