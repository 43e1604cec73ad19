"""Real MLflow servers, and MLflow's own client to read them with."""

from __future__ import annotations

import json
import os
import select
import subprocess
from pathlib import Path

from tests.servers.processes import Server, poll

ROOT = Path(__file__).parents[2]
VENV = Path(os.environ.get("OT_MLFLOW_VENV") or ROOT / ".venv-mlflow")
PYTHON = VENV / "bin" / "python"
USER, PASSWORD = "admin", "correct horse battery"


class MlflowServer(Server):
    """`mlflow server` over a database, with its artifacts in a folder of its own."""

    def __init__(self, folder, database, reader, *, workers=1, auth=False):
        env = {
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "DO_NOT_TRACK": "true",
            "MLFLOW_MODEL_CATALOG_URI": "",  # it would look for prices on the internet
        }
        command = [PYTHON, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", "{port}"]
        command += ["--workers", str(workers), "--backend-store-uri", database]
        command += ["--artifacts-destination", folder / "artifacts"]
        if auth:
            command += ["--app-name", "basic-auth"]
            settings = folder / "basic_auth.ini"
            settings.write_text(
                "[mlflow]\ndefault_permission = READ\n"
                f"database_uri = sqlite:///{folder}/basic_auth.db\n"
                f"admin_username = {USER}\nadmin_password = {PASSWORD}\n"
                "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
            )
            env |= {
                "MLFLOW_AUTH_CONFIG_PATH": str(settings),
                "MLFLOW_AUTH_ADMIN_PASSWORD": PASSWORD,
                "MLFLOW_FLASK_SERVER_SECRET_KEY": "a secret of the tests",
            }
        super().__init__(folder, command, env=env, health="/health")
        credentials = {"MLFLOW_TRACKING_USERNAME": USER, "MLFLOW_TRACKING_PASSWORD": PASSWORD}
        self._reader = reader
        self._credentials = credentials if auth else {}

    def ask(self, function, *args, **conditions):
        """Call a function of `reader.py` for this server."""
        return self._reader.ask(self.url, self._credentials, function, args, conditions)

    def traces(self, experiment, count=1, until=lambda _: True, **conditions):
        """Read an experiment's traces, oldest first, as soon as they are as many, and so.

        The server's two processes and MLflow's own cache may lag a moment behind an answer.
        """

        def look():
            seen = self.ask("traces", experiment, **conditions)
            told.append([_told(trace) for trace in seen])
            return seen if len(seen) == count and None not in seen and until(seen) else None

        told = []
        try:
            return poll(look, what=f"not the {count} traces that are expected", deadline_s=20)
        except AssertionError as error:
            raise AssertionError("\n".join([str(error), *told[-1]])) from None

    def trace(self, experiment, until=lambda _: True):
        """Read an experiment's only trace."""
        return self.traces(experiment, until=lambda seen: until(seen[0]))[0]


def _told(trace):
    if trace is None:
        return "unreadable"
    spans = [span["name"] for span in trace["data"]["spans"]]
    return f"{json.dumps(trace['info'])} with the spans {spans}"


class Reader:
    """The process in MLflow's environment that runs `reader.py`."""

    def __init__(self, folder):
        with (folder / "reader.log").open("ab") as log:
            self._process = subprocess.Popen(
                [PYTHON, Path(__file__).parent / "reader.py"],
                cwd=folder,
                env=client_env(folder),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )

    def ask(self, uri, env, function, args, conditions):
        job = {
            "uri": uri,
            "env": env,
            "function": function,
            "args": args,
            "conditions": conditions,
        }
        self._process.stdin.write(json.dumps(job).encode() + b"\n")
        self._process.stdin.flush()
        ready, _, _ = select.select([self._process.stdout], [], [], 90)
        assert ready, f"MLflow's client does not answer: {job}"
        answer = json.loads(self._process.stdout.readline())
        assert "error" not in answer, answer.get("error")
        return answer["answer"]

    def stop(self):
        self._process.kill()
        self._process.communicate()


def client_env(folder):
    """What a program with MLflow's client needs of the environment, and no more."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
        "GIT_PYTHON_REFRESH": "quiet",
    }


def run(program, *arguments, folder, timeout=90):
    """Run a program in MLflow's environment to its end, and give what it printed."""
    done = subprocess.run(
        [PYTHON, program, *arguments],
        cwd=folder,
        env=client_env(folder),
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
