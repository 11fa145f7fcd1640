"""What is installed here and how large the machine is: versions, Java, memory and disk. No Spark is started."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import duckdb
import pyspark

from alertgraph_spark import __version__
from alertgraph_spark.access import session
from alertgraph_spark.access.memory import memory_bytes
from alertgraph_spark.commands.doctor.findings import FAIL, OK, WARN, Finding
from alertgraph_spark.config.settings import Graph, Spark
from alertgraph_spark.tables.embedded import Engine

TRIED_SPARK = ((3, 5), (4, 0), (4, 1))
"""Versions that the tests run on; docs/platforms.md says which of them fully."""

GIB = 1 << 30

BASE_BYTES, ALERT_BYTES = 4.2 * GIB, 250
"""Memory of a run as measured (docs/operations.md): what Spark and Python need anyhow, and for each alert."""

_JOBS_ANSWER = 20.0


def versions() -> Iterator[Finding]:
    """Python, Spark and DuckDB."""
    python = ".".join(map(str, sys.version_info[:3]))
    yield Finding(OK, "Python", f"{python}, alertgraph-spark {__version__}")
    number = _numbers(pyspark.__version__)
    if number < TRIED_SPARK[0]:
        yield Finding(FAIL, "Spark", f"{pyspark.__version__} is too old", "install pyspark 3.5 or 4.1")
    elif number not in TRIED_SPARK:
        yield Finding(WARN, "Spark", f"{pyspark.__version__} is not among the versions tried", "see docs/platforms.md")
    else:
        yield Finding(OK, "Spark", pyspark.__version__)
    with Engine() as engine:
        ((answer,),) = engine.rows("SELECT 6 * 7")
    is_right = answer == 42 and _numbers(duckdb.__version__, 3) >= (1, 1, 3)
    todo = "" if is_right else "install duckdb 1.1.3 or newer"
    yield Finding(OK if is_right else FAIL, "DuckDB", duckdb.__version__, todo)


def java(environment: Mapping[str, str] = os.environ) -> Iterator[Finding]:
    """The Java that Spark would take: of the platform, of JAVA_HOME, else of the path."""
    if "PYSPARK_GATEWAY_PORT" in environment:
        yield Finding(OK, "Java", "the platform's own")
        return
    session.find_java()
    home = environment.get("JAVA_HOME")
    program = str(Path(home, "bin", "java")) if home else shutil.which("java")
    if program is None or not Path(program).is_file():
        where = f"JAVA_HOME is {home}, and holds no bin/java" if home else "no java on the path, and no JAVA_HOME"
        yield Finding(FAIL, "Java", where, "install a JDK 17, or set JAVA_HOME")
        return
    done = subprocess.run([program, "-version"], capture_output=True, text=True, check=False, timeout=_JOBS_ANSWER)
    match = re.search(r'version "(?:1\.)?(\d+)[^"]*"', done.stderr + done.stdout)
    if match is None:
        yield Finding(FAIL, "Java", f"{program} -version says no version", "install a JDK 17, or set JAVA_HOME")
        return
    yield judge_java(int(match[1]), _numbers(pyspark.__version__), program)


def judge_java(version: int, spark: tuple[int, ...], program: str) -> Finding:
    """Whether a version of Java runs a version of Spark."""
    said = f"{version}, {program}"
    if version < (17 if spark >= (4,) else 8):
        return Finding(FAIL, "Java", f"{said}: too old for Spark {spark[0]}.{spark[1]}", "install a JDK 17")
    if version != 17 and (version, spark >= (4,)) != (11, False):
        return Finding(WARN, "Java", f"{said}: not tried", "take a JDK 17 if something fails")
    return Finding(OK, "Java", said)


def graphframes(graph: Graph, environment: Mapping[str, str] = os.environ) -> Iterator[Finding]:
    """GraphFrames' package and jars, where the configuration asks for them."""
    what = "GraphFrames"
    if graph.engine == "driver":
        yield Finding(OK, what, "not asked for: graph.engine is driver")
        return
    level = FAIL if graph.engine == "graphframes" else WARN
    jars = [*graph.jars, *filter(None, environment.get(session.JARS_VARIABLE, "").split(","))]
    missing = [jar for jar in jars if not Path(jar).is_file()]
    if missing:
        yield Finding(FAIL, what, f"no such file: {', '.join(missing)}", f"mend graph.jars or {session.JARS_VARIABLE}")
    elif graph.engine == "auto" and not jars:
        yield Finding(OK, what, f"needed above {graph.crossover_links:,} links alone; none named: the driver connects")
    elif importlib.util.find_spec("graphframes") is None:
        yield Finding(
            level, what, "the Python package is missing", "install graphframes-py, or set graph.engine: driver"
        )
    elif not jars and not session.is_platform():
        todo = f"name both jars in graph.jars or {session.JARS_VARIABLE}, or set graph.engine: driver"
        yield Finding(level, what, f"graph.engine is {graph.engine}, and no jar is named", todo)
    else:
        yield Finding(OK, what, f"package there, {len(jars)} jars named")


def memory(spark: Spark, n_alerts: float | None) -> Iterator[Finding]:
    """Memory of this machine, against what the driver is given and what a run needs for so many alerts."""
    has = memory_bytes()
    given = _bytes_of(spark.driver_memory)
    needs = None if n_alerts is None else BASE_BYTES + ALERT_BYTES * n_alerts
    said = f"{has / GIB:.1f} GiB here, spark.driver_memory {spark.driver_memory}"
    said += "" if needs is None else f", about {needs / GIB:.1f} GiB needed for the first run's {n_alerts:,.0f} rows"
    if session.is_platform():
        yield Finding(OK, "memory", "the platform's own; spark.driver_memory does not apply")
    elif given > has:
        yield Finding(FAIL, "memory", said, "lower spark.driver_memory below what there is")
    elif needs is not None and needs > has:
        yield Finding(WARN, "memory", said, "a larger machine, or a lower export.history_hours")
    elif given > 0.8 * has:
        yield Finding(WARN, "memory", said, "lower spark.driver_memory: Python and DuckDB need memory beside it")
    else:
        yield Finding(OK, "memory", said)


def disk(places: Iterable[tuple[str, str, float]]) -> Iterator[Finding]:
    """Free space of each place, as (name, folder of this machine, bytes needed); places of one disk need it together."""
    disks: dict[int, list[tuple[str, Path, float]]] = {}
    for name, place, needs in (*places, ("temporary files", tempfile.gettempdir(), 2.0 * GIB)):
        folder = nearest(Path(place))
        disks.setdefault(folder.stat().st_dev, []).append((name, folder, needs))
    for on_it in disks.values():
        free, needs = shutil.disk_usage(on_it[0][1]).free, sum(one[2] for one in on_it)
        said = f"{free / GIB:.1f} GiB free at {on_it[0][1]}, about {needs / GIB:.1f} GiB needed in a month: "
        said += ", ".join(one[0] for one in on_it)
        level = FAIL if free < needs / 2 else WARN if free < needs else OK
        yield Finding(level, "disk", said, "" if level == OK else "make room, or name other folders")


def nearest(folder: Path) -> Path:
    """A folder, or the nearest place above it that is there; it may be a file."""
    folder = folder.expanduser().absolute()
    return next(one for one in (folder, *folder.parents) if one.exists())


def _bytes_of(size: str) -> float:
    return float(size[:-1]) * float(1024 ** (1 + "kmgt".index(size[-1].lower())))


def _numbers(version: str, n: int = 2) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:n])
