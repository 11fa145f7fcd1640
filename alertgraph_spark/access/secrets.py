"""Resolve a reference to a secret, on the driver, with whatever keeps secrets on this platform.

Messages name the reference and what to do. What the platform says about a failure is left out: it may repeat the value.

References
----------
https://learn.microsoft.com/azure/synapse-analytics/spark/microsoft-spark-utilities
https://learn.microsoft.com/fabric/data-engineering/notebookutils/notebookutils-credentials
https://docs.databricks.com/dev-tools/databricks-utils
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from typing import Any

from alertgraph_spark.access.secret import REFERENCE_WORDS, Reference, Secret, parse_reference
from alertgraph_spark.errors import ConfigError


def resolve(reference: str) -> Secret:
    """Look up the secret that a reference names.

    Parameters
    ----------
    reference
        As `secret.parse_reference` takes it, but for `default`, which names none.

    Returns
    -------
    Secret
        Without blanks at its ends.

    Raises
    ------
    ConfigError
        If it is no reference, or its secret cannot be had here or is empty. The message says what to do, and never the
        secret.
    """
    parsed = parse_reference(reference)
    if parsed is None or parsed.kind == "default":
        raise ConfigError(f"a credential is no reference to a secret; allowed: {REFERENCE_WORDS}")
    value = _SOURCES[parsed.kind](parsed, reference)
    if not isinstance(value, str) or not value.strip():
        raise ConfigError(f"{reference}: is empty")
    return Secret(value.strip())


def _from_environment(parsed: Reference, reference: str) -> str:
    if parsed.name not in os.environ:
        raise ConfigError(f"{reference}: the environment variable {parsed.name} is not set on the driver")
    return os.environ[parsed.name]


def _from_vault(parsed: Reference, reference: str) -> Any:
    vault, _, suffix = parsed.place.partition(".")
    url = f"https://{vault}.{suffix or 'vault.azure.net'}/"
    platform = _module("notebookutils")
    if platform is None:
        if parsed.linked_service:
            raise ConfigError(
                f"{reference}: linked services are known on Synapse only; leave ?linked_service= out here"
            )
        return _from_vault_by_identity(url, parsed, reference)
    rights = "give the identity that runs the job the right to get secrets of this vault"
    # Fabric's own module takes the vault's address; on Synapse the older one takes its name and a linked service.
    if hasattr(platform, "credentials") and not parsed.linked_service:
        return _asked(lambda: platform.credentials.getSecret(url, parsed.name), reference, rights)
    synapse = getattr(platform, "mssparkutils", None) or importlib.import_module("notebookutils.mssparkutils")
    names = [vault, parsed.name, *filter(None, [parsed.linked_service])]
    rights += "; a batch job on Synapse needs ?linked_service=NAME, else the user is asked who is not there"
    return _asked(lambda: synapse.credentials.getSecret(*names), reference, rights)


def _from_vault_by_identity(url: str, parsed: Reference, reference: str) -> Any:
    identity, vaults = _module("azure.identity"), _module("azure.keyvault.secrets")
    if identity is None or vaults is None:
        raise ConfigError(f"{reference}: azure-keyvault-secrets is missing; install alertgraph-spark[azure]")

    def ask() -> Any:
        with identity.DefaultAzureCredential() as who, vaults.SecretClient(url, who, retry_total=2) as client:
            return client.get_secret(parsed.name).value

    rights = "sign in (az login, a managed identity, AZURE_CLIENT_ID and its companions) as a Key Vault Secrets User"
    return _asked(ask, reference, f"{rights} of {url}")


def _from_databricks(parsed: Reference, reference: str) -> Any:
    dbutils = _module("pyspark.dbutils")
    if dbutils is None:
        raise ConfigError(f"{reference}: secret scopes are known on Databricks only; use env:NAME or keyvault:// here")
    session = importlib.import_module("pyspark.sql").SparkSession.builder.getOrCreate()
    rights = "check scope and key, and give the identity that runs the job READ on the scope"
    return _asked(lambda: dbutils.DBUtils(session).secrets.get(parsed.place, parsed.name), reference, rights)


def _asked(ask: Callable[[], Any], reference: str, remedy: str) -> Any:
    try:
        return ask()
    except Exception as error:  # noqa: BLE001  # each platform raises its own kinds, or a bare Exception
        raise ConfigError(f"{reference}: no secret was given ({type(error).__name__}); {remedy}") from None


def _module(name: str) -> Any:
    """The module, or None where this platform does not have it."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


_SOURCES: dict[str, Callable[[Reference, str], Any]] = {
    "env": _from_environment,
    "keyvault": _from_vault,
    "dbx": _from_databricks,
}
