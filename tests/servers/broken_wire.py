"""A wire to a server that breaks: what runs over it is cut, held up, or lost on the way back."""

from __future__ import annotations

import contextlib
import selectors
import socket
import struct
import threading

from tests.servers.processes import poll

_RESET = struct.pack("ii", 1, 0)
_BYTES = 65536


class BrokenWire:
    """Passes connections on to a port of this machine, as `mode` says.

    ``"well"``; ``"reset"``: each request's connection is reset on its way there; ``"mute"``:
    answers never come; ``"cut"``: the server gets the request, and the connection breaks in the
    first bytes of its answer.
    """

    def __init__(self, port):
        self.mode = "well"
        self.breaks = 0
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self):
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def breaks_in(self, mode, times=3):
        """Break in this way so often, then be well again."""
        self.breaks = 0
        self.mode = mode
        poll(lambda: self.breaks >= times, what=f"nothing is {mode}", deadline_s=60, every_s=0.01)
        self.mode = "well"

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near):
        address = "127.0.0.1", self._target
        with contextlib.suppress(OSError), near, socket.create_connection(address) as far:
            while self._pass(near, far):
                pass

    def _pass(self, near, far):
        """Pass on what comes from either side; whether more may come."""
        with selectors.DefaultSelector() as ready:
            for side in (near, far):
                side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                ready.register(side, selectors.EVENT_READ)
            from_near = any(key.fileobj is near for key, _ in ready.select())
        data = (near if from_near else far).recv(_BYTES)
        mode = self.mode
        if from_near:
            if mode == "reset" and data:
                self._break(near)
                return False
            far.sendall(data)
        elif mode == "mute":
            self.breaks += bool(data)
        elif mode == "cut" and data:
            near.sendall(data[:20])
            self._break(near)
            return False
        else:
            near.sendall(data)
        return bool(data)

    def _break(self, near):
        self.breaks += 1
        near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
