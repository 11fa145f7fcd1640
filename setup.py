"""Package metadata: what the wheel is, what it brings and what it leaves to the platform."""

from __future__ import annotations

import re
from pathlib import Path

from setuptools import setup

HERE = Path(__file__).parent
VERSION = re.search(
    r'^__version__ = "(.+)"$', (HERE / "alertgraph_spark/__init__.py").read_text(encoding="utf-8"), re.M
)
assert VERSION, "alertgraph_spark/__init__.py declares no __version__"

GRAPHFRAMES = [
    "graphframes-py>=0.12.3",
    "typing_extensions>=4.6",  # graphframes-py imports it on Python < 3.12 without declaring it
]

setup(
    name="alertgraph-spark",
    version=VERSION.group(1),
    description="Links exported IT and OT security alerts into a few ranked, explained attack subgraphs, on Spark",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.10",
    packages=[
        "alertgraph_spark",
        "alertgraph_spark.access",
        "alertgraph_spark.commands",
        "alertgraph_spark.commands.init",
        "alertgraph_spark.commands.doctor",
        "alertgraph_spark.commands.samples",
        "alertgraph_spark.config",
        "alertgraph_spark.connect",
        "alertgraph_spark.describe",
        "alertgraph_spark.explain",
        "alertgraph_spark.fold",
        "alertgraph_spark.graph",
        "alertgraph_spark.health",
        "alertgraph_spark.verdicts",
        "alertgraph_spark.history",
        "alertgraph_spark.interpret",
        "alertgraph_spark.learn",
        "alertgraph_spark.link",
        "alertgraph_spark.match",
        "alertgraph_spark.normalise",
        "alertgraph_spark.pipeline",
        "alertgraph_spark.publish",
        "alertgraph_spark.publish.exports",
        "alertgraph_spark.publish.log_analytics",
        "alertgraph_spark.publish.notification",
        "alertgraph_spark.publish.report",
        "alertgraph_spark.publish.results",
        "alertgraph_spark.read",
        "alertgraph_spark.read.blob_mirror",
        "alertgraph_spark.score",
        "alertgraph_spark.tables",
        "alertgraph_spark.jobs",
    ],
    # A cluster that starts the job by an entry point, as Databricks does, needs it in the wheel.
    package_dir={"alertgraph_spark.jobs": "jobs"},
    package_data={
        "alertgraph_spark": [
            "formats/*.yaml",
            "access/log4j2.properties",
            "learn/measured_curve.json",
            "publish/exports/techniques.tsv",
            "publish/report/page.css",
            "publish/report/page.html",
            "publish/report/page.js",
            "py.typed",
        ]
    },
    entry_points={
        "console_scripts": [
            "alertgraph = alertgraph_spark.__main__:cli",
            "alertgraph-rank = alertgraph_spark.jobs.rank_alerts:cli",
        ]
    },
    # The platform brings pyspark; a hard requirement would fight it. Synapse, Databricks and Fabric have PyYAML.
    # DuckDB 1.1.0 to 1.1.2 give NULL for some rows of `lead` (duckdb issue 14398): sessions would be linked otherwise.
    install_requires=["PyYAML>=6", "duckdb>=1.1.3,<3"],
    extras_require={
        "local": [
            "pyspark>=3.5.5,<4.4",
            "pandas>=2.0,<3",
            "pyarrow>=15",
            "tqdm>=4.60",
            *GRAPHFRAMES,
        ],
        "azure": ["azure-identity>=1.17", "azure-keyvault-secrets>=4.8", "azure-storage-blob>=12.20"],
        "mlflow": ["mlflow>=2.13,<4"],
        "report": ["bokeh>=3.4,<4"],
        "notebook": ["ipykernel>=6.29", "matplotlib>=3.8", "networkx>=3.1"],
        "dev": [
            "azure-monitor-ingestion>=1.1",  # the benchmark's other side
            "azure-synapse-artifacts>=0.17",  # the published shapes that deploy/synapse is held against
            "chispa>=0.10",
            "databricks-bundles>=1",  # the published shape of a job, to hold deploy/databricks against
            "duckdb-kql>=1.1; python_version >= '3.11'",  # KQL that is run, not only read; with the one after it
            "pytz",
            "grimp>=3.4",  # the imports between rooms, for docs/architecture.md; import-linter brings it
            "import-linter>=2.1",
            "ipykernel>=6.29",
            "matplotlib>=3.8",
            "mypy>=1.11",
            "nbclient>=0.10",
            "networkx>=3.1",
            "pandas-stubs>=2.2",
            "packaging>=24",
            "pydoclint>=0.12",  # the sections of docstrings
            "pytest>=8",
            "pytest-xdist>=3",
            "jsonschema>=4.20",  # the published schemas of what `alertgraph export` writes
            "stix2>=3.0.1",  # the same, by the standard's own library
            "ruff>=0.6",
            "setuptools>=77",
            "selenium>=4.20",
            "types-PyYAML",
            "wheel",
        ],
    },
    keywords=[
        "security",
        "alert correlation",
        "attack graph",
        "microsoft sentinel",
        "operational technology",
        "pyspark",
    ],
    classifiers=[
        "Development Status :: 4 - Beta",
        "Intended Audience :: Information Technology",
        "License :: OSI Approved :: Apache Software License",
        "Operating System :: POSIX",
        "Programming Language :: Python :: 3 :: Only",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Security",
        "Typing :: Typed",
    ],
)
