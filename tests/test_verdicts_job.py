"""From end to end: a run posts, Sentinel makes incidents of it, an analyst closes them, and the next run shows it."""

from __future__ import annotations

import json
import re
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from exported import put_lines, row_line
from pyspark.sql import SparkSession
from test_job import JOB, LOGGERS, REPO, TOKEN, TOKEN_VARIABLE, run_job, write_config

sys.path.insert(0, str(REPO / "examples"))  # the examples are no part of the wheel

from emulator.incidents import Incidents
from emulator.server import LogsIngestionEmulator

assert JOB
assert LOGGERS
MORNING = datetime(2026, 3, 2, 10, tzinfo=timezone.utc)


def match(minutes: int, title: str, host: str) -> str:
    at = MORNING + timedelta(minutes=minutes)
    told = {"timestamp": f"{at:%Y-%m-%dT%H:%M:%S}", "rule_title": title, "event": {"Hostname": host}}
    return row_line(f"{at:%Y-%m-%dT%H:%M}", RawData=json.dumps(told), _ItemId=f"i-{minutes}")


class Site:
    """A plant of two machines, each with one subgraph; `run` runs the job and says what it left."""

    def __init__(self, home: Path, endpoint: LogsIngestionEmulator, capfd: pytest.CaptureFixture[str]) -> None:
        self.home, self.capfd = home, capfd
        self.lake = home / "lake"
        for minutes, host in ((1, "fs01"), (91, "hmi2")):
            at = f"{MORNING + timedelta(minutes=minutes):%Y-%m-%dT%H:%M}"
            put_lines(self.lake, "SigmaAlerts_CL", at, [match(minutes, "Admin Share", host)])
        post = {"mode": "logs_ingestion", "endpoint": endpoint.url, "dcr_id": endpoint.dcr_id}
        post["credential"] = f"env:{TOKEN_VARIABLE}"
        tables = [("SigmaAlerts_CL", "sigma"), ("SecurityAlert", "security_alert")]
        self.config = write_config(home, self.lake, tables, post=post)

    def run(self, **overrides: Any) -> tuple[Path, dict[str, Any], str]:
        assert run_job(self.config, **overrides) == 0, self.capfd.readouterr()
        out = self.capfd.readouterr().out
        (folder,) = re.findall(r"^results   (.*)$", out, re.M)
        return Path(folder), json.loads((Path(folder) / "run.json").read_text(encoding="utf-8")), out


def verdicts(spark: SparkSession, folder: Path) -> list[tuple[Any, ...]]:
    rows = spark.read.parquet(str(folder / "verdicts")).orderBy("judged_at", "source", "subgraph_id").collect()
    return [(row["source"], row["subgraph_id"], row["verdict"], row["is_latest"], row["certainty"]) for row in rows]


def at(hour: float) -> datetime:
    return MORNING + timedelta(hours=hour)


def test_what_an_analyst_said_of_an_incident_stands_beside_the_subgraph_in_the_next_run(
    spark: SparkSession, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with LogsIngestionEmulator(tmp_path / "posted.sqlite", TOKEN) as emulator:
        site = Site(tmp_path, emulator, capfd)
        first, record, _ = site.run()
        assert record["verdicts"] | {"until": ""} == {"n_standing": {}, "unmatched_by_reason": {}, "until": ""}
        assert verdicts(spark, first) == []

        sentinel = Incidents(tmp_path / "posted.sqlite", site.lake, "plant")
        numbers = sentinel.raise_all(at(3), only_shown=False)  # the first hours of a site show nothing
        (one, of_one), (two, of_two) = numbers.items()
        sentinel.change(
            of_one,
            at(4),
            "Closed",
            "BenignPositive",
            ClassificationComment="patch <b>day</b>",
            ModifiedBy="ana@x.example",
        )
        stranger = sentinel.open(["nobody-knows"], at(4))
        sentinel.change(stranger, at(5), "Closed", "TruePositive")

        second, record, out = site.run()
        assert record["verdicts"]["n_standing"] == {"benign_positive": 1}
        assert record["verdicts"]["unmatched_by_reason"] == {"none of its alerts is in a subgraph": 1}
        assert re.search(r"^verdicts +of subgraphs: 1 benign positive$", out, re.M)
        assert re.search(r"^no match +incidents: 1 none of its alerts is in a subgraph$", out, re.M)
        assert verdicts(spark, second) == [
            (f"incident {of_one}", one, "benign_positive", True, 1.0),
            (f"incident {stranger}", None, "true_positive", False, 0.0),
        ]
        page = (second / "report.html").read_text(encoding="utf-8")
        assert "ana@x.example" in page
        assert "patch <b>day" not in page, "only escaped"

        # It is opened again, Defender merges the other one into it, and the whole is judged.
        sentinel.merge(of_one, of_two, at(6))
        sentinel.change(of_one, at(7), "Closed", "TruePositive", ModifiedBy="bo@x.example")
        third, record, out = site.run()
        assert record["verdicts"]["n_standing"] == {"true_positive": 2}
        told = verdicts(spark, third)
        assert (f"incident {of_one}", one, "benign_positive", False, 1.0) in told, "the history is kept"
        assert {row for row in told if row[3]} == {
            (f"incident {of_one}", one, "true_positive", True, 0.5),
            (f"incident {of_one}", two, "true_positive", True, 0.5),
        }

        # A list of somebody else's says otherwise, later; and without the table nothing that was known is lost.
        listed = tmp_path / "judged.csv"
        listed.write_text(f"subgraph_id,verdict,judged_at,judged_by\n{two},false positive,2026-03-03T00:00:00Z,cy\n")
        fourth, record, _ = site.run(verdicts=listed, export__incidents="none")
        assert record["verdicts"]["n_standing"] == {"false_positive": 1, "true_positive": 1}
        assert ("list of verdicts", two, "false_positive", True, 1.0) in verdicts(spark, fourth)


def test_a_list_of_verdicts_tells_all_that_is_wrong_at_once(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    put_lines(tmp_path / "lake", "SigmaAlerts_CL", "2026-03-02T10:01", [match(1, "Admin Share", "fs01")])
    config = write_config(tmp_path, tmp_path / "lake", [("SigmaAlerts_CL", "sigma")])
    listed = tmp_path / "judged.csv"
    rows = ["sg-1,perhaps,2026-03-03T00:00:00Z", "sg-1,true,yesterday", "s g,TruePositive,2026-03-03T00:00:00Z"]
    listed.write_text("\n".join(["subgraph_id,verdict,judged_at", *rows]))

    code = run_job(config, verdicts=listed)

    err = capfd.readouterr().err
    assert code == 2
    assert "judged.csv:2: verdict is 'perhaps'; legal are true_positive, benign_positive, false_positive" in err
    assert "judged.csv:3: verdict is 'true'" in err
    assert "judged.csv:4: subgraph_id is 's g'" in err
