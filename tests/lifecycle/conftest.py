from __future__ import annotations

import pytest

from tests.destinations.mlflow.loopback import Loopback
from tests.lifecycle.programs import names, send_rest, sent_names


@pytest.fixture
def mlflow():
    with Loopback() as server:
        yield server


@pytest.fixture(params=["embedded", pytest.param("mlflow", marks=pytest.mark.lifecycle)])
def kept(request, tmp_path, mlflow):
    """A destination: its address, and what gives the names of the spans that it has."""
    if request.param == "mlflow":
        return mlflow.url, lambda: send_rest(mlflow.url) or sent_names(mlflow)
    return f"sqlite:///{tmp_path}/x.db", lambda: names(tmp_path / "x.db")
