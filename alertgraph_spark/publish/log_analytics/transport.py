"""One HTTP POST with the standard library, and the address it goes to."""

from __future__ import annotations

import http.client
import json
import re
import ssl
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import quote, urlsplit

from alertgraph_spark.access.hosts import is_ingestion_endpoint, is_loopback
from alertgraph_spark.errors import ConfigError, PublishError

API_VERSION = "2023-01-01"

_MAX_ERROR_BYTES = 8192


@dataclass(frozen=True)
class Response:
    """What came back: the status (0 where the connection broke), headers in lower case, and the error's code word."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    code: str = ""


# url, headers, body, timeout in seconds -> response
Transport = Callable[[str, Mapping[str, str], bytes, float], Response]


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


def post(url: str, headers: Mapping[str, str], body: bytes, timeout: float) -> Response:
    """Send one POST and return its answer; a broken connection or a time-out is a response of status 0.

    Proxies of the environment are used, except for loopback. No redirect is followed.

    Raises
    ------
    PublishError
        If the server's certificate is not trusted, which no repetition mends.
    """
    request = urllib.request.Request(url, data=body, headers=dict(headers), method="POST")
    host = urlsplit(url).hostname or ""
    try:
        with _opener(host).open(request, timeout=timeout) as answer:
            received = {name.lower(): value for name, value in answer.headers.items()}
            return Response(answer.status, received, _error_code(answer.read(_MAX_ERROR_BYTES)))
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, ssl.SSLCertVerificationError):
            raise PublishError(f"the certificate of {host} is not trusted; check the endpoint and the proxy") from None
        return Response(0, code=type(reason).__name__)


@lru_cache(maxsize=8)
def _opener(host: str) -> urllib.request.OpenerDirector:
    """Return an opener that takes every status for an answer: following a redirect would hand on the token.

    It is kept: reading the trusted certificates takes longer than a request on a near network.
    """
    opener = urllib.request.OpenerDirector()
    proxies = urllib.request.ProxyHandler({} if is_loopback(host) else None)
    verified = urllib.request.HTTPSHandler(context=ssl.create_default_context())
    for handler in (proxies, urllib.request.HTTPHandler(), verified):
        opener.add_handler(handler)
    return opener


def _error_code(body: bytes) -> str:
    """Return the `error.code` of the service's answer if it is a plain word; its message may repeat what was sent."""
    try:
        code = json.loads(body)["error"]["code"]
    except (ValueError, TypeError, KeyError):
        return ""
    return code if isinstance(code, str) and re.fullmatch(r"[A-Za-z_]{3,64}", code) else ""
