"""One HTTP POST with the standard library, and when to send it again."""

from __future__ import annotations

import http.client
import json
import re
import ssl
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from functools import lru_cache
from urllib.parse import urlsplit

from alertgraph_spark.access.hosts import is_loopback
from alertgraph_spark.errors import PublishError

_FIRST_WAIT_SECONDS = 1.0
_MAX_WAIT_SECONDS = 60.0
_MAX_ERROR_BYTES = 8192


@dataclass(frozen=True)
class Response:
    """What came back: the status (0 where the connection broke), headers in lower case, and its code word."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    code: str = ""


# url, headers, body, timeout in seconds -> response
Transport = Callable[[str, Mapping[str, str], bytes, float], Response]


def post(url: str, headers: Mapping[str, str], body: bytes, timeout: float) -> Response:
    """Send one POST and give its answer.

    Proxies of the environment are used, except for loopback. No redirect is followed.

    Parameters
    ----------
    url
        Where to.
    headers
        The headers of the request.
    body
        The body of the request.
    timeout
        Longest wait for the connection, and for each part of the answer, in seconds.

    Returns
    -------
    Response
        A broken connection or a time-out is a response of status 0.

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
    """Return the word of the service's answer: `error.code`, or the body where it is one plain word.

    A message is left out: it may repeat what was sent.
    """
    code: object = body.strip().decode("ascii", "replace")
    with suppress(ValueError, TypeError, KeyError):
        code = json.loads(body)["error"]["code"]
    return code if isinstance(code, str) and re.fullmatch(r"[A-Za-z_]{2,64}", code) else ""


def is_passing(response: Response) -> bool:
    """Tell whether the same request may succeed later: throttling, a fault of the service, a broken connection."""
    return response.status in {0, 408, 429} or 500 <= response.status < 600


def wait_seconds(response: Response, attempt: int, jitter: float) -> float:
    """Return what the service asked for and up to a tenth more, else a doubling wait, half of it by chance.

    The chance, `jitter` in [0, 1), keeps several senders from coming back in the same moment. `attempt` counts from 0.
    """
    asked = retry_after_seconds(response.headers)
    if asked:  # a wait of nothing, in a loop, would hammer a service that is asking for rest
        return asked * (1 + jitter / 10)
    ceiling = min(_MAX_WAIT_SECONDS, _FIRST_WAIT_SECONDS * 2.0 ** min(attempt, 10))
    return ceiling * (1 + jitter) / 2


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a Retry-After header asks for, or None where there is none that can be read.

    A date is measured against the answer's own Date header, so this machine's clock does not matter (RFC 9110, 10.2.3).
    """
    value = headers.get("retry-after", "").strip()
    if value.isdecimal():
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - parsedate_to_datetime(headers.get("date", ""))).total_seconds())
    except (TypeError, ValueError):
        return None
