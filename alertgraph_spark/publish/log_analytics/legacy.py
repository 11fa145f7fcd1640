"""The HTTP Data Collector API, for a workspace that has no data collection rule yet. Only on request: use the rule.

Its support ended on 14 September 2026. It signs with the workspace's key, which may do far more than add rows, and names
every column anew by its type (`RowId_s`, `NAlerts_d`), so that the published functions do not fit its tables. A field may
have 32 KB, after which the service cuts without a word. A post may have 30 MB; the sender's batches stay far below. A
signature over the number of characters is refused as soon as a row holds a letter beyond ASCII: bytes are counted here.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import format_datetime

from alertgraph_spark.access.hosts import collector_workspace
from alertgraph_spark.access.secret import Secret
from alertgraph_spark.errors import ConfigError, PublishError
from alertgraph_spark.publish.http_post import Response, Transport, post
from alertgraph_spark.publish.log_analytics.sender import Api

MAX_FIELD_BYTES = 32 * 1024

WARNING = (
    "post.mode is data_collector: this API has been out of support since 14 September 2026 and may end any day; "
    "deploy a data collection rule (deploy/) and post to it with logs_ingestion"
)

API = Api(
    "HTTP Data Collector API",
    {
        400: "the service does not take the rows as they are",
        403: "the signature was refused: post.credential must lead to the key of the workspace that post.endpoint names",
        404: "no such workspace; check post.endpoint",
    },
)


def workspace_of(endpoint: str) -> str:
    """Find the workspace that an endpoint of the Data Collector API begins with.

    Parameters
    ----------
    endpoint
        The setting `post.endpoint`.

    Returns
    -------
    str
        Id of the workspace; zeros for an emulator on loopback.

    Raises
    ------
    ConfigError
        If it is no address of this API.
    """
    workspace = collector_workspace(endpoint)
    if workspace is None:
        raise ConfigError("post.endpoint must be https://WORKSPACE_ID.ods.opinsights.azure.com for mode data_collector")
    return workspace


def legacy_url(endpoint: str) -> str:
    """Return the address that takes the rows of every table."""
    return f"{endpoint.strip().rstrip('/')}/api/logs?api-version=2016-04-01"


def signature(key: Secret, n_bytes: int, date: str) -> str:
    """Sign a request to the Data Collector API.

    Parameters
    ----------
    key
        The workspace's key, in base64.
    n_bytes
        Length of the body in bytes.
    date
        When it is posted, as RFC 1123 writes it.

    Returns
    -------
    str
        HMAC-SHA256 in base64.

    Raises
    ------
    PublishError
        If the key is not base64. The message does not repeat it.
    """
    try:
        secret = base64.b64decode(key.reveal(), validate=True)
    except binascii.Error:
        raise PublishError("post.credential: the workspace's key is not base64") from None
    text = f"POST\n{n_bytes}\napplication/json\nx-ms-date:{date}\n/api/logs"
    return base64.b64encode(hmac.new(secret, text.encode(), hashlib.sha256).digest()).decode()


@dataclass(frozen=True)
class LegacyTransport:
    """Carries a request of the sender in this API's form: not packed, signed, its 200 told as the 204 of the other.

    `table` is the Log Analytics table, which the service names by adding `_CL`.
    """

    workspace: str
    key: Callable[[], Secret]
    table: str
    send: Transport = post
    now: Callable[[], datetime] = lambda: datetime.now(timezone.utc)

    def __call__(self, url: str, headers: Mapping[str, str], body: bytes, timeout: float) -> Response:
        """Post one body."""
        plain = gzip.decompress(body)
        date = format_datetime(self.now(), usegmt=True)
        signed = {
            "Authorization": f"SharedKey {self.workspace}:{signature(self.key(), len(plain), date)}",
            "Content-Type": "application/json",
            "Log-Type": self.table.removesuffix("_CL"),
            "x-ms-date": date,
            "time-generated-field": "TimeGenerated",
            "User-Agent": headers["User-Agent"],
        }
        response = self.send(url, signed, plain, timeout)
        return Response(204) if response.status == 200 else response
