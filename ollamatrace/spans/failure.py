"""An exception as a span remembers it: neither it nor its frames are kept alive."""

from __future__ import annotations

import linecache
import re
from types import FrameType, TracebackType
from typing import Any, Final, cast

from ollamatrace import guard
from ollamatrace.records import Event, shorn, utf8

_MAX_FRAMES: Final = 64
_MAX_CALLERS: Final = 16
_MAX_CHAIN: Final = 8
_MAX_MESSAGE: Final = 10_000
_SCHEMES: Final = ("Bearer ", "Basic ")
"""What the value of an ``Authorization`` header begins with."""
_OURS: Final = __name__.partition(".")[0]
_RUNS_CELLS: Final = "IPython.core.interactiveshell"
"""Above the cell of a notebook; nobody looks for a fault there."""

_CANCELLATIONS: Final = frozenset({("asyncio", "CancelledError"), ("trio", "Cancelled")})

_Frame = tuple[str, int, str, dict[str, Any]]


class Failure:
    """Type, message and frame positions of an exception and of its causes, taken at once.

    The text of the stack, which wants the source files, is made by the worker.
    """

    __slots__ = ("_chain", "_outer", "message", "time_ns", "type_name")

    def __init__(self, error: BaseException, time_ns: int) -> None:
        self.time_ns = time_ns
        self.type_name = _qualified(error)
        self.message = _message(error)
        self._outer = _callers(error.__traceback__)
        self._chain = _chain(error)

    @property
    def status_message(self) -> str:
        """``Type: text``, the type without its module."""
        name = self.type_name.rpartition(".")[2]
        return f"{name}: {self.message}" if self.message else name

    def event(self) -> Event:
        """The exception as an event, in OpenTelemetry's names."""
        return {
            "name": "exception",
            "time_ns": self.time_ns,
            "attributes": {
                "exception.type": self.type_name,
                "exception.message": self.message,
                "exception.stacktrace": self._stack(),
            },
        }

    def _stack(self) -> str:
        parts: list[str] = []
        for title, relation, frames in reversed(self._chain):
            lines = ["Traceback (most recent call last):"]
            last = (title, relation, frames) == self._chain[0]
            for path, number, function, module_globals in (self._outer if last else []) + frames:
                lines.append(f'  File "{path}", line {number}, in {function}')
                if source := linecache.getline(path, number, module_globals).strip():
                    lines.append(f"    {source}")
            parts += ["\n".join([*lines, title]), relation]
        return "\n\n".join(part for part in parts if part)


def is_cancellation(error: BaseException) -> bool:
    """Whether `error` says that the call was given up, not that it failed.

    asyncio's and trio's cancellation, Ctrl-C, the interpreter's end, and a closed generator; a
    group of nothing else, as a nursery raises.
    """
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        return all(map(is_cancellation, group.exceptions))
    if isinstance(error, KeyboardInterrupt | SystemExit | GeneratorExit):
        return True
    # By name: importing asyncio takes longer than importing all of ollamatrace.
    return any(
        (kind.__module__.partition(".")[0], kind.__name__) in _CANCELLATIONS
        for kind in type(error).__mro__
    )


def _qualified(error: BaseException) -> str:
    kind = type(error)
    return (
        kind.__qualname__
        if kind.__module__ == "builtins"
        else f"{kind.__module__}.{kind.__qualname__}"
    )


@guard.shielded
def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as failure:  # noqa: BLE001  the user's own __str__
        return f"<str() raised {type(failure).__name__}>"


def _message(error: BaseException) -> str:
    text = utf8(_text(error) or "")
    for scheme in _SCHEMES:
        if scheme in text:  # HTTP libraries quote a header that they cannot send
            text = re.sub(rf"{scheme}[^\s'\"]+", f"{scheme}<key>", text)
    return text if len(text) <= _MAX_MESSAGE else f"{shorn(text[:_MAX_MESSAGE])}…"


def _frame(frame: FrameType, line: int) -> _Frame | None:
    name = frame.f_globals.get("__name__", "")
    if isinstance(name, str) and name.partition(".")[0] == _OURS:
        return None
    # linecache reads sources that are not files (zip, notebook cell) through these two.
    hints = {key: frame.f_globals.get(key) for key in ("__name__", "__loader__", "__spec__")}
    return frame.f_code.co_filename, line, frame.f_code.co_name, hints


def _frames(traceback: TracebackType | None) -> list[_Frame]:
    frames: list[_Frame] = []
    while traceback is not None and len(frames) < _MAX_FRAMES:
        if frame := _frame(traceback.tb_frame, traceback.tb_lineno):
            frames.append(frame)
        traceback = traceback.tb_next
    return frames


def _callers(traceback: TracebackType | None) -> list[_Frame]:
    """The frames that led to the call: a traceback begins only where we caught the exception."""
    frames: list[_Frame] = []
    caller = traceback.tb_frame.f_back if traceback is not None else None
    while caller is not None and len(frames) < _MAX_CALLERS:
        if caller.f_globals.get("__name__") == _RUNS_CELLS:
            break
        if frame := _frame(caller, caller.f_lineno):
            frames.append(frame)
        caller = caller.f_back
    return frames[::-1]


def _chain(error: BaseException) -> list[tuple[str, str, list[_Frame]]]:
    """The exception, then what it came from; each with its relation to the one before."""
    chain: list[tuple[str, str, list[_Frame]]] = []
    relation = ""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen and len(chain) < _MAX_CHAIN:
        seen.add(id(current))
        message = _message(current)
        title = f"{_qualified(current)}: {message}" if message else _qualified(current)
        chain.append((title, relation, _frames(current.__traceback__)))
        if current.__cause__ is not None:
            relation = "The above exception was the direct cause of the following exception:"
            current = current.__cause__
        else:
            relation = "During handling of the above exception, another exception occurred:"
            current = None if current.__suppress_context__ else current.__context__
    return chain
