"""What a file system lists, in Spark's own words or in one message; a pattern may lead to any that Hadoop knows."""

from __future__ import annotations

import re
from typing import Any

from pyspark.sql import SparkSession

from alertgraph_spark.errors import SourceError

# Azure answers 404 for a container that is not there, and 400 for a name that no container can have.
_IS_MISSING = re.compile(r'^java\.io\.FileNotFoundException|Operation failed: "[^"]*", (400|404)\b', re.MULTILINE)


def list_paths(spark: SparkSession, pattern: str, may_be_missing: bool = False) -> list[str]:
    """List the paths that match a pattern.

    Parameters
    ----------
    spark
        The session.
    pattern
        A glob that Hadoop reads.
    may_be_missing
        Whether a container that is not there has no paths; else it is an error.

    Returns
    -------
    list of str
        In no order.

    Raises
    ------
    SourceError
        If the file system refuses, or takes a container that is not there for an error.
    Exception
        What is no error of the file system goes through as it is.
    """
    jvm: Any = spark._jvm
    path = jvm.org.apache.hadoop.fs.Path(pattern)
    try:
        statuses = path.getFileSystem(spark._jsc.hadoopConfiguration()).globStatus(path) or []
    except Exception as error:
        if not type(error).__module__.startswith("py4j"):
            raise
        if may_be_missing and _IS_MISSING.search(_causes(error)):
            return []
        raise SourceError(f"cannot list {pattern}: {_cause(error)}") from error
    return [status.getPath().toString() for status in statuses]


def _cause(error: Exception) -> str:
    """First line of what Java says: the last one is the end of its stack trace."""
    java = getattr(error, "java_exception", None)
    return str(java.toString() if java is not None else error).splitlines()[0]


def _causes(error: Exception) -> str:
    """What Java says of an error and of each that it came from."""
    said, java = [], getattr(error, "java_exception", None)
    while java is not None:
        said.append(str(java.toString()))
        java = java.getCause()
    return "\n".join(said)
