"""The hosts that may be shown a credential: Azure's own, in the public, US Government and China clouds, or this machine.

The address of a webhook is a credential as well: whoever has it can write to the channel.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

_ACCOUNT = r"[a-z0-9]{3,24}"
_BLOB = re.compile(
    rf"{_ACCOUNT}(\.[a-z0-9-]+)?"
    r"\.blob\.(core\.(windows\.net|usgovcloudapi\.net|chinacloudapi\.cn)|storage\.azure\.net)"
)
# A data collection endpoint has one name before its region, a rule's own address more than one.
_INGESTION = re.compile(r"([a-z0-9][a-z0-9-]*\.)+ingest\.monitor\.azure\.(com|us|cn)")
_COLLECTOR = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.ods\.opinsights\.azure\.(?:com|us|cn)")

INGESTION_WORDS = (
    "https://….ingest.monitor.azure.com, or its like in another cloud; http on 127.0.0.1, ::1 or localhost"
)
_WEBHOOKS = {
    "teams": re.compile(r"([a-z0-9-]+\.)+(logic\.azure\.(com|us|cn)|environment\.api\.powerplatform\.com)"),
    "slack": re.compile(r"hooks\.slack(-gov)?\.com"),
}
WEBHOOK_FORMS = ("teams", "slack", "json")
COLLECTOR_WORDS = "https://WORKSPACE_ID.ods.opinsights.azure.com, or its like in another cloud"


def is_loopback(host: str) -> bool:
    """Tell whether `host` is this machine: `localhost` or an address such as 127.0.0.1."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_storage_account(url: str) -> bool:
    """Tell whether an address is that of a storage account's blobs: a host alone, and on loopback the account's name."""
    parts = _split(url)
    if parts is None:
        return False
    if is_loopback(host := parts.hostname or ""):
        return re.fullmatch(rf"/{_ACCOUNT}/?", parts.path) is not None
    return _is_service(parts) and _BLOB.fullmatch(host) is not None


def is_ingestion_endpoint(url: str) -> bool:
    """Tell whether an address is that of a data collection endpoint or rule, or of an emulator on loopback."""
    parts = _split(url)
    if parts is None or parts.path not in ("", "/"):
        return False
    host = parts.hostname or ""
    return is_loopback(host) or (_is_service(parts) and _INGESTION.fullmatch(host) is not None)


def is_collector_endpoint(url: str) -> bool:
    """Tell whether an address is one of the HTTP Data Collector API, or of an emulator on loopback."""
    return collector_workspace(url) is not None


def collector_workspace(url: str) -> str | None:
    """Return the workspace id that an address of the HTTP Data Collector API begins with, None if it is no such address.

    An emulator on loopback has an id of zeros.
    """
    parts = _split(url)
    if parts is None or parts.path not in ("", "/"):
        return None
    if is_loopback(host := parts.hostname or ""):
        return "00000000-0000-0000-0000-000000000000"
    match = _COLLECTOR.fullmatch(host) if _is_service(parts) else None
    return match[1] if match else None


def is_webhook(url: str, form: str, host: str | None = None) -> bool:
    """Tell whether an address is that of a webhook, or of an emulator on loopback.

    A webhook is reached by https. Its path and its query hold the secret.

    Parameters
    ----------
    url
        The address.
    form
        The form of message that it takes, such as `teams` or `slack`.
    host
        The host that it must have, with its port if that is not 443. If None, a host of Power Automate (`teams`) or of
        Slack.

    Returns
    -------
    bool
        False also for an address that cannot be read.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    if not re.fullmatch(r"[!-~]+", url) or parts.fragment or "@" in parts.netloc:
        return False
    if is_loopback(name := parts.hostname or ""):
        return parts.scheme in ("http", "https")
    if host is not None:
        is_known = host.lower() in (parts.netloc.lower(), name if port == 443 else "")
    else:
        is_known = port in (None, 443) and form in _WEBHOOKS and _WEBHOOKS[form].fullmatch(name) is not None
    return parts.scheme == "https" and is_known


def _split(url: str) -> SplitResult | None:
    """The parts of an address, None if it cannot be read or holds more than scheme, host, port and path."""
    try:
        parts = urlsplit(url.strip())
        _ = parts.port  # a number, or an error here rather than at the first request
    except ValueError:
        return None
    has_more = parts.query or parts.fragment or "@" in parts.netloc
    return None if has_more or parts.scheme not in ("http", "https") else parts


def _is_service(parts: SplitResult) -> bool:
    return parts.scheme == "https" and parts.port in (None, 443) and parts.path in ("", "/")
