"""Where rows go and who sends them: the address and the credential of one post, checked before anything is sent."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from alertgraph_spark.access.principal import Principal, check_default, principal_of
from alertgraph_spark.access.secret import Secret, parse_reference
from alertgraph_spark.errors import ConfigError
from alertgraph_spark.publish.log_analytics import legacy
from alertgraph_spark.publish.log_analytics.credentials import (
    AzureToken,
    ClientSecret,
    StoredToken,
    TokenProvider,
    check_credential,
    token_provider,
    token_scope,
)
from alertgraph_spark.publish.log_analytics.rows import RowEncoder
from alertgraph_spark.publish.log_analytics.streams import STREAMS, Stream
from alertgraph_spark.publish.log_analytics.tasks import Delivery, Edges
from alertgraph_spark.publish.log_analytics.transport import ingestion_url

logger = logging.getLogger(__name__)

NETWORK_MODES = ("logs_ingestion", "data_collector")

_REMEDY = (
    "name a service principal by post.tenant_id and post.client_id, and by post.credential where its client secret is kept, "
    "as in keyvault://VAULT/NAME (on Synapse with ?linked_service=NAME)"
)


@dataclass(frozen=True)
class Target:
    """One place that takes rows: `resolve` turns a reference into the secret on the driver, where something can.

    With a `principal` the credential leads to its client secret, otherwise to a bearer token (or the workspace's key).
    """

    mode: str
    endpoint: str
    dcr_id: str
    credential: str
    resolve: Callable[[str], Secret] | None = None
    principal: Principal | None = None
    folder: str = ""

    @classmethod
    def of(  # the settings under `post`, by their names
        cls,
        resolve: Callable[[str], Secret] | None,
        *,
        mode: str,
        endpoint: str | None = None,
        dcr_id: str | None = None,
        credential: str = "default",
        tenant_id: str | None = None,
        client_id: str | None = None,
        folder: str | None = None,
        **_others: object,
    ) -> Target:
        """Return the place that settings name, whether or not anything can be sent there."""
        principal = principal_of(tenant_id, client_id)
        return cls(mode, endpoint or "", dcr_id or "", credential, resolve, principal, folder or "")

    @property
    def is_legacy(self) -> bool:
        """Whether the API is the one that is out of support."""
        return self.mode == "data_collector"

    @property
    def name(self) -> str:
        """What tells this place from another, for the ledger and the memory."""
        if self.mode == "file":
            return f"file {self.folder.rstrip('/')}"
        return f"{self.endpoint} {'' if self.is_legacy else self.dcr_id}"

    def problems(self) -> list[str]:
        """Return everything that is missing or wrong; no value that may be a secret is repeated."""
        if self.mode not in NETWORK_MODES:
            return []
        wanted = {"endpoint": self.endpoint} | ({} if self.is_legacy else {"dcr_id": self.dcr_id})
        problems = [f"post.{name} is missing" for name, value in wanted.items() if not value]
        checks: list[Callable[[], object]] = [partial(check_credential, self.credential, self.resolve is not None)]
        if self.credential == "default":
            checks.append(partial(check_default, "post.credential", _REMEDY))
        if self.is_legacy and self.endpoint:
            checks.append(partial(legacy.workspace_of, self.endpoint))
        elif self.endpoint and self.dcr_id:
            checks.append(partial(ingestion_url, self.endpoint, self.dcr_id, STREAMS[0].name))
        for check in checks:
            try:
                check()
            except ConfigError as error:
                problems.append(str(error))
        is_named = self.resolve is not None and self.credential != "default"
        if self.is_legacy and not is_named:
            problems.append("post.credential must say where the workspace's key is kept for mode data_collector")
        if self.principal and not is_named:
            problems.append("post.credential must say where the client secret of post.client_id is kept")
        return problems

    def check(self) -> None:
        """Refuse, before the work whose end it is, a post that cannot succeed.

        Raises
        ------
        ConfigError
            With every setting that is missing or wrong, and with what cannot sign in on this platform.
        """
        if problems := self.problems():
            raise ConfigError("; ".join(problems))

    def token(self) -> TokenProvider | None:
        """What gives the driver its token, or the workspace's key; None where whoever sends signs in by itself."""
        reference = parse_reference(self.credential)
        if self.mode not in NETWORK_MODES or self.resolve is None or reference is None:
            return None
        if self.principal:
            return AzureToken(token_scope(self.endpoint), ClientSecret(self.principal, self.credential, self.resolve))
        is_for_the_driver = self.is_legacy or reference.is_for_the_driver
        return StoredToken(self.credential, self.resolve) if is_for_the_driver else None

    def sign_in(self) -> None:
        """Ask for the token or the key that a post needs, from where this process would take it; nothing is sent.

        Raises
        ------
        ConfigError, PublishError
            If it is not given, with what to do.
        """
        if self.mode in NETWORK_MODES:
            (self.token() or token_provider(self.credential, token_scope(self.endpoint)))()

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
        stored = self.token()
        if self.is_legacy and stored:
            logger.warning(legacy.WARNING)
            send = partial(legacy.LegacyTransport, legacy.workspace_of(self.endpoint), stored)
            return lambda stream: Edges(stored, send(stream.table_name), legacy.API)
        return lambda stream: Edges(stored) if from_driver or stored else None
