"""Where the bearer token comes from: a reference in the configuration, resolved only in the process that posts."""

from __future__ import annotations

import base64
import json
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol
from urllib.parse import urlsplit

from alertgraph_spark.access.principal import Principal
from alertgraph_spark.access.secret import REFERENCE_WORDS, Reference, Secret, parse_reference
from alertgraph_spark.errors import ConfigError, PublishError

# A token is renewed so long before it ends: longer than one batch may be tried.
_SPARE_SECONDS = 600.0

_AUTHORITIES = {"us": "login.microsoftonline.us", "cn": "login.chinacloudapi.cn"}
"""Where a service principal of a cloud that is not the public one signs in."""


class TokenProvider(Protocol):
    """Gives the bearer token; `fresh` asks for a new one after the service refused the last."""

    def __call__(self, *, fresh: bool = False) -> Secret:
        """Return the token, or raise PublishError saying what an operator can do."""


@dataclass(frozen=True)
class EnvironmentToken:
    """Reads the token from an environment variable at each call."""

    variable: str

    def __call__(self, *, fresh: bool = False) -> Secret:
        """Return the variable's value; a fresh one is whatever it holds by now."""
        value = os.environ.get(self.variable, "").strip()
        if not value:
            raise PublishError(
                f"post.credential: the environment variable {self.variable} is not set where the rows are sent"
            )
        return _bearer(Secret(value), self.variable)


@dataclass
class StoredToken:
    """Takes the token from a vault or a scope, on the driver: `resolve` asks for the reference's secret."""

    reference: str
    resolve: Callable[[str], Secret]
    now: Callable[[], float] = time.time
    _token: Secret | None = None

    def __call__(self, *, fresh: bool = False) -> Secret:
        """Return the token, asked for once unless a fresh one is wanted or it says that it is about to end."""
        if fresh or self._token is None or _ends_at(self._token) < self.now() + _SPARE_SECONDS:
            self._token = _bearer(self.resolve(self.reference), self.reference)
        return self._token


@dataclass(frozen=True)
class ClientSecret:
    """A service principal and where its client secret is kept: `resolve` asks for it, on the driver."""

    principal: Principal
    reference: str
    resolve: Callable[[str], Secret]


@dataclass
class AzureToken:
    """Takes the token from azure-identity: for a service principal, else from `DefaultAzureCredential` (environment, managed
    identity, az login).

    The token is kept here: of the chain's members `az login` keeps none and starts a process for each.
    """

    scope: str
    client: ClientSecret | None = None
    now: Callable[[], float] = time.time
    _token: Secret | None = None
    _ends_at: float = 0.0

    def __call__(self, *, fresh: bool = False) -> Secret:
        """Return the token, a new one where a fresh one is asked for or it is about to end."""
        if not fresh and self._token is not None and self.now() + _SPARE_SECONDS < self._ends_at:
            return self._token
        try:
            from azure.core.exceptions import AzureError  # noqa: PLC0415 - an extra that only this credential needs
            from azure.identity import ClientSecretCredential, DefaultAzureCredential  # noqa: PLC0415 - the same
        except ImportError:
            raise PublishError(
                "post.credential: azure-identity is missing where the rows are sent; install alertgraph-spark[azure]"
            ) from None
        client = self.client
        try:
            # Its cache lives in the object: a new one asks anew.
            with ClientSecretCredential(**self._client()) if client else DefaultAzureCredential() as credential:
                given = credential.get_token(self.scope)
        except (AzureError, ValueError) as error:
            code = re.search(r"AADSTS\d{3,9}", str(error))  # the code alone: Entra repeats what it was asked
            kind = type(error).__name__
            if client:
                raise PublishError(
                    f"post.credential: no token for the service principal {client.principal.client_id} "
                    f"({code[0] if code else kind}); check post.tenant_id, post.client_id and the client secret that "
                    f"{client.reference} names, and when it ends"
                ) from None
            raise PublishError(
                f"post.credential: DefaultAzureCredential gave no token ({kind}); give the cluster a managed identity, or "
                "name a service principal by post.tenant_id, post.client_id and where its secret is kept"
            ) from None
        self._token, self._ends_at = Secret(given.token), float(given.expires_on)
        return self._token

    def _client(self) -> dict[str, str]:
        """What azure-identity signs a service principal in with; without an authority in the public cloud, or the
        environment's.
        """
        if self.client is None:
            return {}
        who, secret = self.client.principal, self.client.resolve(self.client.reference)
        authority = next((a for suffix, a in _AUTHORITIES.items() if f".azure.{suffix}/" in self.scope), None)
        named = {"authority": authority} if authority else {}
        return {"tenant_id": who.tenant_id, "client_id": who.client_id, "client_secret": secret.reveal(), **named}


def _ends_at(token: Secret) -> float:
    """Return when a token ends by its own word, in seconds since 1970; never, for one that does not say."""
    try:
        body = token.reveal().split(".")[1]
        return float(json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))["exp"])
    except (IndexError, KeyError, TypeError, ValueError):
        return float("inf")


def _bearer(token: Secret, name: str) -> Secret:
    if not re.fullmatch(r"[\x21-\x7e]+", token.reveal()):  # http.client would name the value in its own error
        raise PublishError(f"post.credential: the value of {name} is not a bearer token")
    return token


def check_credential(credential: str, can_resolve: bool = False) -> Reference:
    """Read the reference of `post.credential`.

    Parameters
    ----------
    credential
        A reference to a secret. Anything else is refused and not repeated: it may be a token that was pasted by
        mistake.
    can_resolve
        Whether secrets that only the driver can read may be named.

    Returns
    -------
    Reference
        The reference, taken apart.

    Raises
    ------
    ConfigError
        If `credential` is no reference, or one for the driver where nothing can resolve it.
    """
    reference = parse_reference(credential)
    if reference is None:
        raise ConfigError(f"post.credential must be {REFERENCE_WORDS}")
    if reference.is_for_the_driver and not can_resolve:
        raise ConfigError(f"post.credential: {credential} is resolved on the driver only")
    return reference


def token_scope(endpoint: str) -> str:
    """Return the scope that the endpoint's cloud asks for: `.us` for US Government, `.cn` for China, else public."""
    host = urlsplit(endpoint).hostname or ""
    suffix = next((s for s in ("us", "cn") if host.endswith(f".azure.{s}")), "com")
    return f"https://monitor.azure.{suffix}/.default"


@lru_cache(maxsize=8)
def token_provider(credential: str, scope: str) -> TokenProvider:
    """Return the provider of a reference, one a process: a reused Python worker keeps its token for the next table."""
    reference = check_credential(credential)
    return EnvironmentToken(reference.name) if reference.kind == "env" else AzureToken(scope)
