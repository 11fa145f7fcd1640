"""Every key of the configuration file, each declared once: type, default, meaning and range.

`config` checks a file against these declarations, and the table in `conf/README.md` is made from them: a new key is one
field here, and the table made anew.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from alertgraph_spark.access.hosts import (
    COLLECTOR_WORDS,
    INGESTION_WORDS,
    is_collector_endpoint,
    is_ingestion_endpoint,
)
from alertgraph_spark.access.principal import Principal, conflicts, principal_of
from alertgraph_spark.access.secret import REFERENCE, REFERENCE_WORDS
from alertgraph_spark.config.export_settings import Export, Source
from alertgraph_spark.config.keys import key
from alertgraph_spark.config.notify import Notify
from alertgraph_spark.config.parameters import RankingParameters, parameters_in

_ID = {"like": r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", "like_words": "id as Entra shows it"}


@dataclass(frozen=True)
class Results:
    """Where the tables of a run are saved."""

    path: str = key("folder or URL; each run adds a folder named by its id")


@dataclass(frozen=True)
class History:
    """Where exported lines are kept once they have been read."""

    path: str = key(
        "folder or URL that keeps what was read of closed days and unchanged hours, so that it is not read again; `default`: "
        "`results.path` with `-history` behind it; `none`: each run reads all lines anew",
        "default",
    )


@dataclass(frozen=True)
class Graph:
    """Which engine connects the links."""

    engine: str = key(
        "`driver`: union-find on the driver; `auto`: driver up to the crossover, graphframes above it if it is there",
        "auto",
        choices=("auto", "graphframes", "driver"),
    )
    driver_max_links: int = key("links that the driver holds; the rest is left out", 5_000_000, within="[1, 100000000]")
    crossover_links: int = key("links above which `auto` takes graphframes", 1_000_000, within="[0, 100000000]")
    jars: tuple[str, ...] = key("GraphFrames jar files, where the platform brings none", ())


@dataclass(frozen=True)
class Ranking(RankingParameters):
    """The numbers of the method, and which model adds to them what was learned."""

    model: str = key(
        "what was learned from verdicts: `shipped`: nothing; or an MLflow address, `models:/NAME@champion`, "
        "`models:/NAME/3`, `runs:/RUN_ID/scorer`",
        "shipped",
        like=r"shipped|models:/[^/@\s]+(@[\w-]+|/\d+)|runs:/[\w-]+/\S+",
        like_words="`shipped`, `models:/NAME@ALIAS`, `models:/NAME/VERSION` or `runs:/RUN_ID/PATH`",
    )

    questions: bool = key(
        "mark at most one subgraph a day beyond the budget whose verdict would teach most, in the report and the run",
        False,
    )
    expect: float | None = key(
        "share of an attack's steps: the run says how many subgraphs a day it takes to find so many",
        None,
        within="(0, 1]",
    )

    @property
    def parameters(self) -> RankingParameters:
        """The numbers alone."""
        return parameters_in(vars(self))


@dataclass(frozen=True)
class Tracking:
    """Where the run is logged."""

    uri: str = key(
        "MLflow tracking URI; `default`: the one that the platform has set; or `none`", "sqlite:///mlflow.db"
    )
    experiment: str = key("experiment; on Databricks a workspace path", "alertgraph")
    model: str = key(
        "name under which `alertgraph train` registers models; on Databricks with Unity Catalog `catalog.schema.name`",
        "alertgraph",
        like=r"[^/@:\s]+",
        like_words="name without `/`, `:`, `@` and blanks",
    )
    strict: bool = key("an unreachable tracking server fails the run", False)


@dataclass(frozen=True)
class Post:
    """Where the ranked subgraphs are sent."""

    mode: str = key("how the tables are sent", "none", choices=("logs_ingestion", "data_collector", "file", "none"))
    endpoint: str | None = key(
        "`logs_ingestion`: https URL of the DCE or the DCR, at Azure's own hosts; http on loopback only", None
    )
    dcr_id: str | None = key("`logs_ingestion`: immutable id of the data collection rule", None)
    tenant_id: str | None = key(
        "tenant of the service principal that posts, and logs to `azureml://`; with client_id and credential",
        None,
        **_ID,
    )
    client_id: str | None = key("application (client) id of that principal", None, **_ID)
    credential: str = key(
        "reference to what signs in, never the secret: azure-identity's default chain, or where a bearer token is kept; "
        "with tenant_id and client_id where the principal's client secret is kept",
        "default",
        like=REFERENCE,
        like_words=REFERENCE_WORDS,
        is_reference=True,
    )
    rule: str | None = key("`logs_ingestion`: the rule as deployed, a JSON file to check the columns against", None)
    folder: str | None = key("`file`: folder that gets the rows as JSON lines, a folder a run and table", None)

    @property
    def principal(self) -> Principal | None:
        """The service principal that posts, where one is named."""
        return principal_of(self.tenant_id, self.client_id)

    def conflicts(self) -> Iterator[tuple[str, str]]:
        """Yield the key and the problem for everything that does not fit together."""
        needs = {"logs_ingestion": ("endpoint", "dcr_id"), "data_collector": ("endpoint",), "file": ("folder",)}
        for name in needs.get(self.mode, ()):
            if getattr(self, name) is None:
                yield name, f"required where post.mode is {self.mode}"
        is_known, allowed = is_ingestion_endpoint, INGESTION_WORDS
        if self.mode == "data_collector":
            is_known, allowed = is_collector_endpoint, COLLECTOR_WORDS
        if self.endpoint is not None and not is_known(self.endpoint):
            yield "endpoint", f"found {self.endpoint!r}; allowed: {allowed}"
        yield from conflicts(self.tenant_id, self.client_id, self.credential)
        if self.mode == "data_collector" and self.principal:
            yield "tenant_id", "post.mode data_collector signs with the workspace's key, not as a service principal"


@dataclass(frozen=True)
class Spark:
    """The session, where the platform has not started one already."""

    master: str | None = key(
        "master of a local session",
        None,
        like=r"local(\[(\*|\d+)(, *\d+)?\])?",
        like_words="`local`, `local[4]` or `local[*]`",
    )
    driver_memory: str = key(
        "memory of a local driver", "8g", like=r"[1-9]\d*[kmgtKMGT]", like_words="size such as `8g`"
    )
    conf: Mapping[str, str] = key("Spark settings; in a platform's session those that can be changed while it runs", {})


LISTS = ("assets", "maintenance", "exceptions", "verdicts")
"""Keys that name a file with rows."""


@dataclass(frozen=True)
class Settings:
    """All settings of a run; `assets_file` and its like are where the lists were found."""

    export: Export
    results: Results
    sources: tuple[Source, ...] = key("what to read; at least one")
    assets: str | None = key("CSV of known assets, looked up like a format", None)
    maintenance: str | None = key("CSV of announced maintenance windows, looked up like a format", None)
    exceptions: str | None = key(
        "CSV or YAML of what is explained and hidden until it expires, or a watchlist's export, looked up like a format",
        None,
    )
    verdicts: str | None = key("CSV of what analysts judged elsewhere, looked up like a format", None)
    history: History = field(default_factory=History)
    graph: Graph = field(default_factory=Graph)
    ranking: Ranking = field(default_factory=Ranking)
    tracking: Tracking = field(default_factory=Tracking)
    post: Post = field(default_factory=Post)
    notify: Notify = field(default_factory=Notify)
    spark: Spark = field(default_factory=Spark)
    assets_file: Path | None = field(default=None, compare=False)
    maintenance_file: Path | None = field(default=None, compare=False)
    exceptions_file: Path | None = field(default=None, compare=False)
    verdicts_file: Path | None = field(default=None, compare=False)

    def conflicts(self) -> Iterator[tuple[str, str]]:
        """Yield the dotted key and the problem for everything that is right by itself and wrong together."""
        for name, text in self.export.conflicts():
            yield f"export.{name}", text
        if not self.sources:
            yield "sources", "empty; a run needs at least one source"
        tables = [source.table.lower() if source.table else None for source in self.sources]
        for number, table in enumerate(tables):
            if table and table in tables[:number]:
                yield f"sources.{number}.table", f"found {self.sources[number].table!r} twice; one format reads a table"
        if self.ranking.model != "shipped" and self.tracking.uri == "none":
            yield "ranking.model", f"found {self.ranking.model!r}, but tracking.uri is none: no store has models"
        for name, text in self.post.conflicts():
            yield f"post.{name}", text
        for name, text in self.notify.conflicts():
            yield f"notify.{name}", text

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as written in the file, defaults filled in, without the paths that were found."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self), default=str))
        for name in LISTS:
            del plain[f"{name}_file"]
        for source in plain["sources"]:
            del source["file"]
        return plain

    @property
    def digest(self) -> str:
        """Twelve hex digits of the SHA-256 of the canonical JSON: equal settings, equal digest, on every machine."""
        canonical = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:12]
