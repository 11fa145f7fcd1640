"""What a resolved secret is, told by its form: a connection string, a SAS token or an account key."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from alertgraph_spark.access.secret import Secret
from alertgraph_spark.errors import ConfigError


def credential_of(secret: Secret, url: str, reference: str) -> Any:
    """Give the credential that azure-storage-blob takes.

    Parameters
    ----------
    secret
        A connection string, a SAS token or an account key.
    url
        Address of the account.
    reference
        The reference to the secret, for messages.

    Returns
    -------
    Any
        A credential of azure-core.

    Raises
    ------
    ConfigError
        If the secret has none of the three forms, or is a connection string of another account.
    """
    from azure.core.credentials import AzureNamedKeyCredential, AzureSasCredential  # noqa: PLC0415 - an optional extra

    value, account = secret.reveal(), _account_of(url)
    if settings := _connection_settings(value):
        named = settings.get("accountname") or _account_of(settings.get("blobendpoint", ""))
        if named.lower() != account.lower():
            raise ConfigError(f"export.credential: {reference} is a connection string of another account than {url}")
        value = settings.get("sharedaccesssignature") or settings.get("accountkey", "")
    token = value.partition("?")[2] or value  # a SAS is handed out with a `?` before it, or as a whole address
    if re.search(r"(^|&)sig=[^&\s]+", token):
        return AzureSasCredential(token)
    if re.fullmatch(r"[A-Za-z0-9+/]{20,}={0,2}", value) and len(value) % 4 == 0:
        return AzureNamedKeyCredential(account, value)
    raise ConfigError(f"export.credential: what {reference} names is no connection string, SAS token or account key")


def _connection_settings(value: str) -> Mapping[str, str]:
    """The settings of a connection string, in any order and case; empty if it is none."""
    pairs = [part.strip().partition("=") for part in value.split(";")]
    settings = {name.lower(): text for name, _, text in pairs if name}
    return settings if {"accountkey", "sharedaccesssignature"} & set(settings) else {}


def _account_of(url: str) -> str:
    """The account's name: the first part of the host, or the path where an emulator serves."""
    parts = urlsplit(url)
    return parts.path.strip("/") or (parts.hostname or "").split(".")[0]
