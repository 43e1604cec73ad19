"""A program that traces for a long time while its server comes and goes.

    python -m benchmarks.soak --minutes 10

Two processes: one makes traced calls, streamed and whole, at a steady rate; the other is the model
and the tracing server, which is up for some seconds and then refuses connections, hangs, resets
them, or answers 500 or 429 for some. Printed are the account and the memory of the first. In the
end the server stays up: what it has must be what the account says, each span once, and the memory
of the last third of the time must be that of the second.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from http.server import ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.request import urlopen

from benchmarks.sink import Http

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from ollamatrace import FlushReport

FAULTS: Final = ("refuse", "hang", "reset", "500", "429")
LONGEST_S: Final = 10.0
GROWTH: Final = 1.05
"""As much more memory may be in use in the last third of the time than in the second."""
ANSWER: Final = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "soak",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": "Because of Rayleigh scattering. " * 20},
        }
    ],
    "usage": {"prompt_tokens": 20, "completion_tokens": 100, "total_tokens": 120},
}
PIECE: Final = {
    "id": "chatcmpl-1",
    "object": "chat.completion.chunk",
    "created": 1,
    "model": "soak",
    "choices": [{"index": 0, "delta": {"content": "blue "}, "finish_reason": None}],
}


class Model(Http):
    """Answers at once, whatever it is asked."""

    def do_POST(self) -> None:  # noqa: N802  the name of the base
        """Give the answer, in pieces if that is asked for."""
        if json.loads(self.body()).get("stream"):
            pieces = [f"data: {json.dumps(PIECE)}\n\n".encode()] * 30
            self.answer(b"".join([*pieces, b"data: [DONE]\n\n"]), kind="text/event-stream")
        else:
            self.answer(ANSWER)


class Traces(Http):
    """As much of an MLflow server as spans need, and what is wrong with it now."""

    fault: ClassVar[str | None] = None
    seen: ClassVar[Counter[tuple[str, str]]] = Counter()
    lock: ClassVar[threading.Lock] = threading.Lock()

    def do_GET(self) -> None:  # noqa: N802  the name of the base
        """Tell the version, the experiment, or what has arrived."""
        if self.path == "/seen":
            with self.lock:
                self.answer({"spans": len(self.seen), "sent": self.seen.total()})
        elif not self._failed():
            known = {"experiment": {"experiment_id": "1", "lifecycle_stage": "active"}}
            self.answer(b"3.17.2" if self.path == "/version" else known)

    def do_POST(self) -> None:  # noqa: N802  the name of the base
        """Take spans; anything else is fine."""
        body = self.body()
        if self._failed():
            return
        if self.path == "/v1/traces":
            with self.lock:
                self.seen.update(_ids(json.loads(body)))
            self.answer({})
        else:
            self.answer({"trace": {"trace_info": json.loads(body)["trace"]["trace_info"]}})

    def _failed(self) -> bool:
        fault = self.fault
        if fault is None:
            return False
        self.close_connection = True
        if fault.isdigit():
            self.answer({}, int(fault))
        elif fault == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            while self.fault == fault:
                time.sleep(0.05)
        return True


def _ids(request: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        (span["traceId"], span["spanId"])
        for resource in request["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]


def serve(pipe: Connection, seed: int) -> None:
    """Be both servers, until told to be well, and then until the process is ended."""
    model = ThreadingHTTPServer(("127.0.0.1", 0), Model)
    threading.Thread(target=model.serve_forever, daemon=True).start()
    traces = _open(0)
    port = traces.server_port
    pipe.send((model.server_port, port))
    dice = random.Random(seed)
    while not pipe.poll(dice.uniform(1, LONGEST_S)):
        fault = dice.choice(FAULTS)
        if fault == "refuse":
            traces.shutdown()
            traces.server_close()
        else:
            Traces.fault = fault
        well = pipe.poll(dice.uniform(1, LONGEST_S))
        Traces.fault = None
        if fault == "refuse":
            traces = _open(port)
        if well:
            break
    pipe.recv()
    threading.Event().wait()


def _open(port: int) -> ThreadingHTTPServer:
    server = ThreadingHTTPServer(("127.0.0.1", port), Traces)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def memory_mb() -> float:
    """What this process has in memory, as the system sees it."""
    told = subprocess.run(
        ["ps", "-o", "rss=", "-p", str(os.getpid())], check=True, capture_output=True, text=True
    )
    return int(told.stdout) / 1024


def trace(ports: tuple[int, int], pipe: Connection, seconds: float, rate: float) -> bool:
    """Make calls and print what becomes of them; whether all is as it must be."""
    import openai

    from ollamatrace import TracedClient, Tracer

    tracer = Tracer(f"http://127.0.0.1:{ports[1]}")
    client = TracedClient(
        openai.OpenAI(base_url=f"http://127.0.0.1:{ports[0]}/v1", api_key="x"), tracer=tracer
    )
    messages: Any = [{"role": "user", "content": "Why is the sky blue?"}]
    print("   time   calls  pending  spooled  delivered  dropped  memory", flush=True)
    begun = told_at = time.monotonic()
    samples: list[tuple[float, float]] = []
    calls = 0
    while (now := time.monotonic() - begun) < seconds:
        if calls % 2:
            list(client.chat.completions.create(model="soak", messages=messages, stream=True))
        else:
            client.chat.completions.create(model="soak", messages=messages)
        calls += 1
        if time.monotonic() - told_at >= max(1.0, seconds / 60):
            told_at = time.monotonic()
            samples.append((now, memory_mb()))
            if len(samples) % 3 == 0:
                print(_line(now, calls, tracer.stats(), samples[-1][1]), flush=True)
        time.sleep(max(0.0, begun + calls / rate - time.monotonic()))
    pipe.send("be well")
    report = tracer.close(timeout=120)
    samples.append((seconds, memory_mb()))
    print(_line(time.monotonic() - begun, calls, report, samples[-1][1]))
    with urlopen(f"http://127.0.0.1:{ports[1]}/seen") as told:
        seen = json.load(told)
    middle, last = (
        max(mb for at, mb in samples if third / 3 <= at / seconds <= (third + 1) / 3)
        for third in (1, 2)
    )
    print(f"{calls:,} calls; the server has {seen['spans']:,} spans, sent {seen['sent']:,} times")
    print(f"most memory in the second third {middle:.1f} MB, in the last {last:.1f} MB")
    whole = report.accepted == report.delivered == seen["spans"] == calls
    return whole and last <= middle * GROWTH


def _line(now: float, calls: int, report: FlushReport, memory: float) -> str:
    return (
        f"{now:6.0f}s {calls:7,} {report.pending:8,} {report.spooled:8,} "
        f"{report.delivered:10,} {report.dropped:8,} {memory:6.1f}M"
    )


def main() -> int:
    """Run both processes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="how long (default: 10)")
    parser.add_argument("--rate", type=float, default=100, help="calls a second (default: 100)")
    parser.add_argument("--seed", type=int, default=1, help="another seed, other faults")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_DATA_HOME"] = os.environ["HOME"] = folder
        pipe, end = multiprocessing.Pipe()
        spawn = multiprocessing.get_context("spawn")
        server = spawn.Process(target=serve, args=(end, options.seed), daemon=True)
        server.start()
        try:
            good = trace(pipe.recv(), pipe, options.minutes * 60, options.rate)
        finally:
            server.kill()
    print("as it must be" if good else "NOT as it must be")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
