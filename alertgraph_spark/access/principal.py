"""A service principal that signs in where the platform gives a job no identity, by a client secret kept elsewhere.

Inside a Spark job of Synapse the workspace's managed identity opens storage and vaults by the platform's own modules, and
nothing else: azure-identity cannot get at it. Fabric is the same.

References
----------
https://learn.microsoft.com/azure/synapse-analytics/synapse-service-identity
"""

from __future__ import annotations

import importlib.util
import logging
import os
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass

from alertgraph_spark.access.secret import Secret
from alertgraph_spark.errors import ConfigError

log = logging.getLogger(__name__)

NAMES = ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET")
"""What azure-identity reads from the environment."""

_PROOFS = ("AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_FEDERATED_TOKEN_FILE")
_PLATFORM = ("notebookutils", "mssparkutils")


@dataclass(frozen=True)
class Principal:
    """The two ids of a service principal; neither is a secret."""

    tenant_id: str
    client_id: str

    def enter(self, secret: Secret, environment: MutableMapping[str, str] = os.environ) -> bool:
        """Name it in the environment of this process, for libraries that look nowhere else; return whether that was done.

        What an operator has set there stands, even a part of it: half of one identity and half of another sign in nowhere.
        """
        if any(environment.get(name) for name in NAMES):
            return False
        environment.update(zip(NAMES, (self.tenant_id, self.client_id, secret.reveal()), strict=True))
        return True


def principal_of(tenant_id: str | None, client_id: str | None) -> Principal | None:
    """Give the service principal that two settings name.

    Parameters
    ----------
    tenant_id
        The tenant in Microsoft Entra.
    client_id
        The application in Microsoft Entra.

    Returns
    -------
    Principal or None
        None unless both are given.
    """
    return Principal(tenant_id, client_id) if tenant_id and client_id else None


def conflicts(tenant_id: str | None, client_id: str | None, credential: str) -> Iterator[tuple[str, str]]:
    """Find the settings of a sign-in that do not fit each other.

    Parameters
    ----------
    tenant_id
        The tenant in Microsoft Entra.
    client_id
        The application in Microsoft Entra.
    credential
        A reference to the client secret, or `default`.

    Yields
    ------
    tuple
        The name of a setting and what is wrong with it.
    """
    missing = [name for name, value in (("tenant_id", tenant_id), ("client_id", client_id)) if value is None]
    if len(missing) == 1:
        yield missing[0], "required with the other of tenant_id and client_id: both name one service principal"
    elif not missing and credential == "default":
        yield "credential", "with tenant_id and client_id name where the client secret is kept, such as env:NAME"


def is_azure_ml(uri: str, environment: Mapping[str, str] = os.environ) -> bool:
    """Tell whether an MLflow tracking URI, or the one that the environment sets where it is `default`, is of Azure ML."""
    return (environment.get("MLFLOW_TRACKING_URI", "") if uri == "default" else uri).startswith("azureml:")


def sign_in_for_tracking(uri: str, strict: bool, principal: Principal | None, secret: Callable[[], Secret]) -> None:
    """Let MLflow's plugin for Azure Machine Learning find the service principal.

    The plugin looks only in the environment of the driver. It is set after Spark's JVM and its workers have started, so
    that they do not have it. A sign-in that cannot work is told now, rather than after a minute of waiting at the end.

    Parameters
    ----------
    uri
        Where MLflow tracks. Other stores than `azureml` are left alone.
    strict
        Whether tracking that cannot work ends the run; else it is a warning.
    principal
        The service principal, if one is named.
    secret
        Gives its secret, and is called only if it is needed.

    Raises
    ------
    ConfigError
        In strict mode, where nobody can sign in.
    """
    if not is_azure_ml(uri):
        return
    if principal:
        principal.enter(secret())
    elif not os.environ.get("MLFLOW_TRACKING_TOKEN"):  # what a job of Azure Machine Learning is given
        try:
            check_default("tracking.uri: azureml", "name a service principal by post.tenant_id and post.client_id")
        except ConfigError as error:
            if strict:
                raise
            log.warning("%s", error)


def check_default(key: str, remedy: str, environment: Mapping[str, str] = os.environ) -> None:
    """Refuse `default` for a key where azure-identity has nothing to sign in with, before any work is done.

    Parameters
    ----------
    key
        The key of the configuration.
    remedy
        What to set instead, in words.
    environment
        The environment variables.

    Raises
    ------
    ConfigError
        On Synapse and Fabric, unless the environment names a service principal.
    """
    is_named = all(environment.get(name) for name in NAMES[:2]) and any(environment.get(name) for name in _PROOFS)
    if not is_named and any(map(_is_there, _PLATFORM)):
        raise ConfigError(f"{key}: default cannot sign in here: Synapse and Fabric give a job no identity; {remedy}")


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ValueError:  # a module of the session, without a file of its own
        return True
