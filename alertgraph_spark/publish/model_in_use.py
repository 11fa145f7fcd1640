"""The model that runs use: from the registry, or where that is away the last copy beside the results."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from concurrent.futures import wait

from alertgraph_spark.errors import AlertGraphError, TrackingError
from alertgraph_spark.learn import Model, from_json
from alertgraph_spark.publish import results
from alertgraph_spark.publish.registry import fetch, learned_text
from alertgraph_spark.publish.tracking import in_background

log = logging.getLogger(__name__)

COPY = "model.json"
"""The last copy, in the folder that holds all runs: the address that was asked for, the version that it was, and what it had
learned."""

LIMIT_SECONDS = 60.0
"""An answer that takes longer counts as none."""


class ModelInUse:
    """What `ranking.model` names, asked for again before each run: who is the champion may change while a session ticks."""

    def __init__(self, asked: str, uri: str, runs: results.Runs, *, strict: bool = False) -> None:
        """Take note of what is asked for.

        Parameters
        ----------
        asked
            `ranking.model`.
        uri
            Of the MLflow store.
        runs
            The folder that holds all runs.
        strict
            Whether it is an error where the registry cannot be reached.
        """
        self._asked, self._uri, self._runs, self._strict = asked, uri, runs, strict
        self._model: Model | None = None

    def load(self) -> Model:
        """Load the model as the registry has it now.

        Returns
        -------
        Model
            Where the registry cannot be reached, the copy that is at hand.

        Raises
        ------
        TrackingError
            If the registry cannot be reached, in strict mode or where there is no copy.
        ConfigError
            If the model cannot be read.
        """
        if self._asked == "shipped":
            return Model()
        known = self._model.name if self._model else ""
        try:
            name, text = _within(LIMIT_SECONDS, lambda: fetch(self._uri, self._asked, known))
        except TrackingError as error:
            self._model = self._last_copy(error)
            return self._model
        if not name:
            log.warning("no version of %s: nothing that was learned is used", self._asked)
            return Model()
        if text is not None:
            learned = learned_text(text, name)
            self._model = from_json(learned, name)
            self._keep(name, learned)
        assert self._model
        return self._model

    def _keep(self, name: str, learned: str) -> None:
        copy = json.dumps({"asked": self._asked, "name": name, "learned": json.loads(learned)})
        try:
            self._runs.folder.make()
            self._runs.folder.write(COPY, copy.encode())
        except AlertGraphError as error:
            log.warning("no copy of the model was kept: %s", error)

    def _last_copy(self, error: TrackingError) -> Model:
        text = None if self._strict else self._runs.folder.read(COPY)
        copy = json.loads(text) if text else {}
        if copy.get("asked") != self._asked:
            why = "tracking.strict makes that an error" if self._strict else "there is no copy of it beside the results"
            raise TrackingError(f"the model in use cannot be loaded: {error}; {why}") from error
        log.warning("%s; the last copy beside the results is used: %s", error, copy["name"])
        return from_json(json.dumps(copy["learned"]), copy["name"])


def _within(seconds: float, work: Callable[[], tuple[str, str | None]]) -> tuple[str, str | None]:
    asked = in_background(work)
    wait([asked], seconds)
    if not asked.done():
        raise TrackingError(f"no answer of the registry within {seconds:g} s")
    found: tuple[str, str | None] = asked.result()
    return found
