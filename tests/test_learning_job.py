"""The loop from end to end: runs, incidents, verdicts, a model that is trained and promoted, and a run that shows less."""

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
from test_job import JOB, LOGGERS, REPO, TOKEN, TOKEN_VARIABLE, exit_code, write_config

pytest.importorskip("mlflow")
pytest.importorskip("sqlalchemy")  # mlflow-skinny has no store of its own

sys.path.insert(0, str(REPO / "examples"))  # the examples are no part of the wheel

from emulator.incidents import Incidents  # after the path
from emulator.server import LogsIngestionEmulator

from alertgraph_spark.__main__ import main as alertgraph  # after the skips
from alertgraph_spark.learn.recall import NEW_IN_IT

pytestmark = pytest.mark.slow
assert LOGGERS

MONDAY = datetime(2026, 3, 2, tzinfo=timezone.utc)
DAY, WEEK = timedelta(days=1), timedelta(days=7)
SITES = [f"plant{n:02}" for n in range(12)]
WEEKS = 3
STRANGER = "10.66.6.6"

ROUND = (
    ("Suspicious Phone Home", "initial-access", "critical"),
    ("Remote Session", "lateral-movement", "critical"),
    ("Secrets Dumped", "credential-access", "critical"),
    ("Service Installed", "persistence", "critical"),
    ("Shadow Copies Deleted", "impact", "critical"),
)
"""What an administrator does once a week, and what rules say of it."""

DISK_FULL = ("Disk Full", "discovery", "low")


def match(at: datetime, said: tuple[str, str, str], host: str, source: str | None, key: str) -> str:
    title, tactic, level = said
    told = {
        **{"timestamp": f"{at:%Y-%m-%dT%H:%M:%S}", "rule_title": title, "rule_level": level},
        **{"tags": [f"attack.{tactic}"]},
        "event": {"Hostname": host, "IpAddress": source, "TargetUserName": "adm", "TargetDomainName": "corp"},
    }
    return row_line(f"{at:%Y-%m-%dT%H:%M}", RawData=json.dumps(told), _ItemId=key)


def read(spark: SparkSession, run: Path) -> list[Any]:
    return list(spark.read.parquet(str(run / "subgraphs")).collect())


class Sites:
    """Some plants with one administrator each, week after week; `run` ranks a week."""

    def __init__(self, home: Path, endpoint: LogsIngestionEmulator, capfd: pytest.CaptureFixture[str]) -> None:
        self.home, self.lake, self.capfd = home, home / "lake", capfd
        self.incidents = {site: Incidents(home / "posted.sqlite", self.lake, site) for site in SITES}
        self.judged: set[str] = set()
        for site in SITES:
            for day in range(7 * (WEEKS + 1)):
                self.put(site, MONDAY + day * DAY + timedelta(hours=6), DISK_FULL, "printer", None)
            for week in range(WEEKS + 1):
                source = STRANGER if (site, week) == (SITES[0], WEEKS) else "10.1.0.17"
                for n, said in enumerate(ROUND):
                    at = MONDAY + week * WEEK + 3 * DAY + timedelta(hours=10, minutes=6 * n)
                    self.put(site, at, said, "srv1", source)
        post = {"mode": "logs_ingestion", "endpoint": endpoint.url, "dcr_id": endpoint.dcr_id}
        tables = [("SigmaAlerts_CL", "sigma"), ("SecurityAlert", "security_alert")]
        self.config = write_config(
            home,
            self.lake,
            tables,
            post={**post, "credential": f"env:{TOKEN_VARIABLE}"},
            tracking={"uri": f"sqlite:///{home}/mlflow.db"},
        )

    def put(self, site: str, at: datetime, said: tuple[str, str, str], host: str, source: str | None) -> None:
        line = match(at, said, host, source, f"{site}-{at:%m%d%H%M}")
        put_lines(self.lake, "SigmaAlerts_CL", f"{at:%Y-%m-%dT%H:%M}", [line], site=site)

    def run(self, week: int, **settings: Any) -> tuple[Path, list[dict[str, Any]]]:
        """Rank a week; return the folder of the run, and what it shows of that week."""
        code, told = self.end_of(week, **settings)
        assert code == 0, told
        (place,) = re.findall(r"^results   (.*)$", told, re.M)
        assert alertgraph(["show", place, "--json"]) == 0
        shown = json.loads(self.capfd.readouterr().out)["subgraphs"]
        return Path(place), [row for row in shown if row["last_seen"] >= f"{MONDAY + week * WEEK:%Y-%m-%d}"]

    def end_of(self, week: int, **settings: Any) -> tuple[int, str]:
        """How a run of a week ends, and what it says."""
        start = MONDAY + week * WEEK
        window = ["--start", start.isoformat(), "--end", (start + WEEK).isoformat()]
        given = [word for key, value in settings.items() for word in ("--set", f"{key.replace('__', '.')}={value}")]
        code = exit_code(lambda: JOB.main(["--config", str(self.config), *window, *given]))
        told = self.capfd.readouterr()
        return code, told.out + told.err

    def judge(self, week: int) -> None:
        """Close the incidents of what was shown for the first time as benign, the evening after."""
        for incidents in self.incidents.values():
            for key, number in incidents.raise_all(MONDAY + week * WEEK + 4 * DAY).items():
                if key not in self.judged:
                    self.judged.add(key)
                    closed = MONDAY + week * WEEK + 5 * DAY
                    incidents.change(number, closed, "Closed", "BenignPositive", ModifiedBy="ana@x.example")

    def ask(self, *words: str) -> tuple[int, str, str]:
        """The command `alertgraph` with the configuration."""
        code = alertgraph([*words, "--config", str(self.config)])
        told = self.capfd.readouterr()
        return code, told.out, told.err


def test_the_loop(
    spark: SparkSession, tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with LogsIngestionEmulator(tmp_path / "posted.sqlite", TOKEN) as emulator:
        sites = Sites(tmp_path, emulator, capfd)
        for week in range(WEEKS):
            _, shown = sites.run(week)
            assert len(shown) == len(SITES), "each administrator's round is shown, each week"
            sites.judge(week)
            if week == 1:
                code, out, _ = sites.ask("train", "--promote")
                assert code == 0, "a model that is not promoted is no error"
                assert re.search(r"^verdicts  12 on subgraphs of 12 sites: 0 attacks, 12 benign or false$", out, re.M)
                assert "not promoted  too few verdicts to tell: 4 later ones of 10; about 18 are missing\n" in out
        _, shown = sites.run(WEEKS)
        assert len(shown) == len(SITES)

        code, out, _ = sites.ask("train", "--promote")
        assert code == 0
        assert re.search(r"^verdicts  36 on subgraphs of 12 sites: 0 attacks, 36 benign or false$", out, re.M), out
        assert re.search(r"^model     models:/alertgraph/2; ", out, re.M)
        assert re.search(r"^promoted  champion, before it none: log loss 0\.0\d+ -> 0\.00\d on 12 later", out, re.M), (
            out
        )

        champion = "models:/alertgraph@champion"
        code, out, _ = sites.ask("replay", "--model", champion, "--from", f"{MONDAY + WEEKS * WEEK:%Y-%m-%dT00:00:00Z}")
        assert code == 0
        assert re.search(r"^model     models:/alertgraph/2$", out, re.M)
        assert re.search(r"^in all    12 shown in A, 1 in B$", out, re.M), out

        after, shown = sites.run(WEEKS, ranking__model=champion, ranking__questions="true", ranking__expect=0.8)
        (left,) = shown
        assert left["site"] == SITES[0], "there somebody else went the round"
        record = json.loads((after / "run.json").read_text(encoding="utf-8"))
        assert record["versions"]["model"] == "models:/alertgraph/2"
        assert (record["learned"]["n_verdicts"], record["learned"]["tried"]["n_later"]) == (36, 12)
        assert record["questions"] == [], "what is not shown is like what was judged"
        assert record["expected"].startswith(("for 80 % of an attack's steps", "cannot be said"))
        rows = {
            row["site"]: row
            for row in read(spark, after)
            if row["last_seen"] >= MONDAY.replace(tzinfo=None) + WEEKS * WEEK
        }
        facts = {site: [c["fact"] for c in row["contributions"] if c["term"] == "memory"] for site, row in rows.items()}
        assert facts[SITES[1]] == ["like 2 earlier ones (97 % alike), judged benign by ana@x.example on 14 March 2026"]
        like = "like 3 earlier ones (59 % alike), judged benign by ana@x.example on 21 March 2026"
        assert facts[SITES[0]] == [like + NEW_IN_IT]
        assert rows[SITES[1]]["probability"] < 0.02

        # The registry is away: the last copy is used, and told. In strict mode that is an error.
        away = {"ranking__model": champion, "tracking__uri": "http://127.0.0.1:9"}
        code, _ = sites.end_of(WEEKS, **away)
        assert code == 0
        assert "the last copy beside the results is used: models:/alertgraph/2" in caplog.text
        code, err = sites.end_of(WEEKS, **away, tracking__strict="true")
        assert code == 2
        assert "tracking.strict makes that an error" in err

        # Back in one command: there was none before.
        code, out, _ = sites.ask("train", "--roll-back")
        assert (code, out) == (0, "champion  alertgraph: version none, which was before 2\n")
        _, shown = sites.run(WEEKS, ranking__model=champion)
        assert len(shown) == len(SITES)
