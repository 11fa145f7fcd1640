"""A user's rows, laid out as an export and read as the job reads one: what a format is tried on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession

from alertgraph_spark.commands import samples
from alertgraph_spark.commands.format_check import sample_differences
from alertgraph_spark.config.source_format import Format
from alertgraph_spark.errors import ConfigError
from alertgraph_spark.lines import normalise_alerts
from alertgraph_spark.read import export


@contextmanager
def laid_out(
    spark: SparkSession, format_: Format, files: Sequence[Path], shape: samples.Shape
) -> Iterator[tuple[samples.Sample, dict[str, DataFrame]]]:
    """Lay files out as an export and read it as the job does. The copy is removed afterwards.

    Parameters
    ----------
    spark
        The session.
    format_
        The format that reads them.
    files
        Files of any kind that `samples.lay_out` reads.
    shape
        How the rows are wrapped.

    Yields
    ------
    tuple
        What was found in the files, and table name to its exported lines.
    """
    with TemporaryDirectory(prefix="alertgraph-") as root:
        sample = samples.lay_out(files, format_.reads, Path(root), shape)
        days = export.list_days(spark, Path(root).as_uri(), {shape.table: None})
        end = samples.DAY + timedelta(days=1)
        yield sample, export.read_export(spark, days, {shape.table: format_.reads}, samples.DAY, end)


def check_samples(spark: SparkSession, format_: Format) -> list[list[str]]:
    """Run a format's own samples.

    Parameters
    ----------
    spark
        The session.
    format_
        The format.

    Returns
    -------
    list of list of str
        For each sample, what is not as it promises.
    """
    if not format_.samples:
        return []
    with TemporaryDirectory(prefix="alertgraph-") as folder:
        file = Path(folder) / "samples.jsonl"
        samples.write_samples(file, format_.samples)
        with laid_out(spark, format_, [file], samples.Shape("rows")) as (_, raw):
            return sample_differences(normalise_alerts(raw, {samples.TABLE: format_}), format_.samples)


@contextmanager
def told_as_the_formats(spark: SparkSession, format_: Format) -> Iterator[None]:
    """Turn what Spark cannot compute in a `with` block (a cast, an index) into an error for the author of the format,
    without its stack.

    Parameters
    ----------
    spark
        The session.
    format_
        The format.

    Raises
    ------
    ConfigError
        With the file of the format and Spark's reason.
    """
    try:
        spark.sparkContext.setLogLevel("OFF")
        yield
    except (PySparkException, Py4JJavaError) as error:
        # Behind Spark's message of the job comes that of the task, then its stack.
        job, _, task = str(error).partition("executor driver): ")
        reason = (task or job).strip().splitlines()[0]
        raise ConfigError(f"{format_.path}: an expression fails on these rows: {reason}") from error
    finally:
        spark.sparkContext.setLogLevel("ERROR")
