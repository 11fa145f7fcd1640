"""One Spark for the whole run, every setting with its reason."""

from __future__ import annotations

import importlib.util
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from pyspark.sql import SparkSession
from wants import pytest_terminal_summary

from alertgraph_spark.access.session import find_java

__all__ = ["pytest_terminal_summary"]  # for pytest to find it

REPO = Path(__file__).parent.parent
SHARED = REPO.parent / "shared"

LONGEST = (
    "test_submit",
    "test_format_cost",
    "test_notebook",
    "test_cluster",
    "test_faults",
    "test_formats",
    "test_job",
)
"""Files that take longest, by what `--durations` prints: they begin first, so that two workers end together."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.stem, len(LONGEST)))


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    find_java()
    os.environ["PYSPARK_PYTHON"] = sys.executable  # else workers take the first python3 on PATH, without our packages
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    logging.getLogger("py4j").setLevel(logging.WARNING)
    home = tmp_path_factory.mktemp("spark")
    builder = (
        SparkSession.builder.master("local[2]")
        .appName("alertgraph-tests")
        .config("spark.driver.memory", "2g")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.ui.enabled", "false")  # 10 % faster, and no port to collide on
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.default.parallelism", "2")
        .config("spark.sql.adaptive.enabled", "false")  # 7-10 % on tiny frames; the job's own run has it on
        .config("spark.sql.execution.arrow.pyspark.enabled", "true")
        .config("spark.sql.warehouse.dir", str(home / "warehouse"))
        .config("spark.sql.maxPlanStringLength", "1000")  # long plans of iterative graphs fill the driver (SPARK-50992)
        # C1 alone and the serial collector save 20 % of a short suite; but C1 alone reserves 48 MB for code, which the many
        # generated classes of the whole suite can fill, and then the JVM ends.
        .config(
            "spark.driver.extraJavaOptions",
            "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:ReservedCodeCacheSize=256m",
        )
    )
    jars = os.environ.get("ALERTGRAPH_GRAPHFRAMES_JARS", "")
    if jars:
        builder = builder.config("spark.jars", jars)
    here = Path.cwd()
    os.chdir(home)  # Spark 4 leaves an artifacts folder where it starts
    session = builder.getOrCreate()
    os.chdir(here)
    session.sparkContext.setLogLevel("ERROR")
    session.sparkContext.setCheckpointDir(str(home / "checkpoints"))
    yield session
    session.stop()


@pytest.fixture(scope="session")
def shared() -> Path:
    if not (SHARED / "tools").is_dir():
        pytest.skip("the real alert sets are not beside the repository")
    return SHARED


@pytest.fixture(scope="session")
def make_docs() -> ModuleType:
    """The script that writes the pages which are made from the code."""
    spec = importlib.util.spec_from_file_location("make_docs", REPO / "docs" / "make_docs.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
