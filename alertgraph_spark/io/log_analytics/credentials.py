"""Where the bearer token comes from: a reference in the configuration, resolved only in the process that posts."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NoReturn, Protocol
from urllib.parse import urlsplit

from alertgraph_spark.errors import ConfigError, PublishError

_ENV_REFERENCE = re.compile(r"env:([A-Za-z_][A-Za-z0-9_]*)")


class Secret:
    """A value that shows itself as `***` and refuses to be pickled, so it enters no log, plan or closure."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        """Keep `value` out of sight."""
        self._value = value

    def reveal(self) -> str:
        """Return the value, for the one header that needs it."""
        return self._value

    def __repr__(self) -> str:
        """Return three stars."""
        return "***"

    def __reduce__(self) -> NoReturn:
        """Refuse: a pickled secret would travel in plain text."""
        raise TypeError("a secret cannot be pickled; pass its reference and resolve it where it is used")


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
        if not re.fullmatch(r"[\x21-\x7e]+", value):  # http.client would name the value in its own error
            raise PublishError(f"post.credential: the value of {self.variable} is not a bearer token")
        return Secret(value)


@dataclass
class AzureToken:
    """Takes the token from `DefaultAzureCredential`: environment, managed identity, az login."""

    scope: str
    _credential: Any = None

    def __call__(self, *, fresh: bool = False) -> Secret:
        """Return a token, from the credential's own cache unless a fresh one is asked for."""
        try:
            from azure.core.exceptions import AzureError  # noqa: PLC0415 - an extra that only this credential needs
            from azure.identity import DefaultAzureCredential  # noqa: PLC0415 - the same
        except ImportError:
            raise PublishError(
                "post.credential: azure-identity is missing where the rows are sent; install alertgraph-spark[azure]"
            ) from None
        if fresh or self._credential is None:
            self._credential = DefaultAzureCredential()  # the cache lives in the object
        try:
            return Secret(self._credential.get_token(self.scope).token)
        except AzureError as error:
            raise PublishError(
                f"post.credential: DefaultAzureCredential gave no token ({type(error).__name__}); give the cluster a "
                "managed identity, or AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET in its environment"
            ) from None


def check_credential(credential: str) -> None:
    """Refuse anything but a reference, without repeating it: it may be a token that was pasted by mistake.

    Raises
    ------
    ConfigError
        If `credential` is neither `default` nor `env:NAME`.
    """
    if credential != "default" and not _ENV_REFERENCE.fullmatch(credential):
        raise ConfigError("post.credential must be `default` or `env:NAME`, the name of an environment variable")


def token_scope(endpoint: str) -> str:
    """Return the scope that the endpoint's cloud asks for: `.us` for US Government, `.cn` for China, else public."""
    host = urlsplit(endpoint).hostname or ""
    suffix = next((s for s in ("us", "cn") if host.endswith(f".azure.{s}")), "com")
    return f"https://monitor.azure.{suffix}/.default"


@lru_cache(maxsize=8)
def token_provider(credential: str, scope: str) -> TokenProvider:
    """Return the provider of a reference, one a process: a reused Python worker keeps its token for the next table."""
    check_credential(credential)
    reference = _ENV_REFERENCE.fullmatch(credential)
    return EnvironmentToken(reference.group(1)) if reference else AzureToken(scope)
