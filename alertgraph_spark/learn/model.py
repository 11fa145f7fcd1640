"""A model: what was learned from the verdicts of each site, as a JSON document that a registry keeps."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Any

from alertgraph_spark.errors import ConfigError
from alertgraph_spark.learn.recall import Remembered, as_row, remembered

VERSION = 1
"""Version of the document: another cannot be read."""

SHIPPED = "shipped"
"""The name of the model that has learned nothing: the curve that comes with this package."""


@dataclass(frozen=True)
class SiteModel:
    """What was learned on one site.

    Attributes
    ----------
    log_odds
        Added to those of the shipped curve.
    n_verdicts
        Verdicts that taught it.
    memory
        The subgraphs that were judged.
    """

    log_odds: float = 0.0
    n_verdicts: int = 0
    memory: tuple[Remembered, ...] = ()


EVERY_SITE = "*"
"""The key of what all sites remember, where an operator shares it; no workspace has this name."""

NOTHING = SiteModel()
"""What is known of a site without verdicts."""


@dataclass(frozen=True)
class Model:
    """What was learned, by site.

    `trained_until` is the time of the last verdict that it knows, `tried` how it told later verdicts before it learned from
    them too (`evaluation.told_of`).
    """

    sites: Mapping[str, SiteModel] = field(default_factory=dict)
    name: str = SHIPPED
    trained_until: datetime | None = None
    tried: Mapping[str, Any] = field(default_factory=dict)

    def of(self, site: str) -> SiteModel:
        """What was learned on a site, and what it remembers with all others."""
        own, shared = self.sites.get(site, NOTHING), self.sites.get(EVERY_SITE, NOTHING).memory
        return replace(own, memory=own.memory + shared) if shared else own

    @property
    def is_shipped(self) -> bool:
        """Whether nothing was learned."""
        return not self.sites


def to_json(model: Model) -> str:
    """A model as text: equal models, equal bytes."""
    sites = {
        site: {"log_odds": of.log_odds, "n_verdicts": of.n_verdicts, "memory": [as_row(one) for one in of.memory]}
        for site, of in sorted(model.sites.items())
    }
    until = model.trained_until and model.trained_until.isoformat()
    return json.dumps(
        {"version": VERSION, "trained_until": until, "tried": dict(model.tried), "sites": sites},
        indent=1,
        sort_keys=True,
    )


def from_json(text: str, name: str) -> Model:
    """Read a model.

    Parameters
    ----------
    text
        A document in JSON, as `to_json` writes it.
    name
        Name of the model, for messages.

    Returns
    -------
    Model
        As it was logged.

    Raises
    ------
    ConfigError
        If the text is no model, or one of another version of the document.
    """
    try:
        told = json.loads(text)
        if told["version"] != VERSION:
            raise ConfigError(f"model {name} is of version {told['version']}, this one reads {VERSION}: train it again")
        until = told["trained_until"]
        sites = {
            str(site): SiteModel(float(of["log_odds"]), int(of["n_verdicts"]), tuple(map(remembered, of["memory"])))
            for site, of in told["sites"].items()
        }
        return Model(sites, name, _time(until) if until else None, dict(told.get("tried", {})))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConfigError(f"model {name} cannot be read: {type(error).__name__} {error}") from error


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(timezone.utc)
