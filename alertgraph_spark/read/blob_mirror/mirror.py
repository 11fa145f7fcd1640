"""Keep a folder equal to the wanted days of an export's storage account, fetching only what is new.

An export appends to its blobs, late rows to old days too. So every run lists the days that it wants and compares etag and
length with what it has: a blob that grew is continued where the copy ends, any other that changed is fetched whole.
A file becomes visible by renaming, and a day's manifest is written after its files: what a crash leaves is either not
there yet or found to be incomplete by the next run.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from alertgraph_spark.access.secret import Secret
from alertgraph_spark.errors import ConfigError, SourceError
from alertgraph_spark.read.blob_mirror.account import Account, Blob, is_account, open_account
from alertgraph_spark.read.blob_mirror.copies import fetch, open_own, write_whole
from alertgraph_spark.read.export_layout import BUCKET

log = logging.getLogger(__name__)

MANIFEST = "_manifest"  # Spark reads no file whose name begins with an underscore or a dot
_AT_ONCE = 8  # blobs fetched at once; the client keeps ten connections

Manifest = dict[str, list[Any]]
"""File, as named below its day, to the etag and the length of the blob that it is a copy of."""


@dataclass(frozen=True)
class Mirror:
    """How a storage account is opened, and where its mirror lies.

    `credential` is the reference to what opens it and `resolve` turns that into the secret, here on the driver. `staging`
    is a folder for mirrors, one an account; None is one in the user's cache.
    """

    spark: SparkSession
    credential: str
    staging: str | None
    resolve: Callable[[str], Secret]

    def readable_root(
        self,
        root: str,
        tables: Mapping[str, str | None],
        workspaces: Sequence[str] | str,
        since: datetime | None,
        end: datetime | None,
    ) -> str:
        """Give a root that Spark can read: `root` itself, or a folder that now has a copy of what is there.

        Parameters
        ----------
        root
            The setting `export.root`. An http(s) address is copied.
        tables
            Table to its container, or None to find it. Other containers are left alone.
        workspaces
            Names of workspaces, or `all`.
        since
            Aware; copied are whole UTC days that `[since, end)` and a bucket on either side touch. None for all before.
        end
            Aware; None for all after `since`.

        Returns
        -------
        str
            A root that Spark reads.

        Raises
        ------
        ConfigError
            If Spark has other machines than this one and there is no `staging`, or the credential is of no use here.
        SourceError
            If the account cannot be read, or holds nothing of the wanted tables, workspaces and days.
        """
        if not is_account(root):
            return root
        is_local = str(self.spark.conf.get("spark.master", "")).startswith("local")
        if self.staging is None and not is_local:
            raise ConfigError(
                "export.staging: required where Spark runs on several machines; name a folder that each of them sees "
                "under this path, such as a volume or a mount"
            )
        cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "alertgraph-spark" / "export"
        account = open_account(root, self.credential, self.resolve)
        place = account.url.partition("://")[2].replace("/", "_").replace(":", "_")
        folder = (Path(self.staging or cache).expanduser() / place).absolute()
        bounds = {"since": since and since - BUCKET, "end": end and end + BUCKET}  # as far as the reader reads
        done = mirror_export(account, folder, tables, workspaces, **bounds)
        log.info("%s mirrored to %s: %s", account.url, folder, dict(done))
        is_volume = folder.is_relative_to("/Volumes")  # Databricks knows them by their bare path
        return str(folder) if is_volume else f"file://{folder}"


def mirror_export(
    account: Account,
    folder: Path,
    tables: Mapping[str, str | None],
    workspaces: Sequence[str] | str = "all",
    *,
    since: datetime | None = None,
    end: datetime | None = None,
) -> Counter[str]:
    """Bring a folder up to date with the account.

    The folder has the layout of the export, resource ids in lower case. What the account no longer holds stays in it.
    Cost: a listing for each month and day; a request for each changed blob and 4 MiB.

    Parameters
    ----------
    account
        As `open_account` gives it.
    folder
        The copy.
    tables
        Table to its container, or None to find it. Other containers are left alone.
    workspaces
        Names of workspaces, or `all`.
    since
        Aware; the first day that is copied is that of this time. None for the first there is.
    end
        Aware; the last day that is copied is that before this time. None for the last there is.

    Returns
    -------
    Counter
        Blobs that were `new`, `continued`, `replaced` (fetched whole again), `unchanged` or `gone`, and `bytes` fetched.

    Raises
    ------
    ValueError
        If a time has no zone.
    SourceError
        If the account cannot be read, or holds nothing of what is wanted.
    """
    for bound in (since, end):
        if bound is not None and bound.tzinfo is None:
            raise ValueError(f"{bound.isoformat()} has no time zone; folders are UTC")
    first = since.astimezone(timezone.utc).date().isoformat() if since else "0001-01-01"
    last = (end.astimezone(timezone.utc) - timedelta(microseconds=1)).date().isoformat() if end else "9999-12-31"
    containers = account.containers(tables)
    done: Counter[str] = Counter()
    n_days = 0
    with _alone_in(folder):
        for container in containers.values():
            for day in account.days(container, workspaces, first, last):
                n_days += 1
                _mirror_day(account, container, day, folder / container / _with_lower_id(day), done)
    if not n_days:
        days = " ".join([*(["from", first] if since else []), *(["to", last] if end else [])])
        sites = "" if workspaces == "all" else f" for the workspaces {', '.join(workspaces)}"
        raise SourceError(
            f"the export holds no alerts {days or 'of any day'}{sites}: looked in {', '.join(containers.values())} of "
            f"{account.url}"
        )
    return done


def _mirror_day(account: Account, container: str, day: str, folder: Path, done: Counter[str]) -> None:
    from azure.core.exceptions import ResourceNotFoundError  # noqa: PLC0415 - an extra that only this reader needs

    folder.mkdir(parents=True, exist_ok=True)
    known = _read_manifest(folder)
    # Two ids that differ in case alone would meet in one folder.
    tag = "" if day == _with_lower_id(day) else f"-{hashlib.sha256(day.encode()).hexdigest()[:8]}"
    changed = {}
    gone = set(known)
    for blob in account.blobs(container, day):
        name = f"{blob.name.removeprefix(day).removesuffix('.json')}{tag}.json"
        gone.discard(name)
        file = folder / name
        if known.get(name) == [blob.etag, blob.size] and file.is_file() and file.stat().st_size == blob.size:
            done["unchanged"] += 1
        else:
            changed[name] = blob
    client = account.client.get_container_client(container)

    def bring(name: str, blob: Blob) -> tuple[str, int, Blob]:
        with account.in_words(container):
            try:
                return fetch(client.get_blob_client(blob.name), blob, folder / name, known.get(name, ["", 0])[1])
            except ResourceNotFoundError:
                return "gone", 0, blob

    pool = ThreadPoolExecutor(_AT_ONCE)
    try:
        jobs = {name: pool.submit(bring, name, blob) for name, blob in changed.items()}
        for name, job in jobs.items():
            how, n_bytes, blob = job.result()
            done.update({how: 1, "bytes": n_bytes})
            if how == "gone":
                gone.add(name)
            else:
                known[name] = [blob.etag, blob.size]
    finally:
        pool.shutdown(cancel_futures=True)
        if changed:
            write_whole(folder / MANIFEST, [json.dumps(known, indent=0).encode()])
    if gone:
        log.warning("%s/%s no longer holds %s; what was mirrored stays", container, day, ", ".join(sorted(gone)))


def _read_manifest(folder: Path) -> Manifest:
    """The day's manifest, empty if there is none that can be read: then every blob of the day is fetched again."""
    try:
        found = json.loads((folder / MANIFEST).read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _with_lower_id(day: str) -> str:
    """The folder of a day as the reader expects it: the resource id in lower case, after its first letters."""
    head, slash, rest = day.lower().partition("/")
    return f"{head.replace('workspaceresourceid', 'WorkspaceResourceId')}{slash}{rest}"


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Let one run at a time change the mirror of an account: both would write the same file beside the same name."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)  # alerts are for the job's user alone
        lock = open_own(folder / ".lock")
    except OSError as error:
        raise SourceError(f"export.staging: cannot make {folder}: {error.strerror}") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.warning("another run is mirroring into %s: waiting for it", folder)
            fcntl.flock(lock, fcntl.LOCK_EX)
        except OSError as error:  # a mount without locks: the operator keeps runs apart
            log.warning(
                "%s knows no locks (%s): give each run at one time a staging of its own", folder, error.strerror
            )
        yield
