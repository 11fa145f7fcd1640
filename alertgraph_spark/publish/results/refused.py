"""What a file system refused, told as an error that an operator can act on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from py4j.protocol import Py4JJavaError

from alertgraph_spark.errors import ResultsError

REFUSALS = (Py4JJavaError, OSError)


def reason_of(error: Py4JJavaError | OSError) -> str:
    """What the file system said."""
    said = error.strerror or error if isinstance(error, OSError) else error.java_exception.getMessage()
    return str(said)


@contextmanager
def told(doing: str, place: str) -> Iterator[None]:
    """Turn what a file system refuses in a `with` block into an error that names the place and the reason.

    Parameters
    ----------
    doing
        What is done there, as `write`.
    place
        The path or URL.

    Raises
    ------
    ResultsError
        Where the body is refused by a file system.
    """
    try:
        yield
    except REFUSALS as error:
        raise ResultsError(f"cannot {doing} {place}: {reason_of(error)}") from error
