"""The requests that say of whole traces what spans cannot carry."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from ollamatrace import guard
from ollamatrace.destinations.mlflow.accepted import NAME_TAG
from ollamatrace.destinations.mlflow.answers import Missing
from ollamatrace.destinations.mlflow.api import Api
from ollamatrace.destinations.mlflow.info import updated_info
from ollamatrace.pipeline import Broken, Refused
from ollamatrace.records import TraceUpdate
from ollamatrace.records.shapes import as_dict

TRACES: Final = "/api/3.0/mlflow/traces"
_FEW: Final = 3
"""As many are posted one after the other."""
_THREADS: Final = 4
_TRIES: Final = 3
_TOLD: Final = ("request_time", "state", "request_preview", "response_preview")


class Infos:
    """Posts infos of traces. One that the server does not want costs a warning, no span."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._broken: dict[str, int] = {}
        """By trace, how often the server failed over its info."""
        self._had: dict[str, Mapping[str, Any]] = {}
        """By trace, the infos that the server took of a call that failed."""

    def post(self, infos: Sequence[Mapping[str, Any]], pause: Callable[[], None]) -> bool:
        """Post all of them; whether the server took them all.

        After a failure it goes on where it was: a server that is up for moments only would never
        have them all.

        Raises:
            Unavailable: the server cannot take them now.
            Denied: it takes none.
        """
        waiting = deque(info for info in infos if self._had.get(info["trace_id"]) != info)
        lost: list[str] = []
        failures: list[Exception] = []

        def work(rest: Callable[[], None]) -> None:
            while waiting and not failures:
                try:
                    info = waiting.popleft()
                except IndexError:  # another thread was faster
                    return
                try:
                    if self._posted(info):
                        self._had[info["trace_id"]] = info
                    else:
                        lost.append(info["trace_id"])
                except Exception as error:  # noqa: BLE001  raised below, in the caller's thread
                    failures.append(error)
                rest()

        threads = _started(lambda: work(_no_pause), len(waiting))
        work(pause)
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]
        self._had.clear()
        return not lost

    def update(self, update: TraceUpdate) -> bool:
        """Change what the server holds about a trace; whether it took that.

        Raises:
            Unavailable: the server cannot take it now.
            Denied: it takes none.
        """
        trace_id = f"tr-{update.trace_id}"
        try:
            answer = self._api.get(f"{TRACES}/{trace_id}")
        except Missing as error:
            return self._lost(f"a change of the trace {update.trace_id}: it is not there ({error})")
        info = as_dict(as_dict(as_dict(answer).get("trace")).get("trace_info"))
        if info.get("state") == "IN_PROGRESS":
            return self._tagged(trace_id, update)
        return self._posted(updated_info(info, update))

    def _posted(self, info: Mapping[str, Any]) -> bool:
        trace_id = str(info["trace_id"])
        try:
            answer = self._api.post(TRACES, {"trace": {"trace_info": info}})
        except Refused as error:
            return self._lost(f"details of the trace {trace_id}: {error}")
        except Broken as error:
            tries = self._broken.pop(trace_id, 0) + 1
            if tries < _TRIES:
                self._broken[trace_id] = tries
                raise
            return self._lost(f"details of the trace {trace_id}: {error}")
        self._broken.pop(trace_id, None)
        held = as_dict(as_dict(as_dict(answer).get("trace")).get("trace_info"))
        if lost := missing(info, held):
            return self._lost(f"details of the trace {trace_id}: {', '.join(lost)}")
        return True

    def _tagged(self, trace_id: str, update: TraceUpdate) -> bool:
        """Change what can be changed while the root span runs.

        An info at this time would leave the trace without a duration for ever.
        """
        tags = dict(update.tags)
        if update.name is not None:
            tags[NAME_TAG] = update.name
        try:
            for key, value in tags.items():
                self._api.patch(f"{TRACES}/{trace_id}/tags", {"key": key, "value": value})
        except Refused as error:
            return self._lost(f"a tag of the trace {trace_id}: {error}")
        if update.session or update.user or update.metadata:
            return self._lost(
                f"session, user or metadata of the trace {trace_id}, whose root span has not ended"
            )
        return True

    def _lost(self, what: str) -> bool:
        guard.warn(f"mlflow info:{self._api.url}", f"{self._api.url} did not take {what}")
        return False


def missing(info: Mapping[str, Any], held: Mapping[str, Any]) -> list[str]:
    """What the server does not tell to have although it was sent.

    A value of a wrong type makes the server drop, silently, all that comes after it. Tags are not
    looked at: servers tell those that they had before.
    """
    lost = [name for name in _TOLD if info.get(name) and not held.get(name)]
    told = as_dict(held.get("trace_metadata"))
    if told:  # older servers do not tell it
        sent = as_dict(info.get("trace_metadata"))
        lost += [key for key, value in sent.items() if value and key not in told]
    return lost


def _started(work: Callable[[], None], jobs: int) -> list[threading.Thread]:
    """Threads that help the calling one; none for few jobs, or where none can start."""
    threads: list[threading.Thread] = []
    if jobs <= _FEW:
        return threads
    for _ in range(min(_THREADS, jobs) - 1):
        thread = threading.Thread(target=work, name="ollamatrace-info", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # none at interpreter exit, or too many
            break
        threads.append(thread)
    return threads


def _no_pause() -> None:
    """The thread of the worker alone has a rhythm to keep."""
