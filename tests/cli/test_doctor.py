"""`ollamatrace doctor`: each finding, with what to do about it."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import time
from http.server import BaseHTTPRequestHandler

import pytest

from ollamatrace import Sampling, Tracer
from ollamatrace.settings import default_spool
from ollamatrace.spool import accounts
from ollamatrace.store import Store
from ollamatrace.store.schema import MIGRATIONS
from tests.cli import programs
from tests.destinations.mlflow.loopback import Loopback

A = "a" * 32
NAMED = "/api/2.0/mlflow/experiments/get-by-name"
SEARCH = "/api/3.0/mlflow/traces/search"


@pytest.fixture
def server():
    with Loopback() as server:
        server.add_experiment("Tests")
        yield server


def is_problem(result, check, *said):
    code, found = result
    assert code == 1
    level, text = found[check]
    assert level == "problem"
    assert all(word in text for word in said), text


def test_a_server_on_which_all_is_well(diagnose, server):
    code, found = diagnose("--server", server.url)
    assert code == 0
    for check in ("reachable", "clock", "version", "experiment", "read", "write", "images"):
        assert found[check][0] == "ok", found[check]
    assert "3.17.2" in found["version"][1]
    assert "ms" in found["reachable"][1]
    assert "no test span was sent" in found["test_span"][1]


def test_looking_changes_nothing(diagnose, server):
    before = dict(server.experiments)
    diagnose("--server", server.url)
    assert (server.spans, server.infos, server.experiments) == ({}, {}, before)
    assert not default_spool().parent.exists()


def test_a_test_span_goes_all_the_way_if_asked_for(diagnose, environ, server):
    environ.setenv("OLLAMATRACE_DISABLED", "1")
    code, found = diagnose("--server", server.url, "--send")
    assert code == 0
    assert "accepted 1, delivered 1" in found["test_span"][1]
    assert len(server.spans) == 1


def test_a_test_span_that_does_not_arrive(diagnose, server):
    # Without spans in it, the request is answered with 200; with one it is not.
    server.answer("/v1/traces", None, *[(403, {"message": "no"})] * 50)
    is_problem(diagnose("--server", server.url, "--send"), "test_span", "delivered 0", "EDIT")


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (401, {"message": "who?"}, "MLFLOW_TRACKING_USERNAME"),
        (403, {"message": "no"}, "permission EDIT"),
        (404, "<html>", "check the address"),
        (200, "<html>", "no MLflow server"),
    ],
)
def test_a_server_that_does_not_let_us_in(diagnose, server, status, body, said):
    server.answer(NAMED, *[(status, body)] * 10)
    is_problem(diagnose("--server", server.url), "server", said)


def test_a_server_that_is_too_old(diagnose, server):
    server.version = "2.22.0"
    is_problem(diagnose("--server", server.url), "server", "MLflow 2.22.0", "upgrade")


def test_a_deleted_experiment(diagnose, server):
    server.experiments["1"]["lifecycle_stage"] = "deleted"
    is_problem(diagnose("--server", server.url), "server", "mlflow experiments restore")


def test_an_experiment_that_is_not_there_is_not_made(diagnose, environ, server):
    environ.setenv("OLLAMATRACE_EXPERIMENT", "New")
    code, found = diagnose("--server", server.url)
    assert code == 0
    assert "first trace makes it" in found["experiment"][1]
    assert len(server.experiments) == 2


def test_who_may_not_read_or_write(diagnose, server):
    server.answer("/v1/traces", (403, {"message": "no"}))
    is_problem(diagnose("--server", server.url), "write", "permission EDIT")
    server.answer(SEARCH, (403, {"message": "no"}))
    is_problem(diagnose("--server", server.url), "read", "cannot be read")


def test_a_workspace(diagnose, environ, server):
    environ.setenv("MLFLOW_WORKSPACE", "team")
    assert "'team'" in diagnose("--server", server.url)[1]["workspace"][1]
    body = {"error_code": "FEATURE_DISABLED", "message": "no workspaces"}
    server.answer(NAMED, (400, body))
    is_problem(diagnose("--server", server.url), "server", "unset MLFLOW_WORKSPACE")


def test_a_server_that_takes_no_files(diagnose, server):
    server.artifacts = "s3://bucket/{}"
    code, found = diagnose("--server", server.url)
    assert code == 0
    assert found["images"][0] == "warning"
    assert "--serve-artifacts" in found["images"][1]


@pytest.mark.parametrize(("seconds", "way"), [(90, "ahead of"), (-90, "behind")])
def test_clocks_that_disagree(diagnose, environ, server, seconds, way):
    usual = BaseHTTPRequestHandler.date_time_string
    environ.setattr(
        BaseHTTPRequestHandler,
        "date_time_string",
        lambda self, _=None: usual(self, time.time() + seconds),
    )
    code, found = diagnose("--server", server.url)
    assert code == 0
    assert found["clock"][0] == "warning"
    assert f"s {way} this machine" in found["clock"][1]


def test_a_server_that_is_not_there(diagnose):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    result = diagnose("--server", f"http://127.0.0.1:{port}")
    is_problem(result, "reachable", "nothing listens there")


def test_a_name_that_does_not_resolve(diagnose):
    result = diagnose("--server", "http://no-such-host.invalid:5000")
    is_problem(result, "reachable", "does not resolve", "no-such-host.invalid")


@pytest.mark.parametrize("address", ["http://", "gopher://x", "otlp://x"])
def test_an_address_that_is_none(diagnose, address):
    is_problem(diagnose("--server", address), "address")


def test_tls(diagnose, environ, certified):
    url, file = certified
    is_problem(diagnose("--server", url), "server", "MLFLOW_TRACKING_SERVER_CERT_PATH")
    environ.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", str(file))
    assert diagnose("--server", url)[1]["tls"] == ("ok", "the certificate is trusted")
    environ.setenv("MLFLOW_TRACKING_INSECURE_TLS", "true")
    assert diagnose("--server", url)[1]["tls"][0] == "warning"


def test_the_environment_and_no_secrets(run, environ, server):
    environ.setenv("MLFLOW_TRACKING_URI", server.url.replace("://", "://ada:enigma@"))
    environ.setenv("MLFLOW_TRACKING_TOKEN", "sesame")
    environ.setenv("OLLAMATRACE_DISABLED", "1")
    done = run("doctor")
    assert done.returncode == 0
    assert server.url in done.stdout
    assert "MLFLOW_TRACKING_TOKEN" in done.stdout
    assert "unset it" in done.stdout
    assert not [word for word in ("enigma", "sesame") if word in done.stdout + done.stderr]
    for name in ("ollamatrace", "CPython", "openai", "ollama", "httpx"):
        assert f"{name} " in done.stdout
    environ.setenv("MLFLOW_TRACKING_URI", "file:///somewhere")
    assert "is passed over" in run("doctor").stdout


def test_a_store_that_is_well(diagnose, path, fill, make):
    fill(*make.agent(A))
    code, found = diagnose("--store", path)
    assert code == 0
    assert "1 trace, 4 spans" in found["store"][1]
    assert f"schema {len(MIGRATIONS)}, journal mode wal" in found["store"][1]
    assert found["writable"][0] == found["disk"][0] == "ok"
    assert "permissions" not in found


def test_a_store_that_is_not_there_is_not_made(diagnose, path):
    code, found = diagnose("--store", path)
    assert code == 0
    assert "the first trace makes it" in found["store"][1]
    assert not path.exists()


def test_a_store_that_cannot_be_written(diagnose, path, fill, make, tmp_path):
    (tmp_path / "file").write_text("")
    is_problem(diagnose("--store", tmp_path / "file" / "x.db"), "writable", "is no folder")
    is_problem(diagnose("--store", tmp_path), "store", "it is a folder")
    fill(*make.agent(A))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    is_problem(diagnose("--store", path), "writable", "locked")
    other.close()


def test_somebody_elses_file(diagnose, tmp_path):
    other = tmp_path / "other.db"
    other.write_text("not a database, but long enough to be looked at by somebody" * 20)
    is_problem(diagnose("--store", other), "store", "choose another path")


def test_a_store_that_others_may_read_in_another_journal_mode(diagnose, path, fill, make):
    fill(*make.agent(A))
    Store(path).close()
    path.chmod(0o644)
    code, found = diagnose("--store", path)
    assert code == 0
    assert f"chmod 600 {path}" in found["permissions"][1]
    assert found["permissions"][0] == "warning"


def test_no_home(environ):
    environ.delenv("HOME")
    environ.delenv("XDG_DATA_HOME")
    code = (
        "import pwd, sys; sys.argv[1:] = ['doctor', '--json']\n"
        "def nobody(number): raise KeyError(number)\n"
        "pwd.getpwuid = nobody\n"
        "from ollamatrace.cli import main; main()"
    )
    done = programs.run(code)
    assert (done.returncode, done.stderr) == (1, "")
    [wrong] = [one for one in json.loads(done.stdout)["findings"] if one["level"] == "problem"]
    assert wrong["check"] == "data_folder"
    assert "set HOME or XDG_DATA_HOME" in wrong["text"]


def test_what_waits(diagnose, environ):
    with Loopback() as gone:
        url = gone.url
    programs.leave_behind(url)
    code, found = diagnose()
    assert code == 0
    level, text = found["waiting"]
    assert level == "warning"
    assert all(word in text for word in (url, "3 spans", "ollamatrace forward"))
    process = programs.start(url, "Other")
    try:
        assert "3 spans held by a running program" in diagnose()[1]["held"][1]
    finally:
        programs.kill(process)


def test_a_spool_that_cannot_be_written(diagnose):
    default_spool().parent.mkdir(parents=True, exist_ok=True)
    default_spool().write_text("")
    code, found = diagnose()
    assert code == 0
    level, text = found["spool_writable"]
    assert level == "warning"
    assert "lost with the program" in text


def test_whatever_is_in_the_spool_it_comes_to_an_end(diagnose):
    folder = default_spool() / os.fsdecode(b"odd\xff\x1b[2J")
    folder.mkdir(parents=True)
    os.mkfifo(folder / "rejected.jsonl")
    os.mkfifo(default_spool() / "accounts.jsonl")
    header = '{"spool": 1, "url": "http://x:1", "experiment": "E"}'
    (folder / "1.jsonl").write_text(f"{header}\n{{}}\n" + "x" * 3_000_000 + "\n{}")
    found = diagnose()[1]
    assert "2 spans" in found["waiting"][1]


def test_what_was_rejected_and_what_programs_say_at_their_end(diagnose, run, server, environ):
    code = (
        "import sys; from ollamatrace import Tracer\n"
        "tracer = Tracer(sys.argv[1])\n"
        "with tracer.span('a'): pass\n"
        "tracer.flush()\n"
        "with tracer.span('bad'): pass\n"
        "tracer.flush(60)\n"
    )
    refused = (422, {"detail": "bad span"})
    server.answer("/v1/traces", None, *[refused] * 50)
    done = programs.run(code, server.url)
    assert done.returncode == 0, done.stderr
    found = diagnose()[1]
    level, text = found["rejected"]
    assert level == "warning"
    assert "1 span refused" in text
    assert "bad span" in text
    level, text = found["account"]
    assert level == "warning"
    assert f"{server.url}: 2 spans of ended programs, 1 delivered (50.0%)" in text
    assert "lost: 1 rejected" in text
    [line] = accounts.read(default_spool())
    assert line["program"] == "-c"
    assert line["pid"] != os.getpid()


def test_what_a_person_sees(run, environ, server):
    environ.setenv("OLLAMATRACE_SERVER", server.url)
    environ.setenv("OLLAMATRACE_EXPERIMENT", "Tests")
    done = run("doctor")
    assert done.returncode == 0
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[-1] == "All is well."
    assert server.url in lines
    assert all(line.split()[0] in ("ok", "warning", "problem") for line in lines if line[0] == " ")
    server.version = "2.22.0"
    done = run("doctor")
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == "1 problem, 0 warnings"


def test_what_sampling_left_out(diagnose, path):
    with Tracer(f"sqlite:///{path}", sampling=Sampling(0)) as tracer:
        for _ in range(3):
            with tracer.span("left out"):
                pass
    assert "3 spans left out, by sampling or a caller" in diagnose()[1]["account"][1]
