"""The address that the rows of a stream go to."""

from __future__ import annotations

import re
from urllib.parse import quote, urlsplit

from alertgraph_spark.access.hosts import is_ingestion_endpoint
from alertgraph_spark.errors import ConfigError

API_VERSION = "2023-01-01"


def ingestion_url(endpoint: str, dcr_id: str, stream: str) -> str:
    """Give the address that takes the rows of a stream.

    Parameters
    ----------
    endpoint
        Address of the data collection endpoint, or of the rule.
    dcr_id
        Immutable id of the rule.
    stream
        Name of the stream, as `Custom-Name_CL`.

    Returns
    -------
    str
        With the version of the API.

    Raises
    ------
    ConfigError
        If the endpoint is no host of the service and no emulator on loopback, since it is shown the token; if it has
        more than a host; or if `dcr_id` has characters that no immutable id has.
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
