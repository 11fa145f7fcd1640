"""What an analyst said of an incident comes back to the subgraph that it was about, and the latest word stands."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from arrows import table_of
from incident import DAY

from alertgraph_spark.tables.schemas import MEMBERS
from alertgraph_spark.tables.verdict_schemas import INCIDENTS, VERDICTS
from alertgraph_spark.verdicts import Judged, judged_incidents, match_verdicts, own_alerts, standing_verdicts

Row = dict[str, Any]


def at(hour: float) -> datetime:
    return DAY + timedelta(hours=hour)


def change(hour: float, status: str, classification: str = "", *alerts: str, **columns: Any) -> Row:
    """One change of incident 7 of the plant, made by Ana."""
    row: Row = dict.fromkeys(INCIDENTS.names)
    row |= {"site": "plant", "incident": "7", "status": status, "classification": classification or None}
    row |= {"modified_by": "ana@plant.example", "modified_at": at(hour), "alert_ids": json.dumps(alerts or ["own-1"])}
    if status == "Closed":
        row["closed_at"] = at(hour)
    return row | columns


def words(*changes: Row, earlier: pa.Table | None = None) -> list[tuple[float, str]]:
    """When what was said, in hours."""
    found, refused = judged_incidents(table_of(INCIDENTS, changes), earlier)
    assert not refused
    return [((one.judged_at - DAY) / timedelta(hours=1), one.verdict) for one in found]


# --- what was said ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "verdict"),
    [
        ("TruePositive", "true_positive"),
        ("BenignPositive", "benign_positive"),
        ("FalsePositive", "false_positive"),
        ("Undetermined", "undetermined"),
        ("", "undetermined"),
    ],
)
def test_a_closed_incident_says_one_of_four_things(word: str, verdict: str) -> None:
    assert words(change(1, "New"), change(2, "Active"), change(5, "Closed", word)) == [(5, verdict)]


def test_an_incident_that_was_never_closed_says_nothing() -> None:
    assert words(change(1, "New"), change(2, "Active", "TruePositive")) == []


def test_an_incident_that_was_merged_into_another_was_judged_by_nobody() -> None:
    moved = json.dumps([{"labelName": "Redirected", "labelType": "AutoAssigned"}])
    assert words(change(1, "New"), change(2, "Closed", "Undetermined", labels=moved)) == []
    assert words(change(2, "Closed", "Undetermined", labels='[{"labelName": "not Redirected"}]')) == [
        (2, "undetermined")
    ]


def test_a_comment_on_a_closed_incident_is_no_new_word_and_another_classification_is() -> None:
    closed = change(5, "Closed", "BenignPositive")
    commented = change(6, "Closed", "BenignPositive", comment="as every month", closed_at=at(5))
    changed = change(9, "Closed", "TruePositive", closed_at=at(5))

    assert words(closed, commented) == [(5, "benign_positive")]
    assert words(changed, commented, closed, closed) == [(5, "benign_positive"), (9, "true_positive")]


def test_what_is_opened_again_does_not_stand_until_it_is_closed_again() -> None:
    history = [
        change(5, "Closed", "FalsePositive"),
        change(6, "Active"),
        change(7, "Active"),
        change(8, "Closed", "FalsePositive"),
    ]
    assert words(*history) == [(5, "false_positive"), (6, "reopened"), (8, "false_positive")]


def test_what_an_earlier_run_knew_need_not_be_read_again() -> None:
    first = match(judged(change(5, "Closed", "FalsePositive")))
    assert words(change(6, "Active"), earlier=first) == [(6, "reopened")]
    assert words(change(6, "Active")) == []
    assert words(change(6, "Closed", "FalsePositive", closed_at=at(5)), earlier=first) == []
    second = match(judged(change(6, "Active"), earlier=first), earlier=first)
    assert [row["verdict"] for row in second.to_pylist()] == ["false_positive", "reopened"]
    assert standing_verdicts(second)["sg-1"]["verdict"] == "reopened"


def test_who_and_why_are_the_analysts_own_words_made_clean() -> None:
    named = change(
        5, "Closed", "BenignPositive", comment="patch\u202e day\n", classification_reason="SuspiciousButExpected"
    )
    by_rule = change(5, "Closed", "BenignPositive", modified_by="Microsoft Sentinel", owner='{"assignedTo": "Bo"}')
    nobody = change(5, "Closed", "BenignPositive", modified_by=None, owner="[]")

    (one,) = judged(named)
    assert (one.judged_by, one.reason) == ("ana@plant.example", "patch day · SuspiciousButExpected")
    assert [judged(row)[0].judged_by for row in (by_rule, nobody)] == ["Bo", None]


def test_rows_that_cannot_be_read_are_counted_with_the_reason() -> None:
    rows = [
        change(1, "Closed", "TruePositive", incident=None),
        change(1, "Closed", "Hm"),
        change(2, "Closed", "TruePositive", modified_at=None),
        change(3, "Closed", "TruePositive", incident="8", alert_ids="{}"),
    ]
    found, refused = judged_incidents(table_of(INCIDENTS, rows))
    assert [(one.source, one.alert_ids) for one in found] == [("incident 8", ())]
    assert refused == {
        "an incident without a number": 1,
        "a classification that Sentinel does not have": 1,
        "an incident without the time of its change": 1,
        "an incident whose AlertIds are no list": 1,
    }


# --- which subgraph is meant ---------------------------------------------------------------------------------------


def judged(*changes: Row, earlier: pa.Table | None = None) -> list[Judged]:
    return judged_incidents(table_of(INCIDENTS, changes), earlier)[0]


def members(of: Mapping[str, Sequence[str]], site: str = "plant") -> pa.Table:
    rows = [
        {"subgraph_id": subgraph, "alert_id": alert, "item_id": alert, "site": site, "episode_id": "e", "role": "link"}
        for subgraph, alerts in of.items()
        for alert in alerts
    ]
    return table_of(MEMBERS, [dict.fromkeys(MEMBERS.names) | row for row in rows])


OWN = {("plant", "own-1"): "sg-1", ("plant", "own-1b"): "sg-1", ("plant", "own-2"): "sg-2"}
HELD = members({"sg-1": ["a", "b", "c"], "sg-2": ["d"]})


def match(said: Sequence[Judged], *more: pa.Table, earlier: pa.Table | None = None) -> pa.Table:
    return match_verdicts(said, OWN, [HELD, *more], earlier)


def closed(*alerts: str, verdict: str = "TruePositive", **columns: Any) -> list[Judged]:
    return judged(change(5, "Closed", verdict, *alerts, **columns))


def certainty(found: pa.Table) -> dict[str, tuple[float, str]]:
    return {row["subgraph_id"]: (row["certainty"], row["matched_by"]) for row in found.to_pylist()}


def test_our_own_alert_names_the_subgraph_once_or_twice_told() -> None:
    assert certainty(match(closed("own-1"))) == {"sg-1": (1.0, "our alert")}
    assert certainty(match(closed("own-1", "own-1b"))) == {"sg-1": (1.0, "our alert")}
    assert certainty(match(closed("own-1", "a", "b"))) == {"sg-1": (1.0, "our alert")}, "its own alerts are no others"


def test_a_merged_incident_is_about_each_of_its_parts() -> None:
    assert certainty(match(closed("own-1", "own-2"))) == {"sg-1": (1 / 2, "our alert"), "sg-2": (1 / 2, "our alert")}
    with_a_stranger = {"sg-1": (1 / 3, "our alert"), "sg-2": (1 / 3, "our alert")}
    assert certainty(match(closed("own-1", "own-2", "x"))) == with_a_stranger


def test_alerts_in_common_tell_it_too_and_how_far() -> None:
    # a and b of three, beside a stranger: 2 of a, b, c, x. Of the other subgraph d of a, b, d, x.
    assert certainty(match(closed("a", "b", "x"))) == {"sg-1": (2 / 4, "its alerts")}
    assert certainty(match(closed("a", "d")))["sg-2"] == (1 / 2, "its alerts")


def test_an_alert_of_another_site_is_another_alert() -> None:
    (row,) = match(closed("a", "own-1", site="office")).to_pylist()
    assert (row["subgraph_id"], row["unmatched"]) == (None, "none of its alerts is in a subgraph")


def test_an_incident_was_judged_as_it_was_then_whatever_is_merged_into_it_later() -> None:
    alone = change(5, "Closed", "BenignPositive", "own-1")
    merged = [change(6, "Active", "", "own-1", "own-2"), change(7, "Closed", "TruePositive", "own-1", "own-2")]
    rows = match(judged(alone, *merged)).to_pylist()
    assert [(row["subgraph_id"], row["verdict"], row["certainty"]) for row in rows if row["verdict"] != "reopened"] == [
        ("sg-1", "benign_positive", 1.0),
        ("sg-1", "true_positive", 0.5),
        ("sg-2", "true_positive", 0.5),
    ]


def test_an_incident_that_is_about_nothing_of_ours_says_why() -> None:
    rows = match([*closed("x"), *closed(incident="8", alert_ids="[]")]).to_pylist()
    assert [
        (row["source"], row["subgraph_id"], row["certainty"], row["unmatched"], row["is_latest"]) for row in rows
    ] == [
        ("incident 7", None, 0.0, "none of its alerts is in a subgraph", False),
        ("incident 8", None, 0.0, "the incident has no alert", False),
    ]


def test_a_subgraph_of_an_earlier_run_is_known_and_earlier_runs_are_asked_once() -> None:
    asked = []

    def runs() -> Any:
        for number, table in enumerate((HELD, members({"sg-9": ["x"]}), members({"sg-8": ["x"]}))):
            asked.append(number)
            yield table

    found = match_verdicts(closed("x"), OWN, runs())
    assert certainty(found) == {"sg-9": (1.0, "its alerts")}
    assert asked == [0, 1]
    asked.clear()
    unknown = match_verdicts(closed("y"), OWN, runs())
    assert asked == [0, 1, 2]
    asked.clear()
    assert match_verdicts(closed("y"), OWN, runs(), unknown) == unknown
    assert asked == [0], "what no run knew is not asked for again"
    assert match_verdicts([], OWN, [HELD], found).to_pylist() == found.to_pylist(), "what is known stays"


def test_our_alert_that_comes_later_puts_a_guess_right() -> None:
    guess = match(closed("d"))
    assert list(certainty(guess)) == ["sg-2"]
    assert certainty(match(closed("d", "own-1"), earlier=guess)) == {"sg-1": (1 / 2, "our alert")}


def test_the_latest_word_stands_if_it_is_about_the_subgraph() -> None:
    first = closed("own-1", verdict="TruePositive")
    later = judged(change(9, "Closed", "FalsePositive", "own-1", incident="8"))
    aside = judged(change(9, "Closed", "FalsePositive", "a", "x", "y", "z", incident="8"))  # 1 of 6

    assert standing_verdicts(match([*first, *later]))["sg-1"]["verdict"] == "false_positive"
    found = match([*first, *aside])
    assert standing_verdicts(found)["sg-1"]["verdict"] == "true_positive"
    assert len(found) == 2, "what does not stand is kept"


def test_a_list_is_read_whole_each_time_and_names_the_subgraph_itself() -> None:
    row = Judged("plant", "benign_positive", "bo", at(3), None, "list of verdicts", (), "sg-5")
    found = match([row])
    assert certainty(found) == {"sg-5": (1.0, "its id")}
    assert match([], earlier=found).num_rows == 0


def test_the_order_of_changes_and_of_words_changes_nothing() -> None:
    changes = [change(5, "Closed", "FalsePositive"), change(6, "Active"), change(8, "Closed", "TruePositive")]
    changes += [change(4, "Closed", "BenignPositive", "a", "b", incident="9")]
    assert match(judged(*changes)) == match(judged(*reversed(changes)))
    assert match(judged(*changes)).schema.names == list(VERDICTS.names)


# --- our own alerts ------------------------------------------------------------------------------------------------


def told(details: Mapping[str, Any] | str, alert: Any = "own-1") -> str:
    return json.dumps({"alert_id": alert, "details": details if isinstance(details, str) else json.dumps(details)})


def test_our_own_alerts_say_their_subgraph_and_what_is_none_of_them_says_nothing() -> None:
    assert own_alerts([("plant", told({"SubgraphId": ["sg-1"], "Site": ["plant"]}))]) == {("plant", "own-1"): "sg-1"}
    none = [
        "item-7",
        "{",
        "[]",
        told({"Table": ["Ids_CL"]}),
        told({"SubgraphId": ["sg-1", "sg-2"]}),
        told("{"),
        told({}, None),
    ]
    assert own_alerts([("plant", text) for text in [*none, None]]) == {}
