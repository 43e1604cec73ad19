"""Real servers: MLflow over SQLite and over PostgreSQL. Started once, shared by all the tests."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from ollamatrace import Tracer
from ollamatrace.cli.replay import ReplayServer
from tests.servers import golden
from tests.servers.mlflow_server import PYTHON, MlflowServer, Reader
from tests.servers.postgres import Postgres

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items):
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.servers)
            item.add_marker(pytest.mark.timeout(240))  # the first test waits for the servers


@pytest.fixture(scope="session")
def reader(tmp_path_factory):
    assert PYTHON.exists(), f"there is no MLflow in {PYTHON.parents[1]}: see .ci/run"
    reader = Reader(tmp_path_factory.mktemp("reader"))
    yield reader
    reader.stop()


@pytest.fixture(scope="session")
def sqlite_server(tmp_path_factory, reader):
    folder = tmp_path_factory.mktemp("mlflow-sqlite")
    server = MlflowServer(folder, f"sqlite:///{folder}/mlflow.db", reader).start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory, reader):
    postgres = Postgres().start()
    try:
        folder = tmp_path_factory.mktemp("mlflow-postgres")
        server = MlflowServer(folder, postgres.uri, reader, workers=2).start()
        yield server
        server.stop()
    finally:
        postgres.stop()


@pytest.fixture(scope="session")
def auth_server(tmp_path_factory, reader):
    folder = tmp_path_factory.mktemp("mlflow-auth")
    server = MlflowServer(folder, f"sqlite:///{folder}/mlflow.db", reader, auth=True).start()
    yield server
    server.stop()


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
def mlflow_server(request):
    """A running MLflow server, over each database that it is used with."""
    return request.getfixturevalue(f"{request.param}_server")


@pytest.fixture
def experiment():
    """A name that no other test files traces under."""
    return f"test-{uuid.uuid4().hex[:12]}"


@pytest.fixture(scope="session")
def model_server():
    """A server that answers as the one did with which the golden files were made."""
    with ReplayServer(golden.exchanges(), pace=0) as server:
        yield server


@pytest.fixture
def tracer(mlflow_server, experiment):
    """A tracer whose spans go to the server, to an experiment of the test's own."""
    with Tracer(mlflow_server.url, experiment=experiment) as tracer:
        yield tracer
