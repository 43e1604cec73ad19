from __future__ import annotations

import pytest

from ollamatrace.destinations.mlflow.server import Place
from ollamatrace.pipeline import Denied, Unavailable

NAMED = "/api/2.0/mlflow/experiments/get-by-name"
CREATE = "/api/2.0/mlflow/experiments/create"
MISSING = (404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "none"})


@pytest.fixture
def server(open_channel):
    return lambda *args, **more: open_channel(None, *args, **more)._server


def test_an_experiment_is_found_or_made(mlflow, server):
    mlflow.add_experiment("Known")
    assert server("Known").place() == Place("1", "mlflow-artifacts:/1")
    assert server("New").place() == Place("2", "mlflow-artifacts:/2")
    assert mlflow.experiments["2"]["name"] == "New"


def test_looking_makes_nothing(mlflow, server):
    assert server("New").find() is None
    assert not mlflow.calls(CREATE)


def test_another_process_may_make_it_at_the_same_time(mlflow, server):
    mlflow.add_experiment("Race")
    mlflow.answer(NAMED, MISSING)
    assert server("Race").place().id == "1"
    assert len(mlflow.calls(CREATE)) == 1


def test_a_deleted_experiment_is_denied_with_the_way_back(mlflow, server):
    mlflow.add_experiment("Old", lifecycle_stage="deleted")
    with pytest.raises(Denied, match="mlflow experiments restore --experiment-id 1"):
        server("Old").place()


def test_a_number_is_a_name_first_and_then_an_id(mlflow, server):
    mlflow.add_experiment("Known")
    assert server("1").place().id == "1"
    mlflow.add_experiment("1")
    assert server("1").place().id == "2"
    assert server("77").place().id == "3"
    assert mlflow.experiments["3"]["name"] == "77"


def test_an_id_must_exist(mlflow, server):
    mlflow.add_experiment("Known")
    assert server("x", experiment_id="1").place().id == "1"
    with pytest.raises(Denied, match="no experiment with the id 9"):
        server("x", experiment_id="9").place()
    assert not mlflow.calls(CREATE)


def test_a_name_that_the_server_does_not_take_is_denied(mlflow, server):
    mlflow.answer(CREATE, (400, {"error_code": "INVALID_PARAMETER_VALUE", "message": "bad"}))
    with pytest.raises(Denied, match="another name"):
        server("x").place()


@pytest.mark.parametrize("version", ["2.22.4", "3.4.0", "3.11.1", "3.9.0.dev0", "3.5.0rc1\n"])
def test_an_older_server_is_told(mlflow, server, version):
    mlflow.version = version
    with pytest.raises(Denied, match=rf"MLflow {version.strip()}; ollamatrace needs 3\.12"):
        server().place()
    assert len(mlflow.requests) == 1


@pytest.mark.parametrize("version", ["3.12.0", "3.13.0rc0", "3.17.2", "4.0.0"])
def test_a_new_enough_server_is_used(mlflow, server, version):
    mlflow.version = version
    assert server().place().id == "1"


@pytest.mark.parametrize(
    "hidden", [(404, "<html>"), (200, "<html>sign in"), (200, {"version": "0.6"}), (400, "bad")]
)
def test_a_version_that_a_proxy_hides_is_no_obstacle(mlflow, server, hidden):
    mlflow.answer("/version", hidden)
    assert server().place().id == "1"


def test_a_version_that_wants_credentials_is_denied(mlflow, server):
    mlflow.answer("/version", (401, ""))
    with pytest.raises(Denied, match="MLFLOW_TRACKING_USERNAME"):
        server().place()


@pytest.mark.parametrize("nothing", ["", None])
def test_an_experiment_without_an_id_is_none(nothing, mlflow, server):
    """The server would take spans that name none, and keep nothing of them."""
    mlflow.add_experiment("Tests", experiment_id=nothing)
    with pytest.raises(Denied, match="check the address"):
        server().place()


@pytest.mark.parametrize(
    "answer", [(404, "404 page not found"), (200, "<html>"), (200, {"ok": True}), (200, "[]")]
)
def test_another_kind_of_server_is_denied(mlflow, server, answer):
    mlflow.answer("/version", (404, ""))
    mlflow.answer("/api", answer)
    with pytest.raises(Denied, match="check the address"):
        server().place()


def test_ollama_is_told_by_name(mlflow, server):
    mlflow.answer("/version", (404, "404 page not found"))
    mlflow.answer("/api", (404, "404 page not found"))
    mlflow.answer("/", (200, "Ollama is running"))
    with pytest.raises(Denied, match="is the Ollama server, which keeps no traces"):
        server().place()


def test_a_server_that_starts_up_is_unavailable(mlflow, server):
    mlflow.answer("/version", (503, ""))
    one = server()
    with pytest.raises(Unavailable):
        one.place()
    assert one.place().id == "1"


def test_what_is_known_stays_known_while_it_is_asked_again(mlflow, server):
    one = server()
    place = one.place()
    one.forget()
    assert one.known == place
    mlflow.experiments["1"]["lifecycle_stage"] = "deleted"
    with pytest.raises(Denied, match="deleted"):
        one.place()
