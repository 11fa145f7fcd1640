"""Where rows go and who sends them: the address and the credential of one post, checked before anything is sent."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from alertgraph_spark.errors import ConfigError
from alertgraph_spark.io.log_analytics import legacy
from alertgraph_spark.io.log_analytics.credentials import StoredToken, check_credential, token_scope
from alertgraph_spark.io.log_analytics.rows import RowEncoder
from alertgraph_spark.io.log_analytics.streams import STREAMS, Stream
from alertgraph_spark.io.log_analytics.tasks import Delivery, Edges
from alertgraph_spark.io.log_analytics.transport import ingestion_url
from alertgraph_spark.secret import Secret, parse_reference

logger = logging.getLogger(__name__)

NETWORK_MODES = ("logs_ingestion", "data_collector")


@dataclass(frozen=True)
class Target:
    """One place that takes rows: `resolve` turns a reference into the secret on the driver, where something can."""

    mode: str
    endpoint: str
    dcr_id: str
    credential: str
    resolve: Callable[[str], Secret] | None = None

    @property
    def is_legacy(self) -> bool:
        """Whether the API is the one that is out of support."""
        return self.mode == "data_collector"

    @property
    def name(self) -> str:
        """What tells this place from another, for the ledger."""
        return f"{self.endpoint} {'' if self.is_legacy else self.dcr_id}"

    def problems(self) -> list[str]:
        """Return everything that is missing or wrong; no value that may be a secret is repeated."""
        wanted = {"endpoint": self.endpoint} | ({} if self.is_legacy else {"dcr_id": self.dcr_id})
        problems = [f"post.{name} is missing" for name, value in wanted.items() if not value]
        checks: list[Callable[[], object]] = [partial(check_credential, self.credential, self.resolve is not None)]
        if self.is_legacy and self.endpoint:
            checks.append(partial(legacy.workspace_of, self.endpoint))
        elif self.endpoint and self.dcr_id:
            checks.append(partial(ingestion_url, self.endpoint, self.dcr_id, STREAMS[0].name))
        for check in checks:
            try:
                check()
            except ConfigError as error:
                problems.append(str(error))
        if self.is_legacy and (self.resolve is None or self.credential == "default"):
            problems.append("post.credential must say where the workspace's key is kept for mode data_collector")
        return problems

    def delivery(
        self, encoder: RowEncoder, known: frozenset[str], split: frozenset[str], max_body_bytes: int
    ) -> Delivery:
        """Return what sends a table here; `known` and `split` are the ledger's."""
        if self.is_legacy:
            encoder = replace(encoder, max_field_bytes=legacy.MAX_FIELD_BYTES)
            url = legacy.legacy_url(self.endpoint)
        else:
            url = ingestion_url(self.endpoint, self.dcr_id, encoder.stream.name)
        scope = token_scope(self.endpoint)
        return Delivery(encoder, url, self.credential, scope, known, split, max_body_bytes=max_body_bytes)

    def edges(self, from_driver: bool) -> Callable[[Stream], Edges | None]:
        """Return what gives each stream the driver's edges: None where executors send."""
        reference = parse_reference(self.credential)
        stored = None
        if self.resolve and reference and (self.is_legacy or reference.is_for_the_driver):
            stored = StoredToken(self.credential, self.resolve)
        if self.is_legacy and stored:
            logger.warning(legacy.WARNING)
            send = partial(legacy.LegacyTransport, legacy.workspace_of(self.endpoint), stored)
            return lambda stream: Edges(stored, send(stream.table_name), legacy.API)
        return lambda stream: Edges(stored) if from_driver or stored else None
