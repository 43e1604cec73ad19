"""A server that keeps spans as MLflow does, and fails as it is told: a program of its own.

It gets a port (0: any) and a journal, in which it notes what it has stored before it answers: that
outlives a kill. On stdin it is told what to do, one JSON object a line; it answers each on stdout.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import struct
import sys
import threading
from email.utils import formatdate
from pathlib import Path
from time import time
from urllib.parse import unquote_plus

import orjson

JSON = "application/json"
RESET = struct.pack("ii", 1, 0)
MISSING = {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "it is not there"}
UP_S = DOWN_S = 0.3


class Server:
    """Stores spans by (trace, span) id and infos by trace id; one fault at a time."""

    def __init__(self, port, journal):
        self.port = port
        self.journal = os.open(journal, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        noted = [line.split() for line in Path(journal).read_text().splitlines()]
        self.roots = {trace for kind, trace, *rest in noted if kind == "span" and "root" in rest}
        self.stored = {tuple(rest[:2]) for kind, *rest in noted if kind == "span"}
        self.experiments = {"Faults": 1}
        self.fault = {}
        self.hits = 0
        self.changed = asyncio.Event()
        self.listener = None
        self.writers = set()
        self.flapping = None

    async def listen(self):
        self.listener = await asyncio.start_server(self.serve, "127.0.0.1", self.port)
        self.port = self.listener.sockets[0].getsockname()[1]

    def hang_up(self):
        self.listener.close()
        for writer in list(self.writers):
            reset(writer)

    async def flap(self):
        while True:
            await asyncio.sleep(UP_S)
            self.hang_up()
            self.hits += 1
            await asyncio.sleep(DOWN_S)
            await self.listen()

    async def command(self, told):
        if "fault" in told:
            self.fault = told["fault"]
            self.hits = 0
            self.changed.set()
            self.changed = asyncio.Event()
            if self.fault.get("kind") == "flap":
                self.flapping = asyncio.create_task(self.flap())
            elif self.flapping is not None:
                self.flapping.cancel()
                self.flapping = None
                if not self.listener.is_serving():
                    await self.listen()
        if told.get("renew"):
            self.experiments = {name: number + 1 for name, number in self.experiments.items()}
        return {"port": self.port, "stored": len(self.stored), "hits": self.hits}

    async def serve(self, reader, writer):
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.writers.add(writer)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while await self.exchange(reader, writer):
                pass
        self.writers.discard(writer)
        writer.close()

    async def exchange(self, reader, writer):
        """One request and its answer; whether another may follow."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        line, *rest = head.split("\r\n")
        target = unquote_plus(line.split(" ")[1])
        fields = {
            name.lower(): value.strip()
            for name, _, value in (field.partition(":") for field in rest if field)
        }
        body = await self.body(reader, int(fields.get("content-length", 0)))
        kind = self.due(target)
        if kind == "hang":
            await self.changed.wait()
            return False
        if kind == "status":
            writer.write(self.failure())
            return True
        if kind == "noise":
            writer.write(b"\x16\x03\x01 this is not HTTP\r\n\r\n" * 3)
            return False
        if kind == "slow answers":
            await asyncio.sleep(self.fault["seconds"])
        if kind != "reset":
            status, value = self.handle(target, fields, body)
        if kind in ("reset", "unanswered"):
            reset(writer)
            return False
        writer.write(spoiled(kind, status, value))
        return kind not in ("truncated", "long")

    def failure(self):
        headers = dict(self.fault.get("headers", {}))
        if "retry_at_s" in self.fault:
            headers["retry-after"] = formatdate(time() + self.fault["retry_at_s"], usegmt=True)
        value = self.fault.get("body", {"error_code": "FAULT", "message": "as told"})
        return answer(self.fault["status"], value, headers)

    async def body(self, reader, length):
        got = bytearray()
        while self.fault.get("kind") == "slow reads" and len(got) < length:
            self.hits += 1
            got += await reader.read(min(50, length - len(got)))
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self.changed.wait(), 0.05)
        return bytes(got) + await reader.readexactly(length - len(got))

    def due(self, target):
        """What goes wrong with this request, if anything."""
        kind = self.fault.get("kind")
        if kind is None or not target.startswith(self.fault.get("path", "/")):
            return None
        if kind not in ("flap", "slow reads"):
            self.hits += 1
        return kind

    def handle(self, target, fields, body):
        path, _, query = target.partition("?")
        if path == "/version":
            return 200, b"3.17.2"
        if path == "/v1/traces":
            return self.spans(fields, body)
        if path == "/api/3.0/mlflow/traces":
            return self.info(body)
        if "/experiments/" in path:
            return self.experiment(path, query.partition("=")[2], body)
        return 404, b"<html>"

    def experiment(self, path, value, body):
        if path.endswith("create"):
            self.experiments.setdefault(orjson.loads(body)["name"], len(self.experiments) + 1)
            return 200, {}
        number = self.experiments.get(value)
        if number is None:
            return 404, MISSING
        found = {"experiment_id": str(number), "name": value, "lifecycle_stage": "active"}
        return 200, {"experiment": {**found, "artifact_location": "mlflow-artifacts:/1"}}

    def spans(self, fields, body):
        number = fields.get("x-mlflow-experiment-id", "")
        if not number:
            self.note(["wrong: spans without an experiment"])
            return 200, b""  # and MLflow keeps nothing of them
        if int(number) not in self.experiments.values():
            return 404, MISSING
        told = orjson.loads(body)["resourceSpans"][0]["scopeSpans"][0]["spans"]
        refusal = self.fault.get("refuse")
        if refusal and any(span["name"] == "poison" for span in told):
            self.hits += 1
            return refusal, {"detail": "Failed to log OpenTelemetry spans"}
        if len(body) > self.fault.get("most", len(body)):
            self.hits += 1
            return 413, b"too large"
        ids = [(span["traceId"], span["spanId"]) for span in told]
        if len(set(ids)) < len(ids):
            self.note(["wrong: the same span twice in one request"])
        if any(span["endTimeUnixNano"] == "0" for span in told):
            self.note(["wrong: an end of 0"])
        roots = ["" if "parentSpanId" in span else " root" for span in told]
        self.note([f"span {a} {b}{root}" for (a, b), root in zip(ids, roots, strict=True)])
        self.stored.update(ids)
        self.roots.update(trace for (trace, _), root in zip(ids, roots, strict=True) if root)
        return 200, b""

    def info(self, body):
        info = orjson.loads(body)["trace"]["trace_info"]
        trace = info["trace_id"].removeprefix("tr-")
        if trace not in self.roots:
            self.note([f"wrong: the info of {trace} before its root"])
        if "mlflow.trace.sizeStats" in info["trace_metadata"]:
            self.note(["wrong: sizes are the server's to say"])
        self.note([f"info {trace}"])
        return 200, {"trace": {"trace_info": info}}

    def note(self, lines):
        os.write(self.journal, ("\n".join(lines) + "\n").encode())


def reset(writer):
    """Close a connection so that the other side is told that it broke."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    writer.transport.abort()


def answer(status, value, headers=(), *, length=None):
    data = value if isinstance(value, bytes) else orjson.dumps(value)
    fields = {"content-type": JSON, "content-length": length or len(data), **dict(headers)}
    lines = [f"HTTP/1.1 {status} as told", *(f"{k}: {v}" for k, v in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode() + data


def spoiled(kind, status, value):
    """An answer as `kind` makes it."""
    if kind == "garbage" and status == 200:
        return answer(status, b'{"half": \xff\xfe <html>')
    whole = answer(status, value)
    if kind == "truncated":
        return whole[: whole.index(b"\r\n\r\n") + 6]
    if kind == "long":  # it says more than comes
        return answer(status, value, length=100_000)
    if kind == "short":  # it says less than comes, on a connection that stays open
        return answer(status, value, length=1) + b"and more that nobody has asked for"
    return whole


async def main(port, journal):
    server = Server(port, journal)
    await server.listen()
    loop = asyncio.get_running_loop()
    told = asyncio.Queue()

    def read():
        for line in sys.stdin:
            loop.call_soon_threadsafe(told.put_nowait, json.loads(line))
        loop.call_soon_threadsafe(told.put_nowait, None)

    threading.Thread(target=read, daemon=True).start()
    command = {}
    while command is not None:
        sys.stdout.write(json.dumps(await server.command(command)) + "\n")
        sys.stdout.flush()
        command = await told.get()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
