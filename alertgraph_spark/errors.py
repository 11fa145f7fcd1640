"""One error for each thing that an operator can do about a failed run."""

from __future__ import annotations


def at_root(error: BaseException) -> BaseException:
    """What to tell of an error: of a network that fails the refused connection, not what each layer above it says."""
    root = error
    while cause := root.__cause__ or root.__context__:
        root = cause
    return root if isinstance(root, OSError) else error


class AlertGraphError(Exception):
    """The root of all errors of this package; `exit_code` is what the process ends with."""

    exit_code = 1


class ConfigError(AlertGraphError):
    """Raised with all problems of a configuration or a format file at once; the operator edits the file."""

    exit_code = 2


class SourceError(AlertGraphError):
    """Raised when the export holds nothing for the window, or cannot be listed; the operator checks path and rights."""

    exit_code = 2


class ResultsError(AlertGraphError):
    """Raised when the results folder cannot be written; the operator checks path, rights and space."""

    exit_code = 2


class SchemaError(AlertGraphError):
    """Raised when a table does not have the shape that `schemas` declares; lists every difference."""

    exit_code = 2


class GraphEngineError(AlertGraphError):
    """Raised when the chosen graph engine cannot run here or the graph is too big for it; names the remedy."""

    exit_code = 2


class GraphInvariantError(AlertGraphError):
    """Raised when a graph algorithm's result breaks its own definition; a defect, never an operator's fault."""


class TrackingError(AlertGraphError):
    """Raised in strict mode when the MLflow server cannot be reached or refuses the run."""

    exit_code = 2


class PublishError(AlertGraphError):
    """Raised when rows could not be delivered; the results are saved and can be posted again."""

    exit_code = 2
