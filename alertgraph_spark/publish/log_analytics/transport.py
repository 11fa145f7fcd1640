"""The address that the rows of a stream go to."""

from __future__ import annotations

import re
from urllib.parse import quote, urlsplit

from alertgraph_spark.access.hosts import is_ingestion_endpoint
from alertgraph_spark.errors import ConfigError

API_VERSION = "2023-01-01"


def ingestion_url(endpoint: str, dcr_id: str, stream: str) -> str:
    """Return the address that takes the rows of `stream`.

    Raises
    ------
    ConfigError
        If the endpoint is none of the service's own hosts (or an emulator on loopback), for it is shown the token; if it
        carries more than a host; or if the rule's id has characters that no immutable id has.
    """
    if not is_ingestion_endpoint(endpoint):
        raise ConfigError(
            "post.endpoint must be the address of a data collection endpoint or rule, which ends after the host, as in "
            "https://NAME.REGION-1.ingest.monitor.azure.com"
        )
    parts = urlsplit(endpoint.strip())
    if not re.fullmatch(r"[A-Za-z0-9-]+", dcr_id):
        raise ConfigError("post.dcr_id must be the immutable id of the data collection rule, as in dcr-0123…")
    return f"{parts.scheme}://{parts.netloc}/dataCollectionRules/{dcr_id}/streams/{quote(stream)}?api-version={API_VERSION}"
