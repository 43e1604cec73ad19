"""Servers made of several processes: started, sent requests from several clients, ended."""

from __future__ import annotations

import concurrent.futures
import os
import signal
import subprocess
import sys
import threading
import time

import httpx

from tests.servers.processes import free_port

DEADLINE_S = 60
CALL = """
CALL = {
    "model": "gemma3:270m",
    "messages": [{"role": "user", "content": "What is the capital of France?"}],
    "options": {"temperature": 0, "seed": 7, "num_predict": 24, "stop": ["\\n"]},
}
"""
"""For programs: what the capture ``ollama-native/chat`` answers again and again."""


def until(look, what):
    """Look until that gives something true, and give it."""
    end = time.monotonic() + DEADLINE_S
    while not (seen := look()):
        assert time.monotonic() < end, what
        time.sleep(0.02)
    return seen


class Service:
    """A program that listens on a port of its own; ``{port}`` in its command is that.

    It answers each request with its process id, and traces it under the query of the request.
    """

    def __init__(self, folder, command, **environment):
        port = free_port()
        self._url = f"http://127.0.0.1:{port}/"
        self._log = folder / "service.log"
        self._asked = 0
        self._lock = threading.Lock()
        self.answered = {}
        """The process that answered, by the name that was asked for."""
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, *(str(part).format(port=port) for part in command)],
                cwd=folder,
                env={**os.environ, **environment},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def __enter__(self):
        try:
            until(lambda: self._process.poll() is not None or self.ask(), "it does not answer")
            assert self._process.poll() is None, self.log()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def ask(self):
        """Ask once; the process that answered, if one did."""
        with self._lock:
            self._asked += 1
            name = f"request {self._asked}"
        try:
            answer = httpx.get(self._url, params={"name": name}, timeout=20, trust_env=False)
        except httpx.TransportError:
            return None
        assert answer.status_code == 200, self.log()
        self.answered[name] = int(answer.text)
        return int(answer.text)

    def ask_often(self, meanwhile=None):
        """Ask 40 times, from four clients, and do something meanwhile."""
        with concurrent.futures.ThreadPoolExecutor(4) as clients:
            asked = [clients.submit(self.ask) for _ in range(40)]
            if meanwhile is not None:
                meanwhile()
        return {process for one in asked if (process := one.result())}

    def signal(self, number):
        os.kill(self._process.pid, number)

    def terminate(self):
        """End it; its exit code."""
        self.signal(signal.SIGTERM)
        return self._process.wait(timeout=DEADLINE_S)

    def log(self):
        return self._log.read_text(errors="replace")
