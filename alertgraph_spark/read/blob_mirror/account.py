"""The export's storage account: who signs in, which containers and days there are, and its refusals in words.

Blob names are case-sensitive, and a prefix is literal: `d=0` would match `d=01`, so every prefix here ends with `/`.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from alertgraph_spark.access.principal import check_default
from alertgraph_spark.access.secret import Secret
from alertgraph_spark.errors import SourceError
from alertgraph_spark.read.blob_mirror.credentials import credential_of
from alertgraph_spark.read.export_layout import container_of, spellings

log = logging.getLogger(__name__)

_WORKSPACE = (
    *("workspaceresourceid=", "subscriptions", ".+", "resourcegroups", ".+"),
    *("providers", "microsoft.operationalinsights", "workspaces", ".+"),
)
_DAY = (r"y=\d{4}", r"m=\d{2}", r"d=\d{2}")
_IN_DAY = re.compile(r"(?:h=\d{2}/)?(?:m=\d{2}/)?[^/]+\.json")


@dataclass(frozen=True)
class Blob:
    """One blob as it was listed: `name` is its path inside its container, `etag` stands without quotes."""

    name: str
    etag: str
    size: int
    is_append: bool
    created: Any


@dataclass(frozen=True)
class Account:
    """One storage account, opened; `reference` is how its credential is named in a message."""

    url: str
    reference: str
    client: Any

    def containers(self, tables: Mapping[str, str | None]) -> dict[str, str]:
        """Find the containers of tables.

        Parameters
        ----------
        tables
            Table to its container, None where `container_of` shall find it.

        Returns
        -------
        dict
            Table to container, of those tables that have one.

        Raises
        ------
        SourceError
            If no table has a container. The message says what was looked for, and which `am-` containers there are.
        """
        from azure.core.exceptions import HttpResponseError  # noqa: PLC0415 - an extra that only this reader needs

        wanted = {table: named or container_of(table, ()) for table, named in tables.items()}
        with self.in_words():
            try:
                there = [c.name for c in self.client.list_containers()]
            except HttpResponseError as error:
                if error.status_code != 403:
                    raise
                there = None  # a SAS of containers, or of one: each is asked for by its name
        if there is None:
            found = {table: name for table, like in wanted.items() if (name := self._probe(like))}
            known = "the credential may not list containers"
        else:
            spelled = {table: named or container_of(table, there) for table, named in tables.items()}
            found = {table: name for table, name in spelled.items() if name in there}
            exports = [name for name in there if name.startswith("am-")]
            known = f"the account has {', '.join(exports) or 'no am- container'}"
        missing = ", ".join(like for table, like in wanted.items() if table not in found)
        if not found:
            raise SourceError(f"export.root: {self.url} has no container {missing}; {known}")
        if missing:
            log.warning("%s has no container %s; %s", self.url, missing, known)
        return found

    def _probe(self, like: str) -> str | None:
        """Return the spelling of the container that can be listed, or None if none exists."""
        from azure.core.exceptions import HttpResponseError  # noqa: PLC0415 - as above

        for name in spellings(like):
            if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
                continue  # the service refuses it as no name
            with self.in_words(name):
                try:
                    next(iter(self.client.get_container_client(name).list_blobs(results_per_page=1)), None)
                    return name
                except HttpResponseError as error:
                    if error.status_code != 404:
                        raise
        return None

    def days(self, container: str, workspaces: Sequence[str] | str, first: str, last: str) -> Iterator[str]:
        """Yield the prefix of each day folder from `first` to `last` (`2026-03-02`, both included), in order.

        Walks down folder by folder, so the cost is a listing for each month and not for each blob.
        """
        folders = [""]
        for part in _WORKSPACE:
            folders = [below for folder in folders for below in self._folders(container, folder, part)]
        if workspaces != "all":
            wanted = {w.lower() for w in workspaces}
            folders = [folder for folder in folders if folder.lower().split("/")[-2] in wanted]
        for part in _DAY:
            below = [below for folder in folders for below in self._folders(container, folder, part)]
            folders = [folder for folder in below if first[: len(d := _date(folder))] <= d <= last[: len(d)]]
        yield from folders

    def _folders(self, container: str, prefix: str, part: str) -> list[str]:
        with self.in_words(container):
            found = self.client.get_container_client(container).walk_blobs(name_starts_with=prefix, delimiter="/")
            names = [item.name for item in found if item.name.endswith("/")]
        return [n for n in names if re.fullmatch(part, n[len(prefix) : -1], re.IGNORECASE) and not _climbs(n)]

    def blobs(self, container: str, day: str) -> list[Blob]:
        """List the exported files of one day, a few hundred."""
        with self.in_words(container):
            return [
                Blob(b.name, b.etag.strip('"'), b.size, b.blob_type == "AppendBlob", b.creation_time)
                for b in self.client.get_container_client(container).list_blobs(name_starts_with=day)
                if _IN_DAY.fullmatch(b.name.removeprefix(day)) and not _climbs(b.name)
            ]

    @contextmanager
    def in_words(self, container: str = "") -> Iterator[None]:
        """Turn what the service or the network refuses into one error that says what to do.

        The service's message is left out: it repeats what was signed.
        """
        from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError  # noqa: PLC0415

        where = f"{self.url}/{container}".rstrip("/")
        try:
            yield
        except AzureError as error:
            status, code = getattr(error, "status_code", None), getattr(error, "error_code", None)
            reason = ", ".join(
                str(getattr(part, "value", part)) for part in (status or type(error).__name__, code) if part
            )
            if status in (401, 403) or isinstance(error, ClientAuthenticationError):
                text = f"{where} refuses export.credential ({self.reference}): {reason}; {_remedy(self.reference)}"
            elif isinstance(error, HttpResponseError):
                text = f"{where} answered {reason}"
            else:
                text = f"{where} cannot be reached: {reason}; check the account's name, its firewall and the network"
            raise SourceError(f"export.root: {text}") from None


def _remedy(reference: str) -> str:
    if reference == "default":
        return "the identity needs Storage Blob Data Reader on the account, and the account's firewall has to let it in"
    return "check that it is of this account, has not expired, and may read and list (a SAS: sp=rl, for each container)"


def is_account(root: str) -> bool:
    """Whether a root of an export is a storage account, by its address alone."""
    return root.lower().startswith(("http://", "https://"))


def open_account(root: str, reference: str, resolve: Callable[[str], Secret]) -> Account:
    """Sign in to a storage account.

    Parameters
    ----------
    root
        The setting `export.root`, an address of Azure Blob Storage.
    reference
        A reference to a connection string, SAS token or account key; or `default`, for azure-identity.
    resolve
        Looks up a secret.

    Returns
    -------
    Account
        The client of the account.

    Raises
    ------
    ConfigError
        If what the reference names is no connection string, SAS token or account key, or is of another account; or if
        `default` cannot sign in on this platform.
    SourceError
        If the Azure packages are missing.
    """
    try:
        from azure.identity import DefaultAzureCredential  # noqa: PLC0415 - an extra that only this reader needs
        from azure.storage.blob import BlobServiceClient  # noqa: PLC0415 - the same
    except ImportError:
        raise SourceError(
            "export.root: azure-storage-blob and azure-identity are missing; install alertgraph-spark[azure]"
        ) from None
    if reference == "default":
        check_default(
            "export.credential", "name where a SAS token is kept, or take an abfss:// root, which Spark opens itself"
        )
    _hide_signatures()
    url = root.rstrip("/").lower()
    # The default waits over a minute before it says that a name cannot be resolved.
    options: dict[str, Any] = {"initial_backoff": 1, "increment_base": 2, "random_jitter_range": 1, "retry_total": 3}
    options["use_env_settings"] = not url.startswith("http:")  # no proxy stands before an emulator on loopback
    if reference == "default":
        return Account(url, reference, BlobServiceClient(url, DefaultAzureCredential(), **options))
    credential = credential_of(resolve(reference), url, reference)
    return Account(url, reference, BlobServiceClient(url, credential, **options))


def _date(prefix: str) -> str:
    """`…/y=2026/m=03/` is `2026-03`."""
    return "-".join(re.findall(r"/[ymd]=(\d+)", prefix))


def _climbs(name: str) -> bool:
    """A name that would leave the folder that it is mirrored into."""
    return ".." in name.split("/") or "\\" in name


def _hide_signatures() -> None:
    """Keep the address of a request, and the SAS in it, out of the debug log of the HTTP library."""
    wire = logging.getLogger("urllib3.connectionpool")
    if _is_unsigned not in wire.filters:
        wire.addFilter(_is_unsigned)


def _is_unsigned(record: logging.LogRecord) -> bool:
    return "sig=" not in record.getMessage()
