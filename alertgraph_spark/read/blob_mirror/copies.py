"""One blob to one file: fetched whole, or continued where the copy ends, and never seen half done."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

from alertgraph_spark.errors import SourceError
from alertgraph_spark.read.blob_mirror.account import Blob

_RANGE_BYTES = 4 * 1024 * 1024  # what one fetch holds in memory
_OVERLAP_BYTES = 512  # of a blob that is continued, compared with the end of the copy
_ATTEMPTS = 3


class _OtherBlobError(Exception):
    """The blob is no longer the one that was listed."""


def fetch(client: Any, blob: Blob, file: Path, known_size: int) -> tuple[str, int, Blob]:
    """Make `file` the blob as it was listed, though the blob may grow meanwhile.

    Parameters
    ----------
    client
        The blob's client.
    blob
        The blob as it was listed.
    file
        Where its copy is or is to be.
    known_size
        Bytes of `file` that are known to be the beginning of the blob, unless it was written anew; 0 if none are.

    Returns
    -------
    tuple
        `new`, `continued` or `replaced`; the bytes fetched; and the blob that `file` is now a copy of, which is another
        than was listed if it was written anew in between.

    Raises
    ------
    SourceError
        If the blob is written anew again and again.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    has_copy = file.is_file()
    if blob.is_append and has_copy and 0 < known_size < blob.size and known_size <= file.stat().st_size:
        start = max(0, known_size - _OVERLAP_BYTES)
        try:
            write_whole(file, _continued(client, blob, file, start, known_size))
            return "continued", blob.size - start, blob
        except _OtherBlobError:  # under the same name
            blob = _seen_now(client, blob)
    for _ in range(_ATTEMPTS):
        try:
            write_whole(file, _ranges(client, blob, 0))
            return "replaced" if has_copy else "new", blob.size, blob
        except _OtherBlobError:
            blob = _seen_now(client, blob)
    raise SourceError(f"export.root: the blob {blob.name} was rewritten {_ATTEMPTS} times while it was read")


def write_whole(file: Path, parts: Iterable[bytes]) -> None:
    """Write beside `file`, out of Spark's sight, and rename: a reader sees the old file or the new one."""
    part = file.with_name(f".{file.name}.part")
    try:
        with open_own(part) as out:
            for data in parts:
                out.write(data)
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)


def open_own(file: Path) -> BinaryIO:
    """Open a file to write anew, for this user alone, and never through a link that someone else has put in its place.

    Parameters
    ----------
    file
        The file.

    Returns
    -------
    BinaryIO
        Empty.

    Raises
    ------
    OSError
        If it cannot be opened, or a link has its name.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
    return os.fdopen(os.open(file, flags, 0o600), "wb")


def _continued(client: Any, blob: Blob, file: Path, start: int, known_size: int) -> Iterator[bytes]:
    """The copy up to `start`, then the blob from there; what both have of it must be the same."""
    with file.open("rb") as copy:
        for begin in range(0, start, _RANGE_BYTES):
            yield copy.read(min(_RANGE_BYTES, start - begin))
        end_of_copy = copy.read(known_size - start)
    fetched = _ranges(client, blob, start)
    first = next(fetched)
    if not first.startswith(end_of_copy):
        raise _OtherBlobError
    yield first
    yield from fetched


def _ranges(client: Any, blob: Blob, start: int) -> Iterator[bytes]:
    """The blob's bytes from `start` to the length that was listed, each range on condition that it is still that blob.

    A condition that fails is no failure where the blob has only been appended to. That ends: an append blob takes 50,000
    appends, and no other writer touches it.
    """
    from azure.core import MatchConditions  # noqa: PLC0415 - an extra that only this reader needs
    from azure.core.exceptions import ResourceModifiedError  # noqa: PLC0415 - the same

    etag = blob.etag
    while start < blob.size:
        try:
            length = min(_RANGE_BYTES, blob.size - start)
            condition = {"etag": f'"{etag}"', "match_condition": MatchConditions.IfNotModified}
            data: bytes = client.download_blob(start, length, **condition).readall()
        except ResourceModifiedError:
            now = _seen_now(client, blob)
            if not (now.is_append and blob.is_append and now.created == blob.created and now.size >= blob.size):
                raise _OtherBlobError from None
            etag = now.etag
            continue
        if not data:
            raise _OtherBlobError
        yield data
        start += len(data)


def _seen_now(client: Any, blob: Blob) -> Blob:
    seen = client.get_blob_properties()
    is_append = seen.blob_type == "AppendBlob"
    return replace(blob, etag=seen.etag.strip('"'), size=seen.size, is_append=is_append, created=seen.creation_time)
