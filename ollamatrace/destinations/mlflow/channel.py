"""An MLflow server as a destination: what is sent, in which order, and what is asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final
from urllib.parse import quote

from ollamatrace import guard
from ollamatrace.destinations.backend import Query
from ollamatrace.destinations.mlflow.answers import Missing, Stranger
from ollamatrace.destinations.mlflow.api import Api
from ollamatrace.destinations.mlflow.backend import MlflowBackend
from ollamatrace.destinations.mlflow.images import Attachment, Images
from ollamatrace.destinations.mlflow.info import trace_info
from ollamatrace.destinations.mlflow.infos import Infos
from ollamatrace.destinations.mlflow.server import Place, Server
from ollamatrace.destinations.mlflow.source import source
from ollamatrace.destinations.mlflow.spans import encode
from ollamatrace.destinations.server_address import Address
from ollamatrace.pipeline import Denied, Refused, Unavailable
from ollamatrace.records import Record, SpanRecord, Trace, TraceUpdate
from ollamatrace.settings import Access, Delivery

FORM: Final = "an MLflow server reads `http://host:port`"
_SERVED: Final = "mlflow-artifacts:"
"""How the place of an experiment's files begins if they can be brought there over HTTP."""
_FILES: Final = "/api/2.0/mlflow-artifacts/artifacts"


class MlflowChannel:
    """Sends spans to an experiment of an MLflow server, and answers from there.

    Args:
        server: Its address. It may have a path, and ``user:password@``, which beat `access`.
        experiment: The experiment's name; it is created if there is none.
        experiment_id: Its id, instead of the name.
        delivery: Time-out and mode.
        access: Credentials, TLS, workspace.

    Raises:
        ConfigError: `server` is no address, or a token is none that a header can carry.
    """

    def __init__(
        self,
        server: str,
        experiment: str,
        experiment_id: str | None,
        delivery: Delivery,
        access: Access,
    ) -> None:
        self._api = Api(Address.parse(server, FORM), access, delivery.timeout_s)
        self._server = Server(self._api, experiment, experiment_id)
        self._infos = Infos(self._api)
        self._backend = MlflowBackend(self._api, self._server)
        self._experiment = experiment if experiment_id is None else f"#{experiment_id}"
        self._throughput = delivery.mode == "throughput"
        self._workspace = access.workspace
        self._proven = False
        """The server has taken something."""

    @property
    def url(self) -> str:
        """The server's address, without credentials."""
        return self._api.url

    @property
    def experiment(self) -> str:
        """The experiment's name; ``#`` and its id if that is what was given."""
        return self._experiment

    def prepare(self) -> None:
        """Import what sending needs."""
        self._api.prepare()
        source()

    def send(self, records: Sequence[Record], pause: Callable[[], None]) -> None:
        """Bring spans to the server, then the infos of their traces, then updates.

        Raises:
            Unavailable: try all of them again.
            Refused: not these together.
            Denied: nothing will be taken.
        """
        place = self._server.place()
        try:
            self._send(records, place, pause)
        except Missing:
            self._server.forget()
            found = self._server.place()
            if found == place:
                raise
            self._send(records, found, pause)  # the experiment was deleted and made anew
        except Stranger as error:
            if not self._proven:
                raise
            # Something in front of the server answers in its place: it is away for a while.
            raise Unavailable(str(error)) from error
        self._proven = True

    def close(self) -> None:
        """Close the connections; a later `send` opens others."""
        self._api.close()

    def abandon(self) -> None:
        """Leave the connections, in the child of a fork, to the parent."""
        self._api.abandon()

    def page(self, trace_id: str) -> str:
        """The address at which a browser shows the trace; no server is asked."""
        place = self._server.known
        workspace = "" if self._workspace is None else f"workspace={quote(self._workspace)}"
        if place is None:
            # A page that shows one trace alone and needs no experiment.
            query = f"trace_id=tr-{trace_id}" + (f"&{workspace}" if workspace else "")
            return f"{self.url}/static-files/lib/notebook-trace-renderer/index.html?{query}"
        query = f"?{workspace}" if workspace else ""
        return f"{self.url}/#/experiments/{place.id}/traces/tr-{trace_id}{query}"

    async def search(self, query: Query) -> list[Trace]:
        """The traces that meet `query`, newest first.

        Raises:
            ServerError: the server cannot be asked.
        """
        return await self._backend.search(query)

    async def get(self, trace_id: str) -> Trace | None:
        """The trace with this id, or ``None``.

        Raises:
            ServerError: the server cannot be asked.
        """
        return await self._backend.get(trace_id)

    def _send(self, records: Sequence[Record], place: Place, pause: Callable[[], None]) -> None:
        spans = [record for record in records if isinstance(record, SpanRecord)]
        images = Images(pause) if place.artifacts.startswith(_SERVED) else None
        if spans:
            images = self._send_spans(spans, place, images, pause)
        tops = {} if self._throughput else {s.trace_id: s for s in spans if s.is_top}
        infos = [trace_info(top, place.id, source(), images) for top in tops.values()]
        taken = self._infos.post(infos, pause)
        for record in records:
            if isinstance(record, TraceUpdate):
                taken &= self._infos.update(record)
                pause()
        if not taken:
            self._server.forget()  # it may have been deleted, which spans would not show

    def _send_spans(
        self,
        spans: Sequence[SpanRecord],
        place: Place,
        images: Images | None,
        pause: Callable[[], None],
    ) -> Images | None:
        """Send attachments and spans; the images that were taken out of the spans."""
        body = encode(spans, pause, images)
        if images is not None and not self._uploaded(images.attachments, place, pause):
            images = None
            body = encode(spans, pause, images)
        self._api.spans(body, place.id)
        return images

    def _uploaded(
        self, attachments: Sequence[Attachment], place: Place, pause: Callable[[], None]
    ) -> bool:
        """Upload, before spans refer to them; false if the server takes no files."""
        for file in attachments:
            folder = f"{_folder(place)}/traces/{file.trace_id}/artifacts/attachments"
            try:
                self._api.put(f"{_FILES}/{quote(folder)}/{file.id}", file.data)
            except (Denied, Refused) as error:
                guard.warn(
                    f"mlflow files:{self.url}",
                    f"images stay in the spans, as {self.url} takes no files: {error}",
                )
                return False
            pause()
        return True


def _folder(place: Place) -> str:
    """Where the files of an experiment are, as the server's paths have it."""
    path = place.artifacts.removeprefix(_SERVED)
    if path.startswith("//"):  # mlflow-artifacts://host/path
        path = path[2:].partition("/")[2]
    return path.strip("/")
