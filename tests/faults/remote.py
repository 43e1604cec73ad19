"""The server of the faults from outside: started, told what to do, killed, asked what it has."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

from tests.servers.processes import free_port, poll

PROGRAM = Path(__file__).parent / "server.py"
DEADLINE_S = 60


class Remote:
    """A server on one port that can be killed and started again."""

    def __init__(self, folder):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._journal = folder / f"journal-{self.port}"
        self._process = None

    def start(self, **fault):
        self._process = subprocess.Popen(
            [sys.executable, PROGRAM, str(self.port), self._journal],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._answer()
        if fault:
            self.fault(**fault)
        return self

    def kill(self):
        """End it at once, as a machine that fails does."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def fault(self, **fault):
        """Let this go wrong from now on; nothing if nothing is given."""
        self._tell(fault=fault)

    def renew(self):
        """Delete the experiment and make one of the same name."""
        self._tell(renew=True)

    def _tell(self, **command):
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self):
        return json.loads(self._process.stdout.readline())

    def until(self, *, stored=0, hits=0):
        """Wait until it has stored so many spans, and the fault has shown so often."""

        def look():
            seen = self._tell()
            return seen["stored"] >= stored and seen["hits"] >= hits

        poll(look, what=f"not {stored} spans and {hits} faults", deadline_s=60, every_s=0.01)

    def journal(self):
        """What it has stored, in order, each with how often: spans, infos, and what was wrong."""
        spans, infos, wrong = Counter(), Counter(), []
        text = self._journal.read_text() if self._journal.exists() else ""
        for line in text.splitlines():
            kind, *ids = line.split()
            if kind == "span":
                spans[tuple(ids[:2])] += 1
            elif kind == "info":
                infos[ids[0]] += 1
            else:
                wrong.append(line)
        return spans, infos, wrong
