"""`ollamatrace forward`: what killed programs left goes to the server that is there by now."""

from __future__ import annotations

import json

import pytest

from ollamatrace.settings import default_spool
from ollamatrace.spool.waiting import look
from tests.cli import programs
from tests.destinations.mlflow.loopback import Loopback
from tests.destinations.otlp.collector import Collector, plain

A = "a" * 32
B = "b" * 32


@pytest.fixture
def server():
    with Loopback() as server:
        yield server


@pytest.fixture
def away():
    """The address of a server that is not there."""
    with Loopback() as gone:
        return gone.url


@pytest.fixture
def abandoned(server, environ):
    """Leave spans behind for `server`, which answers nothing but 503 while they are made."""

    def leave(experiment="Tests", count=3):
        server.answer("/", *[(503, "away")] * 1000)
        programs.leave_behind(server.url, experiment, count)
        server._answers.clear()

    return leave


def outcomes(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


def spans(server):
    return sum(map(len, server.spans.values()))


def test_nothing_waits(run):
    done = run("forward")
    assert (done.returncode, done.stdout) == (0, "")
    assert "Nothing waits" in done.stderr


def test_what_a_killed_program_left_is_delivered(run, server, abandoned):
    abandoned(count=5)
    abandoned("Other", count=2)
    assert spans(server) == 0
    done = run("forward")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{server.url} Tests: 5 delivered" in done.stdout
    assert f"{server.url} Other: 2 delivered" in done.stdout
    assert spans(server) == 7
    assert look(default_spool()) == []
    assert "Nothing waits" in run("forward").stderr


def test_a_file_that_names_no_server_holds_up_no_other(run, server, abandoned):
    abandoned(count=2)
    for number, url in enumerate(("sqlite:///x.db", "http://\x1b[2J", "console:")):
        folder = default_spool() / f"0-{number}"
        folder.mkdir()
        header = json.dumps({"spool": 1, "url": url, "experiment": "E"})
        (folder / "1.jsonl").write_text(f"{header}\n{{}}\n")
    done = run("forward")
    assert (done.returncode, spans(server)) == (1, 2)
    assert f"{server.url} Tests: 2 delivered" in done.stdout
    assert done.stdout.count("1 still waiting") == 3
    assert "Traceback" not in done.stderr


def test_more_files_than_are_open_at_a_time(run, server, abandoned):
    abandoned(count=1)
    [path] = default_spool().glob("*/*.jsonl")
    for number in range(150):
        path.with_name(f"{number}.jsonl").write_bytes(path.read_bytes())
    done = run("forward")
    assert (done.returncode, done.stderr) == (0, "")
    assert "151 delivered" in done.stdout
    assert not list(default_spool().glob("*/*.jsonl"))


def test_the_account_of_a_destination_as_json(run, server, abandoned):
    abandoned()
    [one] = outcomes(run("forward", "--json"))
    assert one == {
        "server": server.url,
        "experiment": "Tests",
        "delivered": 3,
        "waiting": 0,
        "rejected": 0,
        "held": 0,
        "reason": None,
    }


def test_a_server_that_is_away_keeps_it_waiting(run, environ, away):
    programs.leave_behind(away, "One")
    programs.leave_behind(away, "Two")
    done = run("forward", "--timeout", "1", "--json")
    assert done.returncode == 1
    for one in outcomes(done):
        assert (one["delivered"], one["waiting"]) == (0, 3)
        assert "refused" in one["reason"]
    done = run("forward", "--timeout", "1")
    assert "3 still waiting" in done.stdout
    assert done.stderr == ""
    assert sum(one.spans for one in look(default_spool())) == 6


@pytest.mark.parametrize(
    ("status", "said"), [(401, "MLFLOW_TRACKING_USERNAME"), (403, "permission EDIT")]
)
def test_a_server_that_denies_names_the_fix(run, server, abandoned, status, said):
    abandoned()
    abandoned("Other")
    server.answer("/api", *[(status, {"error_code": "X", "message": "no"})] * 100)
    done = run("forward")
    assert done.returncode == 1
    assert done.stdout.count("3 still waiting") == 2
    assert done.stdout.count(said) == 2
    assert spans(server) == 0


def test_credentials_come_from_the_environment(run, environ, server, abandoned):
    abandoned()
    secret = server.url.replace("://", "://ada:enigma@")
    environ.setenv("OLLAMATRACE_SERVER", secret)
    done = run("forward")
    assert done.returncode == 0
    assert "enigma" not in done.stdout + done.stderr
    [sent] = server.calls("/v1/traces")[-1:]
    assert sent["headers"]["authorization"].startswith("Basic ")


def test_what_is_refused_for_good_is_told(run, server, abandoned):
    abandoned(count=1)
    server.answer("/v1/traces", *[(422, {"detail": "bad span"})] * 100)
    done = run("forward", "--json")
    assert done.returncode == 1
    [one] = outcomes(done)
    assert (one["delivered"], one["waiting"], one["rejected"]) == (0, 0, 1)
    assert "bad span" in one["reason"]


def test_running_programs_keep_theirs(run, environ, away):
    process = programs.start(away)
    try:
        done = run("forward")
        assert done.returncode == 0
        assert "3 held by a running program" in done.stdout
        [one] = outcomes(run("forward", "--json"))
        assert (one["held"], one["waiting"], one["delivered"]) == (3, 0, 0)
    finally:
        programs.kill(process)
    [waiting] = look(default_spool())
    assert (waiting.spans, waiting.held) == (3, 0)


def test_one_server_only(run, environ, server, away, abandoned):
    abandoned()
    programs.leave_behind(away)
    [one] = outcomes(run("forward", "--server", server.url + "/", "--json"))
    assert (one["server"], one["delivered"]) == (server.url, 3)
    assert [one.url for one in look(default_spool())] == [away]


def test_an_experiment_that_is_known_by_its_id(run, environ, server, abandoned):
    number = server.add_experiment("Named")
    environ.setenv("MLFLOW_EXPERIMENT_ID", number)
    server.answer("/", *[(503, "away")] * 1000)
    code = programs.KILLED.replace(", experiment=sys.argv[2]", "")
    environ.setattr(programs, "KILLED", code)
    programs.leave_behind(server.url)
    server._answers.clear()
    environ.delenv("MLFLOW_EXPERIMENT_ID")
    [one] = outcomes(run("forward", "--json"))
    assert (one["experiment"], one["delivered"]) == (f"#{number}", 3)
    assert {info["experiment"] for info in server.infos.values()} == {number}


def test_a_store_is_brought_to_a_server_as_often_as_one_likes(run, server, path, fill, make):
    fill(*make.agent(A))
    fill(*[make.chat(f"{n:032x}", 1, start=n) for n in range(600)], experiment="Other")
    for _ in range(2):
        done = run("forward", "--store", path, "--server", server.url)
        assert (done.returncode, done.stderr) == (0, "")
        assert f"{server.url} Default: 4 delivered" in done.stdout
        assert f"{server.url} Other: 600 delivered" in done.stdout
        assert spans(server) == 604
    names = {one["experiment_id"]: one["name"] for one in server.experiments.values()}
    assert names[server.infos[f"tr-{A}"]["experiment"]] == "Default"
    assert names[server.infos[f"tr-{1:032x}"]["experiment"]] == "Other"
    assert len(run("export", "--store", path).stdout.splitlines()) == 604


def test_a_store_and_a_server_that_is_away(run, away, path, fill, make):
    fill(*make.agent(A))
    fill(make.chat(B, 1), experiment="Other")
    done = run("forward", "--store", path, "--server", away, "--timeout", "1", "--json")
    assert done.returncode == 1
    assert [one["waiting"] for one in outcomes(done)] == [4, 1]
    assert all("refused" in one["reason"] for one in outcomes(done))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--store", "x.db"], "--server URL"),
        (["--server", "sqlite:///x.db"], "http://host:port"),
        (["--store", "x.db", "--server", "http://127.0.0.1:1"], "there is no store"),
        (["--server", "http://"], "http://host:port"),
    ],
)
def test_errors_are_one_line(run, tmp_path, arguments, said):
    done = run("forward", *arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    [line] = done.stderr.splitlines()
    assert said in line


def test_what_waits_for_a_backend_of_opentelemetry_goes_there(run, environ, monkeypatch):
    """Under the service that left it behind, whatever this one is called."""
    with Collector() as collector:
        collector.answer(*[(503,)] * 1000)
        with monkeypatch.context() as patch:
            patch.setenv("OTEL_SERVICE_NAME", "shop")
            programs.leave_behind(collector.url, "team/x")
        collector._answers.clear()
        done = run("forward", "--server", collector.url)
        assert (done.returncode, done.stderr) == (0, "")
        assert "shop/team/x: 3 delivered" in done.stdout
        resources = [plain(one.resource.attributes) for one in collector.exports[-1].resource_spans]
        assert [one["service.name"] for one in resources] == ["shop"]
