"""What the alerts of a generated lake say, read by Spark once and kept: all that comes after needs no Spark."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyspark.sql import functions as F
from quality import generated, judge
from quality.lakes import LAKES, Lake
from quality.runs import configuration, digest

from alertgraph_spark.access import session
from alertgraph_spark.config import format_files
from alertgraph_spark.config.loading import load_settings
from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.fold.on_spark import members_of
from alertgraph_spark.interpret import AssetList, calendar_of, exception_keys
from alertgraph_spark.lines import read_lines
from alertgraph_spark.pipeline import Known
from alertgraph_spark.read import export
from alertgraph_spark.read.assets import load_assets, load_maintenance
from alertgraph_spark.read.export_layout import window_of
from alertgraph_spark.tables.frames import collect_arrow

DECIDING = (
    *(f"alertgraph_spark/{one}" for one in ("normalise/**/*.py", "formats/*.yaml", "fold/on_spark.py", "lines.py")),
)
"""Files that decide what alerts say."""


class Site(NamedTuple):
    """One network: what its alerts say, what its operators told the job, and what of it is an attack.

    Attributes
    ----------
    spans
        `interim_schemas.SPANS`.
    steps
        The attack steps in each span that holds any: `span, step`.
    chains
        The benign chains in each span that holds any: `span, chain`.
    """

    name: str
    spans: pa.Table
    known: Known
    steps: pd.DataFrame
    chains: pd.DataFrame

    @property
    def counted(self) -> frozenset[str]:
        """Steps that left an alert."""
        return frozenset(self.steps["step"])


def sites_of(lake: Lake) -> Iterator[Site]:
    """The networks of a lake."""
    spans, items = kept(lake)
    truth, routines = judge.read_truth(lake.folder), generated.read_routines(lake.folder)
    steps = items.merge(truth.loc[truth["strict"].ne("-"), ["item_id", "strict"]]).rename(columns={"strict": "step"})
    chains = items.merge(routines[["item_id", "chain"]])
    assets = load_assets(lake.lists["assets"])
    windows = calendar_of(load_maintenance(lake.lists["maintenance"]), assets)
    known = Known(AssetList(assets), windows, exception_keys((), assets))
    for name in sorted(set(spans["site"].to_pylist())):
        of_site = spans.filter(pc.equal(spans["site"], name)).combine_chunks()
        here = set(of_site["span"].to_pylist())
        told = (rows[rows["span"].isin(here)].drop(columns="item_id").drop_duplicates() for rows in (steps, chains))
        yield Site(name, of_site, known, *told)


def kept(lake: Lake) -> tuple[pa.Table, pd.DataFrame]:
    """The spans of a lake, and the items of each as `span, item_id`; read with Spark where that is not done yet."""
    root = lake.ensure()
    told = (root / "lake.json").read_text(encoding="utf-8")
    folder = LAKES / "robust" / lake.name / digest(DECIDING, told)
    if not (folder / "items.parquet").exists():
        folder.mkdir(parents=True, exist_ok=True)
        _read(lake, folder)
    return pq.read_table(folder / "spans.parquet"), pd.read_parquet(folder / "items.parquet")


def _read(lake: Lake, folder: Path) -> None:
    config = folder / "run.yaml"
    config.write_text(json.dumps(configuration(lake, folder)), encoding="utf-8")  # JSON is YAML
    settings = load_settings(config)
    formats = {source.table: format_files.load_format(source.file) for source in settings.sources}
    spark = session.start_session("robust", "local[2]", "4g", settings.spark.conf, ())
    try:
        days = export.list_days(spark, settings.export.root, dict.fromkeys(formats))
        start, end = window_of(days, None, None)
        raw = export.read_export(spark, days, {table: one.reads for table, one in formats.items()}, start, end)
        lines = read_lines(raw, formats, start, end, gap_seconds=RankingParameters().episode_gap_seconds)
        pq.write_table(collect_arrow(lines.spans), folder / "spans.parquet")
        wanted = lines.folded.select("span", F.col("span").alias("of"))
        items = members_of(lines.binned, lines.folded, wanted, few=False)
        pq.write_table(collect_arrow(items.select(F.col("of").alias("span"), "item_id")), folder / "items.parquet")
        lines.release()
    finally:
        spark.stop()
