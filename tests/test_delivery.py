"""Runs one after the other into one workspace: what is posted of each, what the queries then answer, and kills in between."""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import secrets
import signal
import sqlite3
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from kusto import Workspace, rule_yaml
from told import END, START, Subgraph, post_and_be_killed, post_saved, record_of, tables_of

from alertgraph_spark.publish import results
from alertgraph_spark.publish.log_analytics import POSTED, PostCounts, post_results
from alertgraph_spark.publish.log_analytics.streams import STREAMS
from alertgraph_spark.publish.results import LocalFolder
from alertgraph_spark.publish.run_record import run_table

sys.path.insert(0, str(Path(__file__).parent.parent / "examples"))  # the examples are no part of the wheel

from emulator.faults import FAULTS, KILLS, FaultPlan
from emulator.server import DCR_ID, LogsIngestionEmulator

TOKEN_VARIABLE = "ALERTGRAPH_TEST_DELIVERY_TOKEN"
TOKEN = os.environ.setdefault(TOKEN_VARIABLE, secrets.token_hex(16))
TABLES = ("members", "nodes", "edges", "subgraphs", "verdicts", "health", "runs")


def settings(url: str, **instead: Any) -> dict[str, Any]:
    """What stands below `post`."""
    return {
        "mode": "logs_ingestion",
        "endpoint": url,
        "dcr_id": DCR_ID,
        "credential": f"env:{TOKEN_VARIABLE}",
    } | instead


@dataclass
class Runs:
    """One workspace and the runs that are posted to it."""

    home: Path
    emulator: LogsIngestionEmulator
    more: dict[str, Any] = field(default_factory=dict)

    def save(self, run_id: str, subgraphs: Mapping[str, Subgraph], **record: Any) -> None:
        folder = LocalFolder(str(self.home / run_id))
        results.save_tables(tables_of(subgraphs), folder)
        results.save_run(folder, record_of(run_id, len(subgraphs), **record))

    def post(self, run_id: str) -> dict[str, PostCounts]:
        return post_saved(self.home, settings(self.emulator.url, **self.more), run_id)

    def run(self, run_id: str, subgraphs: Mapping[str, Subgraph], **record: Any) -> dict[str, int]:
        """Save and post a run; return the rows that were sent of each table."""
        self.save(run_id, subgraphs, **record)
        posted = self.post(run_id)
        assert {name: counts.error for name, counts in posted.items() if not counts.is_complete} == {}
        return {name: counts.n_sent for name, counts in posted.items() if counts.n_sent}

    def record(self, run_id: str) -> dict[str, Any]:
        return results.read_run(LocalFolder(str(self.home / run_id)))

    def stored(self, table: str) -> list[dict[str, Any]]:
        with closing(sqlite3.connect(self.home / "posted.sqlite")) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(f"SELECT * FROM {table}")]

    @property
    def workspace(self) -> Workspace:
        workspace = Workspace()
        for stream in STREAMS:
            rows = self.stored(stream.table_name)
            for time in {row["TimeGenerated"] for row in rows}:
                arrived = [row for row in rows if row["TimeGenerated"] == time]
                workspace.add(stream.table_name, arrived, arrived=time.replace("Z", "").replace("T", " "))
        return workspace

    @property
    def current(self) -> dict[str, str]:
        """What the workbook has of each subgraph: the run that posted it last."""
        rows = self.workspace.ask("AlertGraphCurrent")
        assert len({(row["Site"], row["SubgraphId"]) for row in rows}) == len(rows), "each once"
        return {row["SubgraphId"]: row["RunId"] for row in rows}


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[Runs]:
    with LogsIngestionEmulator(tmp_path / "posted.sqlite", TOKEN) as emulator:
        yield Runs(tmp_path, emulator)


TWO = {"sg-1": Subgraph("ab"), "sg-2": Subgraph("c")}
OF_TWO = {"members": 3, "nodes": 4, "edges": 2, "subgraphs": 2, "verdicts": 0, "health": 0, "runs": 1}
SENT_OF_TWO = {name: n for name, n in OF_TWO.items() if n}

# --- what is posted, and what is seen --------------------------------------------------------------------------------


def test_a_second_run_that_found_the_same_posts_its_own_row_alone(runs: Runs) -> None:
    assert runs.run("run-1", TWO) == SENT_OF_TWO
    assert runs.run("run-2", TWO) == {"runs": 1}

    posted = runs.record("run-2")["posted"]
    assert {name: counts["n_unchanged"] for name, counts in posted.items()} == OF_TWO | {"runs": 0}
    assert runs.current == {"sg-1": "run-1", "sg-2": "run-1"}
    assert [row["RunId"] for row in runs.stored("AlertGraphRuns_CL")] == ["run-1", "run-2"]
    assert {row["Run"]: (row["State"], row["Changed"]) for row in runs.workspace.part("runs")} == {
        "run-1": ("complete", 2),
        "run-2": ("complete", 0),
    }


def test_of_a_run_in_which_one_grew_its_rows_are_posted_and_no_other(runs: Runs) -> None:
    runs.run("run-1", TWO)
    grown = {"sg-2": Subgraph("cd", hosts=("ws1", "fs1", "plc3")), "sg-1": TWO["sg-1"]}  # and it is first now

    assert runs.run("run-2", grown) == {"members": 2, "nodes": 3, "edges": 2, "subgraphs": 1, "runs": 1}

    assert runs.current == {"sg-1": "run-1", "sg-2": "run-2"}
    for table in ("Members", "Nodes", "Edges", "Subgraphs"):
        rows = runs.stored(f"AlertGraph{table}_CL")
        assert {row["SubgraphId"] for row in rows if row["RunId"] == "run-2"} == {"sg-2"}
    drawn = {row["Name"] for row in runs.workspace.part("network") if row["Id"]}
    assert drawn == {"ws1", "fs1", "plc3"}


def test_what_a_subgraph_has_lost_is_not_seen_any_more(runs: Runs) -> None:
    runs.run("run-1", {"sg-1": Subgraph("ab", hosts=("ws1", "fs1", "plc3")), "sg-2": Subgraph("c")})
    runs.run("run-2", {"sg-1": Subgraph("a", hosts=("ws1", "fs1")), "sg-2": Subgraph("c")})

    chosen = {"SubgraphId": "sg-1", "RunId": runs.current["sg-1"]}
    workspace = runs.workspace
    assert {row["Name"] for row in workspace.part("subgraph_graph", **chosen) if row["Id"]} == {"ws1", "fs1"}
    assert [row["To"] for row in workspace.part("timeline", **chosen)] == ["host:fs1"]
    assert [row["AlertId"] for row in workspace.part("alerts", **chosen)] == ["a"]
    assert {row["Name"] for row in workspace.part("network") if row["Id"]} == {"ws1", "fs1"}


def test_of_two_that_merge_the_older_id_is_seen_and_when_they_part_both_are_again(runs: Runs) -> None:
    runs.run("run-1", TWO)

    merged = {"sg-1": Subgraph("abc")}
    assert runs.run("run-2", merged) == {"members": 3, "nodes": 2, "edges": 1, "subgraphs": 1, "runs": 1}
    assert runs.current == {"sg-1": "run-2"}
    (row,) = [row for row in runs.stored("AlertGraphRuns_CL") if row["RunId"] == "run-2"]
    assert json.loads(row["Withdrawn"]) == [{"site": "plant", "subgraph_id": "sg-2"}]

    assert runs.run("run-3", TWO) == SENT_OF_TWO, "sg-2 is as it was in run 1, and not as the workspace has it"
    assert runs.current == {"sg-1": "run-3", "sg-2": "run-3"}


def test_what_no_run_finds_any_more_is_withdrawn_and_what_is_too_old_to_be_told_stays(runs: Runs) -> None:
    old = Subgraph("d", received=START - timedelta(hours=49))
    elsewhere = Subgraph("e", site="mill")
    runs.run("run-1", {**TWO, "sg-old": old, "sg-mill": elsewhere}, window=(START - timedelta(days=2), END))

    assert runs.run("run-2", {"sg-1": TWO["sg-1"]}) == {"runs": 1}
    assert runs.current == {"sg-1": "run-1", "sg-old": "run-1", "sg-mill": "run-1"}

    assert runs.run("run-3", TWO) == {"members": 1, "nodes": 2, "edges": 1, "subgraphs": 1, "runs": 1}
    assert runs.current["sg-2"] == "run-3", "found again, as it was"


def test_one_that_is_not_shown_any_more_is_posted_and_one_that_only_fell_in_rank_is_not(runs: Runs) -> None:
    runs.run("run-1", TWO)
    hidden = Subgraph("ab", row={"is_shown": False})

    assert runs.run("run-2", {"sg-3": Subgraph("z"), "sg-1": hidden, "sg-2": TWO["sg-2"]})["subgraphs"] == 2

    assert {row["SubgraphId"] for row in runs.workspace.part("subgraphs")} == {"sg-2", "sg-3"}
    assert [row["Rank"] for row in runs.workspace.part("subgraphs", Scope="all")] == [1, 2, 3]


def test_rows_of_an_earlier_version_are_read_as_they_were(runs: Runs) -> None:
    """They say neither how many were posted nor what was withdrawn; what they hold is replaced as it is posted anew."""
    runs.run("run-0", TWO)
    (ledger,) = (runs.home / "run-0" / "posted").iterdir()
    with closing(sqlite3.connect(runs.home / "posted.sqlite")) as connection, connection:
        connection.execute("UPDATE AlertGraphRuns_CL SET NPosted = NULL, Withdrawn = NULL")
    for file in (runs.home / "posted" / ledger.name).iterdir():
        file.unlink()
    assert runs.current == {"sg-1": "run-0", "sg-2": "run-0"}
    (row,) = runs.workspace.part("runs")
    assert (row["State"], row["Changed"], row["Arrived"]) == ("complete", 2, 2)

    assert runs.run("run-1", {"sg-1": TWO["sg-1"]})["subgraphs"] == 1, "nothing is known of what it posted"
    assert runs.current == {"sg-1": "run-1", "sg-2": "run-0"}


def test_a_run_that_an_earlier_version_began_to_post_goes_on_with_all_rows(runs: Runs) -> None:
    runs.run("run-0", TWO)
    runs.save("run-1", TWO)
    folder = LocalFolder(str(runs.home / "run-1"))
    runs.emulator.faults = FaultPlan([None, FORBIDDEN])
    begun = post_results(  # as it did: with all rows, and no word of what has changed
        results.read_tables(folder, POSTED) | {"runs": run_table(runs.record("run-1"))},
        **{"run_id": "run-1", "time_generated": datetime.now(timezone.utc), "files": folder},
        **settings(runs.emulator.url),
    )
    assert (begun["members"].n_sent, begun["nodes"].n_sent) == (3, 0)

    posted = runs.post("run-1")

    assert {name: counts.n_sent + counts.n_before for name, counts in posted.items()} == OF_TWO
    assert runs.current == {"sg-1": "run-1", "sg-2": "run-1"}
    assert runs.run("run-2", TWO) == {"runs": 1}


FORBIDDEN = next(fault for fault in FAULTS if fault.name == "403")

# --- incidents -------------------------------------------------------------------------------------------------------


PERIOD = timedelta(days=int(rule_yaml()["queryPeriod"].removesuffix("d")))


def incidents(runs: Runs, since: timedelta = PERIOD) -> set[str]:
    """What the rule tells in the hour of the last post, over what its period holds."""
    now = max(datetime.fromisoformat(row["TimeGenerated"][:-1]) for row in runs.stored("AlertGraphRuns_CL"))
    seen, now = Workspace(), now + timedelta(minutes=30)
    for stream in STREAMS:
        for row in runs.stored(stream.table_name):
            time = datetime.fromisoformat(row["TimeGenerated"][:-1])
            if time > now - since:
                seen.add(stream.table_name, [row], arrived=str(time))
    told = [row["SubgraphId"] for row in seen.ask(str(rule_yaml()["query"]), now=f"{now:%Y-%m-%d %H:%M:%S}")]
    assert len(told) == len(set(told))
    return set(told)


def aged(runs: Runs, days: float) -> None:
    """Let what was posted have been posted so many days earlier."""
    with closing(sqlite3.connect(runs.home / "posted.sqlite")) as connection, connection:
        for stream in STREAMS:
            rows = connection.execute(f"SELECT DISTINCT TimeGenerated FROM {stream.table_name}").fetchall()
            for (time,) in rows:
                earlier = datetime.fromisoformat(time[:-1]) - timedelta(days=days)
                connection.execute(
                    f"UPDATE {stream.table_name} SET TimeGenerated = ? WHERE TimeGenerated = ?",
                    (f"{earlier:%Y-%m-%dT%H:%M:%S.%fZ}", time),
                )


def test_an_incident_is_raised_once_and_again_when_alerts_have_joined(runs: Runs) -> None:
    runs.run("run-1", TWO)
    assert incidents(runs) == {"sg-1", "sg-2"}
    aged(runs, 1 / 12)
    runs.run("run-2", TWO)
    assert incidents(runs) == set()
    aged(runs, 1 / 12)
    words = Subgraph("ab", row={"summary": "told in other words"})
    runs.run("run-3", {"sg-1": words, "sg-2": Subgraph("cd")})

    assert incidents(runs) == {"sg-2"}, "of sg-1 only the words have changed"


def test_one_that_was_still_for_days_is_no_new_incident_when_only_its_words_change(runs: Runs) -> None:
    """A run posts it no more meanwhile, so the rule has to look back to when it was posted."""
    runs.run("run-1", TWO)
    aged(runs, 9)
    runs.run("run-2", {"sg-1": Subgraph("ab", row={"summary": "told in other words"}), "sg-2": Subgraph("cd")})

    assert incidents(runs) == {"sg-2"}
    assert incidents(runs, since=timedelta(days=3)) == {"sg-1", "sg-2"}, "what a shorter period would tell twice"


# --- freshness -------------------------------------------------------------------------------------------------------


def test_the_run_says_how_long_a_new_row_waited_for_its_post(runs: Runs) -> None:
    now = datetime.now(timezone.utc)
    at = {name: Subgraph(name, received=now - timedelta(minutes=m)) for name, m in {"a": 2, "b": 4, "c": 60}.items()}
    window = (now - timedelta(hours=3), now)
    runs.run("run-1", at, window=window)

    fresh = runs.record("run-1")["freshness"]
    assert fresh["subgraphs"] == 3
    assert fresh["median_seconds"] == pytest.approx(240, abs=20)
    assert fresh["max_seconds"] == pytest.approx(3600, abs=20)
    (row,) = runs.stored("AlertGraphRuns_CL")
    told = row["FreshnessMedianSeconds"], row["FreshnessMaxSeconds"]
    assert told == (fresh["median_seconds"], fresh["max_seconds"])
    (part,) = runs.workspace.part("runs")
    assert part["FreshnessMedianSeconds"] == fresh["median_seconds"]

    runs.run(
        "run-2", at | {"a": Subgraph("a", received=now - timedelta(minutes=2), row={"summary": "x"})}, window=window
    )
    nothing = {"subgraphs": 0, "median_seconds": None, "max_seconds": None}
    assert runs.record("run-2")["freshness"] == nothing, "it was posted for its words, not for a row"


# --- files -----------------------------------------------------------------------------------------------------------


def test_files_get_what_has_changed_and_a_repetition_writes_the_same(runs: Runs) -> None:
    out = runs.home / "out"
    runs.more = {"mode": "file", "folder": f"{out}/", "endpoint": None, "dcr_id": None}

    def lines(run_id: str) -> dict[str, list[bytes]]:
        return {
            s.table.name: (out / run_id / s.table_name / "part-00000.txt").read_bytes().splitlines() for s in STREAMS
        }

    def n_lines(run_id: str) -> dict[str, int]:
        return {name: len(rows) for name, rows in lines(run_id).items()}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(results, "open_folder", lambda place, spark=None: LocalFolder(place))
        assert runs.run("run-1", TWO) == SENT_OF_TWO
        assert runs.run("run-2", {"sg-1": TWO["sg-1"], "sg-2": Subgraph("cd")})["members"] == 2
        assert n_lines("run-1") == OF_TWO
        assert n_lines("run-2") == {**OF_TWO, "members": 2, "nodes": 2, "edges": 1, "subgraphs": 1}
        before = {run_id: lines(run_id) for run_id in ("run-1", "run-2")}
        for run_id in before:
            runs.post(run_id)
        assert {run_id: lines(run_id) for run_id in before} == before

        runs.more["folder"] = f"{runs.home}/another"
        assert {name: c.n_sent for name, c in runs.post("run-2").items()} == {**OF_TWO, "members": 4}


# --- what goes wrong -------------------------------------------------------------------------------------------------


def test_a_post_that_was_refused_is_ended_by_the_next_run_before_its_own(runs: Runs) -> None:
    runs.run("run-1", TWO)
    grown = {"sg-1": Subgraph("abx"), "sg-2": TWO["sg-2"]}
    runs.save("run-2", grown)
    runs.emulator.faults = FaultPlan([None, FORBIDDEN])
    assert "403" in runs.post("run-2")["nodes"].error
    runs.save("run-3", grown)
    runs.emulator.faults = FaultPlan([FORBIDDEN])
    held_up = runs.post("run-3")
    assert "run run-2, which was posted in part, cannot be ended: Logs Ingestion API: 403" in held_up["members"].error
    assert {name: counts.n_rows for name, counts in held_up.items()} == {**OF_TWO, "members": 4}
    assert [row["RunId"] for row in runs.stored("AlertGraphRuns_CL")] == ["run-1"]

    assert runs.run("run-4", grown) == {"runs": 1}, "run 2 has been ended, and nothing has changed since"

    assert [row["RunId"] for row in runs.stored("AlertGraphRuns_CL")] == ["run-1", "run-2", "run-4"]
    assert {name: c["n_sent"] for name, c in runs.record("run-2")["posted"].items()}["subgraphs"] == 1
    assert runs.current == {"sg-1": "run-2", "sg-2": "run-1"}


def test_rows_that_the_service_will_not_have_and_results_that_are_gone_hold_up_nothing(
    runs: Runs, caplog: pytest.LogCaptureFixture
) -> None:
    bad_request = type(FORBIDDEN)("400", status=400, code="InvalidPayload")
    runs.save("run-1", TWO)
    runs.emulator.faults = FaultPlan([None, bad_request, bad_request])
    assert "400" in runs.post("run-1")["nodes"].error
    assert runs.run("run-2", TWO) == SENT_OF_TWO
    assert runs.current == {"sg-1": "run-2", "sg-2": "run-2"}

    runs.save("run-3", {"sg-1": Subgraph("abx"), "sg-2": TWO["sg-2"]})
    runs.emulator.faults = FaultPlan([None, FORBIDDEN])
    runs.post("run-3")
    (runs.home / "run-3" / "run.json").unlink()
    caplog.set_level(logging.WARNING)
    assert runs.run("run-4", {"sg-1": Subgraph("abx"), "sg-2": TWO["sg-2"]})["subgraphs"] == 1
    assert "run run-3 is left as it is: " in caplog.text
    assert "no run.json" in caplog.text
    assert runs.run("run-5", {"sg-1": Subgraph("abx"), "sg-2": TWO["sg-2"]}) == {"runs": 1}


def test_of_a_subgraph_with_a_row_that_is_refused_the_next_run_tries_all_again(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row is too large by itself, the others go; of the other subgraph nothing is posted twice."""
    from alertgraph_spark.publish.log_analytics import sender  # noqa: PLC0415 - to be changed

    large = {"sg-1": Subgraph("ab", row={"summary": "s" * 900}), "sg-2": TWO["sg-2"]}
    with monkeypatch.context() as patch:
        patch.setattr(sender.Sender, "max_body_bytes", 1500)
        patch.setattr("alertgraph_spark.publish.log_analytics.posting.MAX_BODY_BYTES", 1500)
        runs.save("run-1", large)
        refusing = partial(post_saved, runs.home, settings(runs.emulator.url))
        before = sender.Sender._refusal
        patch.setattr(
            sender.Sender,
            "_refusal",
            lambda self, batch, body: "not sent" if b"sssss" in body else before(self, batch, body),
        )
        first = refusing("run-1")["subgraphs"]
        assert (first.n_sent, first.n_refused, first.error) == (1, 1, "")
    runs.save("run-2", large)
    second = runs.post("run-2")

    assert {name: counts.n_sent for name, counts in second.items()} == {
        **{"members": 2, "nodes": 2, "edges": 1, "subgraphs": 1, "verdicts": 0, "health": 0, "runs": 1}
    }
    assert runs.current == {"sg-1": "run-2", "sg-2": "run-1"}


def test_a_run_that_is_posted_again_later_brings_nothing_back(runs: Runs) -> None:
    runs.save("run-1", TWO)
    runs.run("run-2", {"sg-1": Subgraph("abx")})

    posted = runs.post("run-1")

    assert {name: counts.n_sent for name, counts in posted.items() if counts.n_sent} == {
        **{"members": 1, "nodes": 2, "edges": 1, "subgraphs": 1, "runs": 1}
    }
    assert runs.current == {"sg-1": "run-2", "sg-2": "run-1"}
    assert {name: counts.n_sent for name, counts in runs.post("run-1").items()} == dict.fromkeys(TABLES, 0)


def test_a_run_that_begins_while_another_posts_ends_that_one_too_and_the_next_knows_of_both(runs: Runs) -> None:
    """It cannot know that the other is alive; the rows that both send are the same, and none spoils what the other knows."""
    runs.run("run-1", TWO)
    grown = {"sg-1": Subgraph("abx"), "sg-2": TWO["sg-2"]}
    both = {"sg-1": grown["sg-1"], "sg-2": Subgraph("cy")}
    runs.save("run-2", grown)
    runs.save("run-3", both)
    answer = runs.emulator.service.answer
    others: list[dict[str, PostCounts]] = []

    def answered(*asked: Any) -> Any:
        if not others:
            others.append({})
            others.append(post_saved(runs.home, settings(runs.emulator.url), "run-3"))
        return answer(*asked)

    runs.emulator.service.answer = answered  # type: ignore[method-assign]
    assert runs.post("run-2")["subgraphs"].n_sent == others[1]["subgraphs"].n_sent == 1
    runs.emulator.service.answer = answer  # type: ignore[method-assign]

    assert runs.current == {"sg-1": "run-2", "sg-2": "run-3"}
    told = [(row["RunId"], row["SubgraphId"], row["RowId"]) for row in runs.stored("AlertGraphSubgraphs_CL")]
    assert len(told) == 5
    assert len(set(told)) == 4, "sg-1 of run 2 came twice, with one id"
    assert runs.run("run-4", both) == {"runs": 1}


# --- kills -----------------------------------------------------------------------------------------------------------

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["alertgraph_spark.publish.delivery"])  # what takes longest to import


def outcome(runs: Runs, last: str) -> None:
    """Nothing is lost and nothing doubled: each subgraph is seen once as it is, and its content stands under one run."""
    current = {row["SubgraphId"]: row for row in runs.workspace.ask("AlertGraphCurrent")}
    assert {name: row["NAlerts"] for name, row in current.items()} == {"sg-1": 3, "sg-3": 1, "sg-4": 1}
    for table, wanted in {"Members": (3, 1, 1), "Nodes": (2, 2, 2), "Edges": (1, 1, 1), "Subgraphs": (1, 1, 1)}.items():
        rows = {row["RowId"]: row for row in runs.stored(f"AlertGraph{table}_CL")}.values()
        posted = [(row["SubgraphId"], row["RunId"]) for row in rows]
        assert tuple(posted.count((name, row["RunId"])) for name, row in sorted(current.items())) == wanted
        sent = set(posted)
        assert len(sent) == len({name for name, _ in sent}) + 1, "sg-1 by run 1 and once more when it had grown"
    assert {row["RunId"] for row in runs.stored("AlertGraphRuns_CL")} >= {"run-1", last}
    assert not list((runs.home / "posted").glob("*/begun-*"))


BEFORE = {"sg-1": Subgraph("ab"), "sg-2": Subgraph("c"), "sg-3": Subgraph("d")}
AFTER = {"sg-1": Subgraph("abx"), "sg-3": Subgraph("d"), "sg-4": Subgraph("e")}


def killed(runs: Runs, kill: Callable[[Any], None], step: int = 0, moment: str = "") -> bool:
    """Post run 1, let a process post run 2 and die, and post run 3, which found the same; whether the process died."""
    runs.run("run-1", BEFORE)
    runs.save("run-2", AFTER)
    arguments = (runs.home, settings(runs.emulator.url), "run-2", step, moment)
    process = PROCESSES.Process(target=post_and_be_killed, args=arguments)
    process.start()
    kill(process)
    process.join(120)
    runs.run("run-3", AFTER)
    outcome(runs, "run-3")
    again = runs.run("run-4", AFTER)
    assert again == {"runs": 1}
    return process.exitcode == -signal.SIGKILL


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_post_that_is_killed_at_any_change_of_its_files_is_taken_up_by_the_next_run(
    tmp_path: Path, moment: str
) -> None:
    steps = 0
    for step in range(1, 40):
        home = tmp_path / str(step)
        home.mkdir()
        with LogsIngestionEmulator(home / "posted.sqlite", TOKEN) as emulator:
            if not killed(Runs(home, emulator), lambda process: None, step, moment):
                break
        steps = step

    # What is posted, that it has begun, its plan, a mark for each of five tables, what has been delivered, the removal of
    # what was known before, the end, and its record.
    assert steps == 1 + 1 + 1 + 5 + 1 + 1 + 1 + 1


@pytest.mark.parametrize("fault", KILLS, ids=lambda fault: fault.name)
@pytest.mark.parametrize("request_before", range(5))
def test_a_post_that_is_killed_at_a_request_is_taken_up_by_the_next_run(
    tmp_path: Path, fault: Any, request_before: int
) -> None:
    with LogsIngestionEmulator(tmp_path / "posted.sqlite", TOKEN) as emulator:
        runs = Runs(tmp_path, emulator)

        def kill(process: Any) -> None:
            emulator.faults = FaultPlan([*[None] * request_before, fault])
            emulator.faults.kill = partial(os.kill, process.pid or 0, signal.SIGKILL)

        assert killed(runs, kill)
        twice = sum(
            len(rows) - len({row["RowId"] for row in rows})
            for rows in (runs.stored(stream.table_name) for stream in STREAMS)
        )
        assert bool(twice) == fault.is_stored, "stored without an answer it comes again, with the id that it had"


def test_the_check_of_a_kill_sees_what_is_lost_and_what_is_doubled(runs: Runs) -> None:
    runs.run("run-1", BEFORE)
    runs.run("run-2", AFTER)
    outcome(runs, "run-2")

    def broken(statement: str) -> None:
        with closing(sqlite3.connect(runs.home / "posted.sqlite")) as connection:
            connection.execute(statement)
            connection.commit()

    broken("INSERT INTO AlertGraphNodes_CL SELECT * FROM AlertGraphNodes_CL WHERE RunId = 'run-2'")
    outcome(runs, "run-2")  # the same ids: folded
    broken(
        "INSERT INTO AlertGraphEdges_CL (TimeGenerated, RunId, RowId, SubgraphId) "
        "SELECT TimeGenerated, 'run-3', 'x', 'sg-1' FROM AlertGraphRuns_CL LIMIT 1"
    )
    with pytest.raises(AssertionError, match="once more when it had grown"):
        outcome(runs, "run-2")
    broken("DELETE FROM AlertGraphEdges_CL WHERE RunId = 'run-3'")
    broken("DELETE FROM AlertGraphMembers_CL WHERE RunId = 'run-2' AND AlertId = 'x'")
    with pytest.raises(AssertionError):
        outcome(runs, "run-2")
