"""First contact with a server: what it is, and which experiment traces are filed under."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from ollamatrace.destinations.mlflow.answers import OLDEST, Exists, Missing, Stranger, too_old
from ollamatrace.destinations.mlflow.api import Api
from ollamatrace.pipeline import Denied, Refused, Unavailable

_EXPERIMENTS: Final = "/api/2.0/mlflow/experiments"
_VERSION: Final = re.compile(r"\s*(\d+)\.(\d+)\S*\s*")


@dataclass(frozen=True, slots=True)
class Place:
    """An experiment on a server.

    Attributes:
        id: Its id there.
        artifacts: Where the server keeps its files.
    """

    id: str
    artifacts: str


class Server:
    """A server and an experiment on it; both are asked for once.

    Args:
        api: The server.
        experiment: The name of the experiment; of its id, if it is a number that no experiment
            has as a name.
        experiment_id: Its id, instead of the name.
    """

    def __init__(self, api: Api, experiment: str, experiment_id: str | None) -> None:
        self._api = api
        self._experiment = experiment
        self._experiment_id = experiment_id
        self._asked = False
        self.known: Place | None = None
        """The experiment, once it has been found."""

    def place(self) -> Place:
        """The experiment; it is created if need be.

        Raises:
            Unavailable: the server cannot tell now.
            Denied: it is no MLflow server, too old a one, or the experiment cannot be used.
        """
        return self.find() or self._keep(self._create())

    def find(self) -> Place | None:
        """The experiment; ``None`` if there is none of this name yet.

        Raises:
            Unavailable: the server cannot tell now.
            Denied: it is no MLflow server, too old a one, or the experiment cannot be used.
        """
        if self.known is None or not self._asked:
            self._check()
            try:
                found = self._found()
            except Stranger as error:
                if self.known is not None:  # something in front of it answers in its place
                    raise Unavailable(str(error)) from None
                raise Denied(self._named(str(error))) from None
            except Refused as error:
                raise Denied(str(error)) from None
            return None if found is None else self._keep(found)
        return self.known

    def forget(self) -> None:
        """Ask again when it is needed next."""
        self._asked = False

    def _keep(self, place: Place) -> Place:
        self.known = place
        self._asked = True
        return place

    def _check(self) -> None:
        """Raise `Denied` if the server tells a version that is too old."""
        try:
            version = self._api.text("/version")
        except (Stranger, Refused):
            return  # some proxies hide it; the next answer shows what the server is
        match = _VERSION.fullmatch(version)
        if match is not None and (int(match[1]), int(match[2])) < OLDEST:
            raise too_old(self._api.url, version.strip())

    def _found(self) -> Place | None:
        if self._experiment_id is not None:
            found = self._by_id(self._experiment_id)
            if found is None:
                raise Denied(
                    f"{self._api.url} has no experiment with the id {self._experiment_id}; "
                    "set MLFLOW_EXPERIMENT_ID to one that it has, or give a name"
                )
            return self._usable(found)
        found = self._by_name()
        if found is None and self._experiment.isdecimal():
            found = self._by_id(self._experiment)
        return None if found is None else self._usable(found)

    def _by_name(self) -> dict[str, Any] | None:
        return self._experiment_of("get-by-name", "experiment_name", self._experiment)

    def _by_id(self, experiment_id: str) -> dict[str, Any] | None:
        return self._experiment_of("get", "experiment_id", experiment_id)

    def _experiment_of(self, call: str, key: str, value: str) -> dict[str, Any] | None:
        path = f"{_EXPERIMENTS}/{call}"
        try:
            answer = self._api.get(path, {key: value})
        except Missing:
            return None
        try:
            experiment = answer["experiment"]
            found = str(experiment["experiment_id"] or "")
        except (KeyError, TypeError):
            experiment, found = {}, ""
        if not found:  # to spans without an id the server says yes, and keeps none of them
            raise Stranger(
                f"{self._api.url}{path} does not answer as an MLflow server does; check the address"
            )
        return {**experiment, "id": found}

    def _create(self) -> Place:
        try:
            self._api.post(f"{_EXPERIMENTS}/create", {"name": self._experiment})
        except Exists:
            pass  # by another process, just now
        except Refused as error:
            raise Denied(f"{error}: give the experiment another name") from None
        experiment = self._by_name()
        if experiment is None:
            raise Unavailable(f"{self._api.url} has not got the experiment that was created")
        return self._usable(experiment)

    def _usable(self, experiment: dict[str, Any]) -> Place:
        if experiment.get("lifecycle_stage") == "deleted":
            name, experiment_id = experiment.get("name"), experiment["id"]
            raise Denied(
                f"the experiment {name!r} on {self._api.url} is deleted: restore it "
                f"(`mlflow experiments restore --experiment-id {experiment_id}`) "
                "or use another name"
            )
        return Place(experiment["id"], str(experiment.get("artifact_location", "")))

    def _named(self, text: str) -> str:
        """What is wrong with a server that is no MLflow server, with its name if it has one."""
        try:
            greeting = self._api.text("/")
        except (Denied, Refused, Unavailable):
            return text
        if not greeting.startswith("Ollama is running"):
            return text
        return (
            f"{self._api.url} is the Ollama server, which keeps no traces: `server=` is where "
            "traces go, for instance http://localhost:5000 after `mlflow server`"
        )
