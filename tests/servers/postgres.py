"""A PostgreSQL cluster of the tests' own."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

from tests.servers.processes import free_port, poll


class Postgres:
    """A fresh cluster in a folder of its own, on a free port, with nothing to lose."""

    def __init__(self):
        # The server refuses to run as root; Debian's package brings a user for it.
        self._user = {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}
        self._bin = max(Path("/usr/lib/postgresql").glob("*/bin"), key=_version)
        # Not in pytest's folder: that is its user's alone, and the server may run as another.
        self._folder = Path(tempfile.mkdtemp(prefix="postgres-"))
        self._port = free_port()
        self.uri = f"postgresql+psycopg2://mlflow@127.0.0.1:{self._port}/postgres"

    def start(self):
        if self._user:
            shutil.chown(self._folder, **self._user)
        data = self._folder / "data"
        make = ["initdb", "-D", data, "-U", "mlflow", "--auth", "trust", "-E", "UTF8", "--no-sync"]
        self._run(make).wait(60)
        assert (data / "PG_VERSION").exists(), self.log()
        settings = ("fsync=off", f"unix_socket_directories={self._folder}", "max_connections=100")
        options = [part for setting in settings for part in ("-c", setting)]
        address = ["-h", "127.0.0.1", "-p", str(self._port)]
        self._process = self._run(["postgres", "-D", data, *address, *options])
        poll(self._is_up, what="PostgreSQL does not answer", deadline_s=60)
        return self

    def _run(self, command):
        with (self._folder / "postgres.log").open("ab") as log:
            return subprocess.Popen(
                [self._bin / command[0], *command[1:]],
                cwd=self._folder,
                env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
                stdout=log,
                stderr=subprocess.STDOUT,
                **self._user,
            )

    def _is_up(self):
        assert self._process.poll() is None, self.log()
        try:
            socket.create_connection(("127.0.0.1", self._port), timeout=5).close()
        except OSError:
            return False
        return "ready to accept connections" in self.log()

    def log(self):
        return (self._folder / "postgres.log").read_text(errors="replace")

    def stop(self):
        self._process.send_signal(signal.SIGQUIT)  # at once, without saving anything
        self._process.wait(30)
        shutil.rmtree(self._folder)


def _version(path):
    return float(path.parent.name)
