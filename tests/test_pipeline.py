"""The line as a whole: what may happen to the input without changing what is found, and what is counted.

Three days of one small plant, told in `PLANT`; day 0 is history. Two runs, seven sites each. In the first all sites hold the
same story; in the second each holds it changed in one way. Sites never meet, so a site's two results can be compared.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
import pytest
from exported import raw_tables
from incident import DAY, at
from pyspark.sql import DataFrame, SparkSession

from alertgraph_spark import lines
from alertgraph_spark.config.alert_exception import AlertException
from alertgraph_spark.config.source_format import Format
from alertgraph_spark.graph.choice import GraphOptions
from alertgraph_spark.lines import read_lines
from alertgraph_spark.pipeline import line, rank_subgraphs
from alertgraph_spark.ranking import OnStage, Ranking
from alertgraph_spark.tables.embedded import conform_arrow
from alertgraph_spark.tables.frames import collect_arrow
from alertgraph_spark.tables.schemas import RESULTS

Row = dict[str, Any]

MIDNIGHT = 1440  # minutes of a day, and from `incident.DAY` to the beginning of the window

FORMAT = Format(
    name="edr",
    path="test",
    reads=("Name", "Severity", "Tactics", "Source", "SourceZone", "Target", "TargetZone", "Account"),
    columns={"name": "Name", "severity": "cast(Severity as double)", "tactics": "split(Tactics, ' ')"},
    source={"host": "Source"},
    target={"host": "Target"},
    other={"account": "array(Account)"},
    source_zone="SourceZone",
    target_zone="TargetZone",
)
RAW = "file string, table string, site string, TimeGenerated string, `_ItemId` string, `_corrupt_record` string, " + (
    ", ".join(f"{name} string" for name in FORMAT.reads)
)
LINE = re.compile(
    r"(?P<minute>[\d.]+) (?:(?P<source>\w+)/(?P<source_zone>\w+) -> )?(?P<target>\w+)/(?P<target_zone>\w+) (?P<name>[^|]+?)"
    r"(?: \| (?P<severity>[\d.]+) (?P<tactics>[a-z -]+)(?: (?P<account>corp\\\w+))?)?"
)

# Day 2 from 10:12 to 11:40: phished, over the jump host into the process network, and a controller is stopped.
ATTACK = (
    "3492 mail/external -> ws1/it phishing link opened | 0.4 initial-access",
    "3510 ws1/it office starts a shell | 0.6 execution corp\\meyer",
    "3530 ws1/it -> jump/dmz rdp logon | 0.3 lateral-movement corp\\meyer",
    "3531 ws1/it -> jump/dmz rdp logon | 0.3 lateral-movement corp\\meyer",
    "3550 jump/dmz -> ews/ot rdp logon | 0.3 lateral-movement corp\\meyer",
    "3580 ews/ot -> plc3/ot controller stopped | 0.9 impair-process-control",
)
PLANT = (
    *(f"{180 * n + 7} ws{n % 3 + 20}/it -> proxy/dmz denied" for n in range(24)),  # every third hour: everyday noise
    *(f"{1440 * day + 485 + 3 * n} ws{n + 30}/it update failed | 0.1 execution" for day in range(3) for n in range(4)),
    *(
        f"{m} ws{40 + n}/it -> dc/it failed logon | 0.2 credential-access"
        for n, m in enumerate((300, 1300, 2000, 3000))
    ),
    # An incident of day 0, linked and over before the window opens; it has seen rdp logons.
    "600 ws50/it -> fs50/it file share swept | 0.5 discovery",
    "612 fs50/it -> dc/it rdp logon | 0.3 lateral-movement",
    "1700 ws51/it usb stick | 0.2 initial-access",
    "2500 ws52/it -> fs52/it usb stick copied | 0.2 collection",
    "2509 fs52/it archive made | 0.3 collection",
    *ATTACK,
    "3700 ws53/it usb stick | 0.2 initial-access",
    "4100 ws54/it -> fs52/it file share swept | 0.5 discovery",
)
KNOWN = [
    AlertException("usb", "soc", "a stick for the cameras", at(0), at(9 * 1440), alert="usb stick", entity="host:ws53"),
    AlertException("logon", "soc", "its own way", at(0), at(9 * 1440), alert="rdp logon", site="cut"),
]
"""What hides one lone alert of each site, and touches the attack of one."""

# More than six hours before the attack: within them two such rare things of one small site are linked by time alone.
UNRELATED = "3060 ws60/it -> nas/it disk is nearly full | 0.9 impact"


def exported(line: str, site: str, number: int | str, **columns: str | None) -> dict[str, str | None]:
    """One exported row: the line's number is its item."""
    match = LINE.fullmatch(line)
    assert match, line
    return {
        "file": "PT05M.json",
        "table": "Edr_CL",
        "site": site,
        "TimeGenerated": f"{at(float(match['minute'])):%Y-%m-%dT%H:%M:%S.%fZ}",
        "_ItemId": f"item-{number}",
        "_corrupt_record": None,
        "Name": match["name"],
        "Severity": match["severity"],
        "Tactics": match["tactics"],
        "Source": match["source"],
        "SourceZone": match["source_zone"],
        "Target": match["target"],
        "TargetZone": match["target_zone"],
        "Account": match["account"],
        **columns,
    }


RawRow = dict[str, str | None]


def plant(site: str) -> list[RawRow]:
    return [exported(line, site, n) for n, line in enumerate(PLANT)]


def renamed(row: RawRow) -> RawRow:
    """Other names for all hosts, in another order of the alphabet."""
    return {**row, **{end: row[end] and f"m{str(row[end])[::-1]}" for end in ("Source", "Target")}}


def changed(site: str) -> list[RawRow]:
    """The plant's rows, changed as the site's name says."""
    rows = plant(site)
    last = max(str(row["TimeGenerated"]) for row in rows if row["Name"] == "controller stopped")
    return {
        "permuted": random.Random(3).sample(rows, len(rows)),
        "renamed": [renamed(row) for row in rows],
        "unrelated": [*rows, exported(UNRELATED, site, "unrelated")],
        "cut": [row for row in rows if str(row["TimeGenerated"]) <= last],
        "twice": [row for row in rows for _ in range(2)],
        "without a past": [row for row in rows if str(row["TimeGenerated"]) >= f"{at(MIDNIGHT):%Y-%m-%dT%H:%M}"],
        "broken": [
            *rows,
            exported("1800 ws1/it torn", site, "t", _corrupt_record='{"Name": "to', TimeGenerated=None),
            exported("1800 ws1/it no time", site, "n", TimeGenerated="yesterday"),
            exported("4320 ws1/it one day late", site, "l"),
        ],
    }[site]


SITES = ("permuted", "renamed", "unrelated", "cut", "twice", "without a past", "broken")


@dataclass(frozen=True)
class Found:
    """One run: the ranking, and its tables as rows of each site."""

    ranking: Ranking
    tables: dict[str, dict[str, list[Row]]]

    def attack(self, site: str) -> Any:
        """The subgraph that holds the stopped controller."""
        last = PLANT.index(ATTACK[-1])
        (member,) = [m for m in self.tables["members"][site] if m["item_id"] == f"item-{last}"]
        (subgraph,) = [s for s in self.tables["subgraphs"][site] if s["subgraph_id"] == member["subgraph_id"]]
        return subgraph

    def items(self, site: str) -> list[str]:
        """The exported rows of that subgraph."""
        wanted = self.attack(site)["subgraph_id"]
        return sorted(m["item_id"] for m in self.tables["members"][site] if m["subgraph_id"] == wanted)


def silent(stage: str, rows: int, seconds: float) -> None:
    """Nobody listens."""


def rows_of(ranking: Ranking, name: str) -> list[Row]:
    table = ranking.tables[name]
    return table.to_pylist() if isinstance(table, pa.Table) else [row.asDict(True) for row in table.collect()]


def run(
    spark: SparkSession, rows: list[RawRow], told_since: datetime | None = None, on_stage: OnStage = silent
) -> Found:
    raw = {"Edr_CL": spark.createDataFrame([tuple(row.values()) for row in rows], RAW)}
    window = at(MIDNIGHT), at(3 * MIDNIGHT)
    asked: dict[str, Any] = {"graph": GraphOptions("driver"), "told_since": told_since, "on_stage": on_stage}
    asked["exceptions"] = KNOWN
    ranking = rank_subgraphs(raw, {"Edr_CL": FORMAT}, *window, **asked)
    tables: dict[str, dict[str, list[Row]]] = {}
    for name in ("subgraphs", "members", "nodes", "edges", "features", "episodes", "rejected"):
        by_site: dict[str, list[Row]] = {site: [] for site in SITES}
        for row in rows_of(ranking, name):
            by_site[row["site"]].append(row)
        tables[name] = {site: sorted(found, key=str) for site, found in by_site.items()}
    hits = rows_of(ranking, "motif_hits")
    sites = {s["subgraph_id"]: site for site, found in tables["subgraphs"].items() for s in found}
    tables["motif_hits"] = {
        site: sorted((h for h in hits if sites[h["subgraph_id"]] == site), key=str) for site in SITES
    }
    ranking.release()
    return Found(ranking, tables)


@pytest.fixture(scope="module")
def usual(spark: SparkSession) -> Found:
    return run(spark, [row for site in SITES for row in plant(site)])


@pytest.fixture(scope="module")
def other(spark: SparkSession) -> Found:
    return run(spark, [row for site in SITES for row in changed(site)])


def facts(rows: list[Row], *without: str) -> list[dict[str, Any]]:
    return sorted(({k: v for k, v in row.items() if k not in without} for row in rows), key=str)


# --- what is found --------------------------------------------------------------------------------------------------


def test_the_attack_is_whole_first_and_shown(usual: Found) -> None:
    first = PLANT.index(ATTACK[0])
    for site in SITES:
        attack = usual.attack(site)
        assert usual.items(site) == sorted(f"item-{first + n}" for n in range(len(ATTACK)))
        assert attack["rank"] == min(s["rank"] for s in usual.tables["subgraphs"][site])
        assert attack["is_shown"]
        assert attack["motifs"] == ["it_ot_pivot", "lateral_chain", "ot_act_after_crossing"]
        assert ": mail → ws1 → jump → ews → plc3; " in attack["summary"]
        assert (attack["n_alerts"], attack["n_episodes"]) == (6, 5)  # two rdp logons a minute apart are one episode


def test_what_was_over_before_the_window_is_not_ranked(usual: Found) -> None:
    old = {f"item-{n}" for n, line in enumerate(PLANT) if float(line.partition(" ")[0]) < MIDNIGHT}
    assert len(old) == 16
    assert not old & {m["item_id"] for m in usual.tables["members"]["cut"]}
    assert min(s["last_seen"] for s in usual.tables["subgraphs"]["cut"]).isoformat() >= "2026-03-03"


def test_a_look_back_tells_again_what_late_rows_may_have_changed(spark: SparkSession, usual: Found) -> None:
    """Same rows, same window, same counts; but what ended in the day before is told too, as it now stands."""
    back = run(spark, [row for site in SITES for row in plant(site)], told_since=at(0))

    assert back.ranking.counts.items() - usual.ranking.counts.items() == {
        ("subgraphs", back.ranking.counts["subgraphs"])
    }
    told = {s["subgraph_id"] for s in back.tables["subgraphs"]["cut"]}
    assert told > {s["subgraph_id"] for s in usual.tables["subgraphs"]["cut"]}
    old = {f"item-{n}" for n, line in enumerate(PLANT) if float(line.partition(" ")[0]) < MIDNIGHT}
    assert old <= {m["item_id"] for m in back.tables["members"]["cut"]}
    assert back.attack("cut")["rank"] == min(s["rank"] for s in back.tables["subgraphs"]["cut"])


def test_the_tables_tell_the_same_numbers(usual: Found, other: Found) -> None:
    for found in (usual, other):
        for site in SITES:
            of = found.tables
            for subgraph in of["subgraphs"][site]:
                mine = {
                    name: [r for r in of[name][site] if r["subgraph_id"] == subgraph["subgraph_id"]]
                    for name in ("members", "edges", "nodes")
                }
                assert len({m["alert_id"] for m in mine["members"]}) == len(mine["members"]) == subgraph["n_alerts"]
                assert sum(e["n_alerts"] for e in mine["edges"]) == subgraph["n_alerts"]
                assert sum(e["n_episodes"] for e in mine["edges"]) == subgraph["n_episodes"]
                assert len([n for n in mine["nodes"] if n["kind"] != "account"]) == subgraph["n_hosts"]


# --- what is counted ------------------------------------------------------------------------------------------------


def test_every_line_read_is_counted_once(usual: Found, other: Found) -> None:
    # A plant: 24 + 12 + 4 + 2 + 3 + 6 + 2 = 53 lines, 8 + 4 + 2 + 2 = 16 of them on day 0, so 37 alerts; 7 plants.
    counts = {name: usual.ranking.counts[name] for name in ("rows_read", "alerts", "out_of_window", "history")}
    assert counts == {"rows_read": 371, "alerts": 259, "out_of_window": 112, "history": 112}
    assert usual.ranking.counts["duplicates"] == usual.ranking.counts["rejected"] == 0
    # The other run: one alert more, six less (after the cut), 16 of day 0 less; one plant twice: 37 duplicates and 16
    # more before the window; and two broken lines and one at the very end of the window, which is outside.
    parts = ("rows_read", "alerts", "duplicates", "out_of_window", "rejected")
    assert {name: other.ranking.counts[name] for name in parts} == {
        "rows_read": 371 + 1 - 6 - 16 + 53 + 3,
        "alerts": 259 + 1 - 6,
        "duplicates": 37,
        "out_of_window": 112 - 16 + 16 + 1,
        "rejected": 2,
    }
    assert other.ranking.counts["history"] == 112 - 16  # the 16 that came twice taught once
    assert other.ranking.balance.rejected_by_reason == {"no TimeGenerated": 1, "torn line": 1}
    for found in (usual, other):
        rows_read, *rest = (found.ranking.counts[part] for part in parts)
        assert rows_read == sum(rest)


def test_a_refused_line_is_kept_with_its_reason(other: Found) -> None:
    assert [(r["reason"], r["line"]) for r in other.tables["rejected"]["broken"]] == [
        ("no TimeGenerated", "item-n"),
        ("torn line", '{"Name": "to'),
    ]
    assert not any(rows for site, rows in other.tables["rejected"].items() if site != "broken")


# --- what must not matter -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("site", ["permuted", "twice", "broken"])
def test_neither_order_nor_repetition_nor_broken_lines_change_a_row(usual: Found, other: Found, site: str) -> None:
    for name, by_site in usual.tables.items():
        if name != "rejected":
            # a rank is one over all sites of a run, and other sites were changed
            assert facts(other.tables[name][site], "rank") == facts(by_site[site], "rank"), name
    order = [
        [s["subgraph_id"] for s in sorted(found.tables["subgraphs"][site], key=lambda s: int(s["rank"]))]
        for found in (usual, other)
    ]
    assert order[0] == order[1]


def test_other_host_names_change_no_score_and_no_structure(usual: Found, other: Found) -> None:
    def shape(found: Found) -> list[Any]:
        rows = found.tables["subgraphs"]["renamed"]
        numbers = (
            "score",
            "is_shown",
            "first_seen",
            "last_seen",
            "n_alerts",
            "n_episodes",
            "n_hosts",
            "tactics",
            "motifs",
        )
        return sorted([*(s[n] for n in numbers), *((c["term"], c["value"]) for c in s["contributions"])] for s in rows)

    assert shape(other) == shape(usual)
    (lateral,) = [h for h in other.tables["motif_hits"]["renamed"] if h["motif"] == "it_ot_pivot"]
    assert lateral["path"] == ["host:m1sw", "host:mpmuj", "host:mswe"]  # ws1, jump and ews, each backwards


def test_an_unrelated_alert_changes_nothing_but_adds_itself(usual: Found, other: Found) -> None:
    before, after = (found.tables["subgraphs"]["unrelated"] for found in (usual, other))
    known = {s["subgraph_id"] for s in before}
    # It came on the attack's day and might have taken its place: only ranks may move, what it takes to be shown, and how
    # often chance would bring what is told, since it is one more of all that the site's hosts have had.
    moves = ("rank", "counterfactual", "ties")
    assert facts([s for s in after if s["subgraph_id"] in known], *moves) == facts(before, *moves)
    (added,) = [s for s in after if s["subgraph_id"] not in known]
    cut = usual.attack("unrelated")["counterfactual"]["cut"]
    assert other.attack("unrelated")["counterfactual"]["cut"] == max(cut, added["score"])
    assert (added["n_alerts"], added["is_shown"]) == (1, False)
    assert other.items("unrelated") == usual.items("unrelated")


def test_what_comes_later_changes_neither_score_nor_members(usual: Found, other: Found) -> None:
    assert facts([other.attack("cut")], "rank") == facts([usual.attack("cut")], "rank")
    assert other.items("cut") == usual.items("cut")
    # Nor those of anything else that was over: two more subgraphs came after the cut, and they are all that is missing.
    ids = {s["subgraph_id"] for s in other.tables["subgraphs"]["cut"]}
    before = [s for s in usual.tables["subgraphs"]["cut"] if s["subgraph_id"] in ids]
    assert facts(other.tables["subgraphs"]["cut"], "rank") == facts(before, "rank")
    assert len(usual.tables["subgraphs"]["cut"]) - len(before) == 2


# --- what history teaches -------------------------------------------------------------------------------------------


def test_history_teaches_what_is_usual_and_is_not_counted(usual: Found, other: Found) -> None:
    def surprise(found: Found, name: str) -> float:
        return float(max(e["surprise"] for e in found.tables["episodes"]["without a past"] if e["name"] == name))

    # The first one, 10:50 on day 2, hour 58: the site saw an rdp logon in one hour of 58, and never from here to there.
    # 1/2 ln(60 / 2) + 1/2 ln(60 / 1) = 3.748. Without day 0 the site began at hour 24: ln 36 = 3.584, never seen.
    assert surprise(usual, "rdp logon") == pytest.approx(3.7478, abs=1e-4)
    assert surprise(other, "rdp logon") == pytest.approx(3.5835, abs=1e-4)
    # The controller at hour 59 was never stopped before: ln 61 = 4.111 and ln 37 = 3.611; a longer past says more.
    assert surprise(usual, "controller stopped") == pytest.approx(4.1109, abs=1e-4)
    assert surprise(other, "controller stopped") == pytest.approx(3.6109, abs=1e-4)


def test_history_teaches_which_hosts_speak(usual: Found, other: Found) -> None:
    def quiet(found: Found) -> float:
        (update,) = [
            f
            for f in found.tables["features"]["without a past"]
            if [past["name"] for past in f["rarest"]] == ["update failed"]
            and f"{f['first_seen']:%d %H:%M}" == "03 08:05"
        ]
        return float(update["quiet_nats"])

    # ws30 at hour 32 was heard of in one hour of day 0: rate -ln(1 - 2/35) = 0.0588 an hour, 2.833 nats.
    # Without day 0 it is hour 8 of a site that has not heard of it: -ln(1 - 1/11) = 0.0953, 2.351 nats.
    assert quiet(other) == pytest.approx(2.3507, abs=1e-4)
    assert quiet(usual) == pytest.approx(2.8330, abs=1e-4)


def test_an_attack_that_two_products_name_differently_is_one_subgraph(spark: SparkSession) -> None:
    """The sensor names hosts, the firewall addresses. One row with both joins them; without it they stay apart."""
    both = Format(
        name="both",
        path="both.yaml",
        reads=("Name", "From", "FromIp", "To", "ToIp"),
        columns={"name": "Name", "severity": "'0.6'"},
        source={"host": "From", "ip": "FromIp"},
        target={"host": "To", "ip": "ToIp"},
    )
    story: list[dict[str, str]] = [
        {"TimeGenerated": "2026-03-02T10:00:00Z", "Name": "office starts a shell", "To": "ws-17", "ToIp": "10.1.0.17"},
        {"TimeGenerated": "2026-03-02T10:11:00Z", "Name": "smb sweep", "FromIp": "10.1.0.17", "To": "fs01"},
    ]
    rows = [{**row, "site": "told", "_ItemId": f"told-{n}"} for n, row in enumerate(story)]
    rows += [{**row, "site": "untold", "ToIp": "", "_ItemId": f"untold-{n}"} for n, row in enumerate(story)]

    ranking = rank_subgraphs(raw_tables(spark, rows, both.reads), {"Alerts_CL": both}, DAY, at(24 * 60))
    found: dict[str, set[str]] = {}
    for member in rows_of(ranking, "members"):
        found.setdefault(member["subgraph_id"], set()).add(member["item_id"])
    edges = [row for row in rows_of(ranking, "edges") if row["site"] == "told" and row["names"][0] == "smb sweep"]
    ranking.release()

    assert sorted(map(sorted, found.values())) == [["told-0", "told-1"], ["untold-0"], ["untold-1"]]
    assert [(edge["source"], edge["target"]) for edge in edges] == [("host:ws-17", "host:fs01")]


def test_an_exception_hides_what_it_explains_whole_and_counts_it(usual: Found) -> None:
    found = usual.ranking.tables["subgraphs"]
    assert isinstance(found, pa.Table)
    hidden = [row for row in found.to_pylist() if row["suppressed_by"]]
    assert {row["title"] for row in hidden} == {"Unusual alerts on ws53: usb stick"}
    assert len(hidden) == usual.ranking.counts["suppressed"] == len(SITES)
    told = {row["id"]: row for row in rows_of(usual.ranking, "exceptions")}
    assert (told["usb"]["n_episodes"], told["usb"]["n_hidden"], told["usb"]["state"]) == (len(SITES),) * 2 + (
        "in force",
    )
    assert not usual.attack("cut")["suppressed_by"]
    assert usual.attack("cut")["is_shown"]


# --- who ranks ------------------------------------------------------------------------------------------------------


def test_what_led_to_what_is_told_inside_each_subgraph_and_is_the_same_on_the_workers(
    spark: SparkSession, usual: Found, monkeypatch: pytest.MonkeyPatch
) -> None:
    causes, evidence = rows_of(usual.ranking, "causes"), rows_of(usual.ranking, "evidence")
    start = {(row["subgraph_id"], row["episode_id"]): row["started_at"] for row in evidence}
    ends = [[(row["subgraph_id"], row[end]) for end in ("cause_id", "episode_id")] for row in causes]

    assert causes
    assert all(start[earlier] <= start[later] for earlier, later in ends), "both ends are episodes of the subgraph"

    monkeypatch.setattr(line, "WORKER_SPANS", 1)
    on_workers = run(spark, [row for site in SITES for row in plant(site)])
    assert sorted(map(str, rows_of(on_workers.ranking, "causes"))) == sorted(map(str, causes))


def test_the_workers_give_the_rows_of_this_process(
    spark: SparkSession, usual: Found, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line, "WORKER_SPANS", 1)
    monkeypatch.setattr(lines, "BROADCAST_SPANS", 1)
    stages: list[tuple[str, int]] = []
    found = run(spark, [row for site in SITES for row in plant(site)], on_stage=lambda *done: stages.append(done[:2]))

    assert found.tables == usual.tables
    assert found.ranking.counts == usual.ranking.counts
    assert found.ranking.balance == usual.ranking.balance
    assert found.ranking.tables["exceptions"] == usual.ranking.tables["exceptions"]
    counts = found.ranking.counts
    # Each stage is told once, with the rows of all sites.
    assert [stage for stage, _ in stages] == list(usual.ranking.seconds)
    assert {"link": counts["links"], "score": counts["subgraphs"]}.items() <= dict(stages).items()


def test_a_run_takes_few_spark_jobs(spark: SparkSession) -> None:
    """Counted, not timed: what is small never comes back to Spark, and each line is parsed once."""
    tracker = spark.sparkContext.statusTracker()
    spark.sparkContext.setJobGroup("counted", "one run")
    ranking = run(spark, plant("cut")).ranking
    spark.sparkContext.setLocalProperty("spark.jobGroup.id", None)

    jobs = tracker.getJobIdsForGroup("counted")
    assert 3 <= len(jobs) <= 12
    assert ranking.seconds.keys() == {
        *("normalise", "fold", "link", "connect", "match", "describe", "score", "explain"),
    }


def n_nodes(frame: DataFrame) -> int:
    """Nodes of the plan that Spark looks at anew for each step on a frame."""

    def count(node: Any) -> int:
        children = node.children()
        return 1 + sum(count(children.apply(n)) for n in range(children.size()))

    plan: Any = frame
    return count(plan._jdf.queryExecution().analyzed())


def test_what_made_the_lines_is_planned_once(spark: SparkSession) -> None:
    """Counted, not timed: behind the lines that are held stands none of the plan by which they were read."""
    formats = {f"Edr{n}_CL": FORMAT for n in range(3)}
    rows = [{**row, "table": table} for table in formats for row in plant(table)]
    raw = raw_tables(spark, rows, FORMAT.reads)
    lines = read_lines(raw, formats, at(MIDNIGHT), at(3 * MIDNIGHT), gap_seconds=300)

    assert n_nodes(lines.parsed) > 20
    found = [n_nodes(frame) for frame in (lines.folded, lines.binned, lines.rejected)]
    assert [n < most for n, most in zip(found, (2, 15, 20), strict=True)] == [True] * 3, found
    assert lines.binned.select("row").count() == len(rows)
    assert all(frame.storageLevel.useDisk for frame in lines.held)
    for frame in lines.held:
        frame.unpersist()
    assert not any(frame.storageLevel.useDisk for frame in lines.held)


def test_where_nothing_is_shown_no_line_is_asked_for(spark: SparkSession) -> None:
    rows = raw_tables(spark, plant("cut"), FORMAT.reads)
    lines = read_lines(rows, {"Edr_CL": FORMAT}, at(MIDNIGHT), at(3 * MIDNIGHT), gap_seconds=300)
    spans = collect_arrow(lines.spans).select(["span"])
    spans = spans.append_column("episode", pa.array(range(spans.num_rows), pa.int64()))
    some = lines.first_alerts(spans, 1)
    spark.sparkContext.setJobGroup("none", "nothing is shown")
    none = lines.first_alerts(spans.slice(0, 0), 1)
    spark.sparkContext.setLocalProperty("spark.jobGroup.id", None)

    assert some.num_rows == spans.num_rows
    assert (none.num_rows, none.schema) == (0, some.schema)
    assert not spark.sparkContext.statusTracker().getJobIdsForGroup("none")
    for frame in lines.held:
        frame.unpersist()


def test_a_window_without_a_line_has_every_table(spark: SparkSession) -> None:
    ranking = run(spark, []).ranking
    assert ranking.counts["rows_read"] == ranking.counts["subgraphs"] == 0
    assert set(ranking.tables) == {table.name for table in RESULTS} | {"episodes"}
    for table in RESULTS:
        found = ranking.tables[table.name]
        if isinstance(found, pa.Table):
            assert conform_arrow(found, table).num_rows == (len(KNOWN) if table.name == "exceptions" else 0)


# --- what was known when --------------------------------------------------------------------------------------------


def test_what_happened_long_ago_is_told_when_it_becomes_known(spark: SparkSession) -> None:
    """Two alerts of day 0: one was received then, and one in the window, as a connector brings it that starts late."""
    late = Format(
        name="late",
        path="late.yaml",
        reads=("Name", "Host", "When"),
        columns={"name": "Name", "observed_at": "cast(When as timestamp)"},
        target={"host": "Host"},
    )
    happened = {"When": "2026-03-02T10:00:00Z", "Name": "implant", "Host": "ws1"}
    rows = [
        {**happened, "site": "at once", "TimeGenerated": "2026-03-02T10:02:00Z", "_ItemId": "known"},
        {**happened, "site": "late", "TimeGenerated": "2026-03-03T22:00:00Z", "_ItemId": "new"},
    ]
    window = at(MIDNIGHT), at(3 * MIDNIGHT)
    ranking = rank_subgraphs(raw_tables(spark, rows, late.reads), {"Alerts_CL": late}, *window)
    members, subgraphs = rows_of(ranking, "members"), rows_of(ranking, "subgraphs")
    ranking.release()

    assert [member["item_id"] for member in members] == ["new"]
    assert [(row["site"], row["first_seen"]) for row in subgraphs] == [("late", at(600))], "at its own time"


def test_an_alert_that_the_platform_tells_again_days_later_is_one_alert_at_its_first_time(spark: SparkSession) -> None:
    """Its first row is history; while an analyst works on it, it comes again in the window, with another name and time."""
    platform = Format(
        name="platform",
        path="platform.yaml",
        reads=("Id", "Name", "Host", "When"),
        columns={"alert_id": "Id", "name": "Name", "observed_at": "cast(When as timestamp)"},
        target={"host": "Host"},
        kept_by="platform",
    )
    rows = [
        {"Id": "a-1", "Name": "implant", "When": "2026-03-02T10:00:00Z", "TimeGenerated": "2026-03-02T10:02:00Z"},
        {"Id": "a-1", "Name": "implant, seen", "When": "2026-03-03T09:00:00Z", "TimeGenerated": "2026-03-04T09:00:00Z"},
        {"Id": "a-2", "Name": "implant", "When": "2026-03-04T10:00:00Z", "TimeGenerated": "2026-03-04T10:02:00Z"},
    ]
    rows = [{**row, "Host": "ws1", "_ItemId": f"item-{n}"} for n, row in enumerate(rows)]
    window = at(MIDNIGHT), at(3 * MIDNIGHT)
    ranking = rank_subgraphs(raw_tables(spark, rows, platform.reads), {"Alerts_CL": platform}, *window)
    members = rows_of(ranking, "members")
    alerts = [row.asDict() for row in ranking.alerts().collect()]
    seen = {row["first_seen"] for row in rows_of(ranking, "subgraphs")}
    ranking.release()

    assert sorted(member["item_id"] for member in members) == ["item-1", "item-2"]
    assert at(600) in seen
    times = {row["name"]: row["observed_at"].isoformat() for row in alerts}
    assert times == {"implant, seen": "2026-03-02T10:00:00", "implant": "2026-03-04T10:00:00"}
    counts = ranking.counts
    assert (counts["rows_read"], counts["alerts"], counts["history"]) == (3, 2, 0)
