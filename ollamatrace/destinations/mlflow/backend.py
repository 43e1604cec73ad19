"""Questions to an MLflow server about the traces that it keeps."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator
from functools import partial
from typing import Any, Final, NamedTuple, TypeVar

from ollamatrace.destinations.backend import Query
from ollamatrace.destinations.mlflow.answers import Missing
from ollamatrace.destinations.mlflow.api import Api
from ollamatrace.destinations.mlflow.decode import decode, started_ns
from ollamatrace.destinations.mlflow.infos import TRACES
from ollamatrace.destinations.mlflow.matching import filters_of, matches
from ollamatrace.destinations.mlflow.server import Server
from ollamatrace.errors import ServerError
from ollamatrace.pipeline import Broken, Denied, Refused, Unavailable
from ollamatrace.records import Trace
from ollamatrace.records.shapes import as_dict, as_list

T = TypeVar("T")

_PAGE: Final = 200
"""Infos asked for at once."""
_TRACES: Final = 20
"""Traces asked for at once with their spans."""


class _Listed(NamedTuple):
    """A trace in the server's list."""

    id: str
    start_ns: int
    """When it began, in whole milliseconds."""


class MlflowBackend:
    """Searches one experiment, and gets traces of any, by blocking requests in threads."""

    def __init__(self, api: Api, server: Server) -> None:
        self._api = api
        self._server = server

    async def search(self, query: Query) -> list[Trace]:
        """The traces that meet `query`, newest first.

        Raises:
            ServerError: the server cannot be asked.
        """
        return await _in_thread(partial(self._search, query))

    async def get(self, trace_id: str) -> Trace | None:
        """The trace with this id, or ``None``.

        Raises:
            ServerError: the server cannot be asked.
        """
        return await _in_thread(partial(self._get, trace_id))

    def _search(self, query: Query) -> list[Trace]:
        place = self._server.find()
        found: dict[str, Trace] = {}
        if place is None:
            return []
        for terms in filters_of(query):
            found |= self._found(self._pages(place.id, terms), query)
        newest = sorted(found.values(), key=lambda trace: trace.spans[0].start_ns, reverse=True)
        return newest[: query.limit]

    def _found(self, pages: Iterator[list[_Listed]], query: Query) -> dict[str, Trace]:
        """Traces on these pages that meet `query`: the newest, and all that began with them.

        The server's order knows milliseconds: the last one that is taken may not be the newest of
        its own.
        """
        found: dict[str, Trace] = {}
        oldest_ns: int | None = None
        for page in pages:
            for start in range(0, len(page), _TRACES):
                some = page[start : start + _TRACES]
                if oldest_ns is not None:
                    some = [one for one in some if one.start_ns >= oldest_ns]
                    if not some:
                        return found
                traces = self._traces([one.id for one in some])
                for one in some:
                    if oldest_ns is not None and one.start_ns < oldest_ns:
                        return found
                    trace = traces.get(one.id)
                    # New traces move the others to later pages: one may come twice.
                    if trace is not None and matches(query, trace):
                        found.setdefault(trace.trace_id, trace)
                    if oldest_ns is None and len(found) == query.limit:
                        oldest_ns = one.start_ns
        return found

    def _pages(self, experiment_id: str, terms: str) -> Iterator[list[_Listed]]:
        """Traces that pass a filter of MLflow's, newest first, page by page."""
        asked: dict[str, Any] = {
            "locations": [
                {
                    "type": "MLFLOW_EXPERIMENT",
                    "mlflow_experiment": {"experiment_id": experiment_id},
                }
            ],
            "max_results": _PAGE,
            "order_by": ["timestamp_ms DESC"],
            "filter": terms,
        }
        while True:
            answer = as_dict(self._api.post(f"{TRACES}/search", asked))
            infos = map(as_dict, as_list(answer.get("traces")))
            yield [
                _Listed(str(info["trace_id"]), started_ns(info))
                for info in infos
                if "trace_id" in info
            ]
            token = answer.get("next_page_token")
            if not token:
                return
            asked["page_token"] = token

    def _traces(self, ids: list[str]) -> dict[str, Trace]:
        """Those of these traces that can be read, by their ids."""
        try:
            answer = as_dict(self._api.get(f"{TRACES}/batchGet", {"trace_ids": ids}))
        except Broken:
            # One trace that cannot be read so makes the server fail over all of them.
            each: Iterator[Trace | None] = map(self._readable, ids)
        else:
            stored = map(as_dict, as_list(answer.get("traces")))
            each = (decode(as_dict(o.get("trace_info")), as_list(o.get("spans"))) for o in stored)
        return {f"tr-{trace.trace_id}": trace for trace in each if trace is not None}

    def _readable(self, mlflow_id: str) -> Trace | None:
        """The trace; ``None`` if the server answers and does not give it."""
        try:
            return self._get(mlflow_id.removeprefix("tr-"))
        except (Broken, Denied, Refused):
            return None

    def _get(self, trace_id: str) -> Trace | None:
        mlflow_id = f"tr-{trace_id}"
        asked = {"trace_id": mlflow_id, "allow_partial": "true"}
        try:
            answer = as_dict(self._api.get(f"{TRACES}/get", asked))
        except Missing:
            return None
        except Broken:
            # Spans that are in a file; or with large integers or deep dictionaries, which the
            # server cannot make OTLP of.
            return self._from_file(mlflow_id)
        stored = as_dict(answer.get("trace"))
        return decode(as_dict(stored.get("trace_info")), as_list(stored.get("spans")))

    def _from_file(self, mlflow_id: str) -> Trace | None:
        """A trace as the server gives it for download, from wherever it keeps the spans."""
        try:
            answer = as_dict(self._api.get(f"{TRACES}/{mlflow_id}"))
            file = self._api.get(
                "/ajax-api/3.0/mlflow/get-trace-artifact", {"request_id": mlflow_id}
            )
        except Missing:
            return None  # an info without spans
        info = as_dict(as_dict(answer.get("trace")).get("trace_info"))
        return decode(info, as_list(as_dict(file).get("spans")))


async def _in_thread(work: Callable[[], T]) -> T:
    from anyio import to_thread

    with _told():
        return await to_thread.run_sync(work, abandon_on_cancel=True)


@contextlib.contextmanager
def _told() -> Generator[None]:
    try:
        yield
    except (Denied, Refused, Unavailable) as error:
        raise ServerError(str(error)) from None
