"""The folder of one run: files and folders of files, each written whole or not at all."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from pyspark.sql import SparkSession

from alertgraph_spark.publish.results.hadoop import HadoopFolder, hadoop_path
from alertgraph_spark.publish.results.local import LocalFolder


class RunFolder(Protocol):
    """The folder of a run, wherever it is; names are relative to it, with `/` between their parts.

    What a file system refuses is raised as `ResultsError`, with the place and its reason.
    """

    place: str
    """The folder as it was named: a path or a URL."""

    def make(self, key: str = "results.path") -> None:
        """Make the folder, so that one that cannot be written is known before the work, not after it."""

    def names(self, folder: str = "") -> list[str]:
        """The names of the files in `folder`, in order; none where there is no such folder."""

    def read(self, name: str) -> bytes | None:
        """What a file holds, None where there is none."""

    def write(self, name: str, content: bytes) -> None:
        """Write a file whole: at every moment the old or the new content can be read, none where there was none."""

    def remove(self, name: str) -> None:
        """Remove a file if it is there."""

    def put(self, name: str, fill: Callable[[Path], None]) -> None:
        """Write a folder of files whole, in place of an older one: `fill` makes the files in a new folder of this machine."""

    def folders(self) -> list[str]:
        """The names of the folders in it, in order."""

    def clear(self, name: str) -> None:
        """Remove a folder with what is in it, if it is there."""

    def file(self, name: str) -> Path | None:
        """A file of this machine that holds what `name` does, None where there is none; copied as `here` copies."""

    def here(self, name: str) -> Path | None:
        """A folder of this machine that holds the files of `name`, None where there is no such folder.

        From another machine they are copied once, into a folder that goes when nobody holds this one any more.
        """


def is_local(place: str) -> bool:
    """Tell whether a path or URL means this machine by its writing alone.

    Examples
    --------
    >>> is_local("results/run-1"), is_local("file:///results/run-1"), is_local("abfss://soc@lake/results/run-1")
    (True, True, False)
    """
    scheme, colon, _ = place.partition(":/")
    return not colon or scheme == "file"


def open_folder(place: str, spark: SparkSession | None = None) -> RunFolder:
    """Open the folder at a path or URL.

    Parameters
    ----------
    place
        The path or URL. Where there is a session, Hadoop decides what a path without scheme means.
    spark
        The session; without it the folder is on this machine.

    Returns
    -------
    RunFolder
        It need not be there yet.
    """
    if spark is None:
        return LocalFolder(place, Path(re.sub(r"^file:(//)?(?=/)", "", place)))
    system, path = hadoop_path(spark, place)
    uri = system.makeQualified(path).toUri()
    if uri.getScheme() == "file":
        return LocalFolder(place, Path(uri.getPath()))
    return HadoopFolder(spark, place)


def make_folder(place: str, spark: SparkSession, key: str = "results.path") -> RunFolder:
    """Open a folder and make it.

    Parameters
    ----------
    place
        The path or URL.
    spark
        The session.
    key
        The key of the configuration that an error names.

    Returns
    -------
    RunFolder
        The folder.
    """
    folder = open_folder(place, spark)
    folder.make(key)
    return folder
