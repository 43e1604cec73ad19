"""Programs that tests start: on a free port, ready before a deadline, gone at the end."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import threading
import time

import httpx

_TICK = threading.Event()  # never set: a wait between two looks


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def poll(look, *, what, deadline_s=30.0, every_s=0.1):
    """Look until that gives something true, and give it."""
    end = time.monotonic() + deadline_s
    while not (seen := look()):
        assert time.monotonic() < end, f"after {deadline_s:g} s: {what}; last seen: {seen!r}"
        _TICK.wait(every_s)
    return seen


class Server:
    """A server program that can be stopped and started again, on the same port."""

    def __init__(self, folder, command, *, env, health, port=None, options=None):
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._command = [str(part).replace("{port}", str(self.port)) for part in command]
        self._env = {"PATH": os.environ["PATH"], "HOME": str(folder), **env}
        self._health = self.url + health
        self._folder = folder
        self._log = folder / "server.log"
        self._options = options or {}
        self._process = None

    def start(self):
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._folder,
                env=self._env,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **self._options,
            )
        try:
            poll(self._is_up, what=f"{self._health} does not answer", deadline_s=90)
        except AssertionError as error:
            self.stop()
            raise AssertionError(f"{error}\n{self.log()}") from None
        return self

    def _is_up(self):
        assert self._process.poll() is None, "the server ended"
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(self._health, timeout=5, trust_env=False).status_code == 200
        return False

    def stop(self):
        """End it with all its workers, at once: as a machine that fails does."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        poll(self._is_free, what=f"port {self.port} stays taken")

    def _is_free(self):
        try:
            socket.create_server(("127.0.0.1", self.port)).close()
        except OSError:
            return False
        return True

    def log(self):
        return self._log.read_text(errors="replace")[-20_000:]
