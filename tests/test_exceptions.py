"""A list of exceptions: the same rows as CSV, YAML and watchlist; every problem at once; ids that stay."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
import yaml

from alertgraph_spark.config.alert_exception import AlertException, digest_of
from alertgraph_spark.config.source_format import Asset
from alertgraph_spark.errors import ConfigError
from alertgraph_spark.interpret.exceptions import exception_keys, understand
from alertgraph_spark.read.exceptions import MAX_BYTES, load_exceptions

MOTIFS = {"beacon", "fan_out"}
MARCH, JUNE = (datetime(2026, month, 1, tzinfo=timezone.utc) for month in (3, 6))
SAID = {"owner": "it-ops", "reason": "nightly scan", "from": "2026-03-01", "until": "2026-06-01T00:00:00Z"}


def listed(tmp_path: Path, text: str, name: str = "known.csv") -> Path:
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    return file


def csv_of(*rows: Mapping[str, Any]) -> str:
    out = io.StringIO()
    names = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(out, names, restval="")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def understood(file: Path) -> list[AlertException]:
    return understand(load_exceptions(file), MOTIFS)


def refusal(file: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        understood(file)
    return str(caught.value).splitlines()


def test_a_row_is_an_exception(tmp_path: Path) -> None:
    row = {"id": "SCAN-1", "alert": " Port  Scan ", "source": "SCAN01.corp.example", "target": "10.9.7.3/16"}
    row |= {**SAID, "ticket": "CHG-7", "site": "plant-north", "account": r"CORP\svc_scan", "motif": "Fan_Out"}

    assert understood(listed(tmp_path, csv_of(row))) == [
        AlertException(
            "SCAN-1",
            "it-ops",
            "nightly scan",
            MARCH,
            JUNE,
            ticket="CHG-7",
            alert="Port Scan",
            source="host:scan01",
            target="10.9.0.0/16",
            account=r"account:corp\svc_scan",
            motif="fan_out",
            site="plant-north",
        )
    ]


@pytest.mark.parametrize(
    ("entity", "key"),
    [
        ("scan01", "host:scan01"),
        ("10.1.0.5", "ip:10.1.0.5"),
        ("::ffff:10.1.0.5", "ip:10.1.0.5"),
        ("fe80::1", "ip:fe80::1"),
        ("001d.9cc0.049d", "host:001d"),  # a MAC address says its kind in this spelling
        ("mac:001d.9cc0.049d", "mac:00:1d:9c:c0:04:9d"),
        ("device:HMI 7", "device:hmi 7"),
        ("10.1.0.0/24", "10.1.0.0/24"),
    ],
)
def test_an_entity_is_named_as_alerts_name_it(tmp_path: Path, entity: str, key: str) -> None:
    (one,) = understood(listed(tmp_path, csv_of({"entity": entity, **SAID})))

    assert one.entity == key


def test_csv_yaml_and_watchlist_say_the_same(tmp_path: Path) -> None:
    row = {"alert": "Port Scan", "entity": "scan01", **SAID}
    system = {"_DTItemId": "", "LastUpdatedTimeUTC": "2026-03-01T08:00:00Z", "SearchKey": "scan01"}
    items = [{"WatchlistAlias": "known", "WatchlistItem": json.dumps(row)}]
    files = [
        listed(tmp_path, csv_of(row)),
        listed(tmp_path, "\ufeff" + csv_of({name.upper(): cell for name, cell in row.items()}), "bom.csv"),
        listed(tmp_path, yaml.safe_dump([row]), "list.yaml"),
        listed(tmp_path, yaml.safe_dump({"exceptions": [row]}), "named.yml"),
        listed(tmp_path, csv_of({**system, **row}), "function.csv"),
        listed(tmp_path, csv_of(*items), "table.csv"),
        listed(tmp_path, json.dumps(items[0] | {"WatchlistItem": row}), "table.jsonl"),
        listed(tmp_path, json.dumps(items), "table.json"),
    ]
    first, *others = [understood(file) for file in files]

    assert len(first) == 1
    assert others == [first] * 7


def test_of_a_watchlist_the_latest_row_of_an_item_counts_and_no_deleted_one(tmp_path: Path) -> None:
    def item(id_: str, at: str, status: str, reason: str, kind: str = "watchlist-item") -> dict[str, str]:
        said = json.dumps({"entity": "scan01" if id_ == "a" else "bak01", **SAID, "reason": reason})
        system = {"_DTItemId": id_, "_DTTimestamp": at, "_DTItemStatus": status, "_DTItemType": kind}
        return {**system, "WatchlistAlias": "known", "WatchlistItem": said}

    rows = [
        item("a", "2026-03-02T10:00:00Z", "Update", "second"),
        item("a", "2026-03-01T10:00:00Z", "Create", "first"),
        item("b", "2026-03-01T10:00:00Z", "Create", "gone"),
        item("b", "2026-03-03T10:00:00Z", "Delete", "gone"),
        item("w", "2026-03-01T10:00:00Z", "Create", "the list itself", kind="watchlist"),
    ]

    (one,) = understood(listed(tmp_path, csv_of(*rows)))
    assert (one.id, one.reason) == ("a", "second")
    (error,) = refusal(listed(tmp_path, csv_of(rows[0], rows[2] | {"WatchlistAlias": "vips"})))
    assert error.endswith("holds the watchlists known, vips; export the one with exceptions")


def test_every_problem_is_told_with_its_line(tmp_path: Path) -> None:
    good = {"entity": "scan01", **SAID}
    file = listed(
        tmp_path,
        csv_of(
            {"id": "", **good, "alert": "", "motif": ""},
            {**good, "owner": "", "reason": " "},
            SAID,
            {**good, "entity": "N/A", "until": "2026-06-01T00:00"},
            {**good, "from": "2026-07-01"},
            {**good, "until": "2027-03-03"},
            {**good, "alert": "abc*", "motif": "pivot", "id": "a b"},
            {**good, "reason": "again"},
        ),
    )

    assert refusal(file) == [
        f"{file}:3: without owner, reason",
        f"{file}:4: names nothing; wanted is one of alert, entity, source, target, account, motif, site",
        f"{file}:5: until is '2026-06-01T00:00', no day and no ISO 8601 time with an offset, such as 2026-03-02T22:00:00Z",
        f"{file}:5: entity is 'N/A', which names nobody: wanted is a name, an address, or kind:value",
        f"{file}:6: from 2026-07-01 is not before until 2026-06-01T00:00:00Z",
        f"{file}:7: from 2026-03-01 until 2027-03-03 is more than a year: look at it again in between",
        f"{file}:8: id is 'a b'; legal are up to 64 letters, digits and ._-",
        f"{file}:8: alert is 'abc*'; before * stand at least 4 letters",
        f"{file}:8: motif is 'pivot'; legal are beacon, fan_out",
        f"{file}:9: id {understood(listed(tmp_path, csv_of(good), 'one.csv'))[0].id} is that of {file}:2: both name the same"
        " from the same time on, or were given one id",
    ]


def test_a_condition_that_is_mistyped_is_not_left_out(tmp_path: Path) -> None:
    file = listed(tmp_path, csv_of({"alert": "logon", "acount": "svc", **SAID}))

    assert refusal(file)[0].startswith(f"{file}:2: no such column: acount; legal are id, alert, entity,")


def test_a_year_is_the_most(tmp_path: Path) -> None:
    leap = {"entity": "scan01", **SAID, "from": "2027-03-01", "until": "2028-03-01"}

    assert len(understood(listed(tmp_path, csv_of(leap)))) == 1


def test_a_line_is_told_behind_a_cell_of_two_lines(tmp_path: Path) -> None:
    file = listed(tmp_path, csv_of({"entity": "scan01", **SAID, "reason": "one\ntwo"}, {"entity": "bak01"}))

    assert refusal(file) == [f"{file}:4: without owner, reason, from, until"]
    (one,) = understood(listed(tmp_path, csv_of({"entity": "scan01", **SAID, "reason": "one\ntwo"}), "two.csv"))
    assert one.reason == "one two"


def test_more_cells_than_the_header_are_no_exception(tmp_path: Path) -> None:
    file = listed(tmp_path, "entity,owner,reason,from,until\nscan01,it,x,2026-03-01,2026-04-01,plant\n")

    assert refusal(file) == [f"{file}:2: has more cells than the header"]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.csv", "", "line 1: no column is one of id, alert"),
        ("a.csv", "host,zone\nws1,it\n", "line 1: no column is one of id, alert"),
        ("a.yaml", "entity: scan01", "line 1: wanted is a list, each with a `- ` before it"),
        ("a.yaml", "- scan01", "line 1: wanted are names and values, such as `owner: soc`"),
        ("a.yaml", "- entity: [a, b]", "line 1: a value is one text; a list is several exceptions"),
        ("a.yaml", "- entity: a\n  entity: b", "line 2: entity stands twice"),
        ("a.yaml", "- entity: 'a", "line 1, column 13: found unexpected end of stream"),
        ("a.yaml", "[" * 3000, "nested too deep"),
        ("a.json", "[" * 100_000, "nested too deep"),
        ("a.jsonl", '{"entity": "a"}\n{', "line 2: is no JSON"),
        ("a.jsonl", "[1]", "line 1: is no JSON object"),
    ],
)
def test_what_is_no_list_at_all_says_why(tmp_path: Path, name: str, text: str, words: str) -> None:
    file = listed(tmp_path, text, name)

    (said,) = refusal(file)
    assert said.startswith(f"{file}: list of exceptions cannot be read: {words}")


def test_what_cannot_be_read_says_why(tmp_path: Path) -> None:
    assert refusal(tmp_path / "no.csv") == [
        f"{tmp_path}/no.csv: list of exceptions cannot be read: No such file or directory"
    ]
    (tmp_path / "latin.csv").write_bytes(b"entity\n\xff")
    assert "cannot be read: 'utf-8' codec" in refusal(tmp_path / "latin.csv")[0]
    large = listed(tmp_path, "x" * (MAX_BYTES + 1), "large.csv")
    assert refusal(large) == [f"{large}: has more than 16 MiB: no list of exceptions"]
    item = listed(tmp_path, 'WatchlistItem\n"{"\n', "item.csv")
    assert refusal(item) == [f"{item}:2: WatchlistItem is no JSON object"]


def test_an_empty_list_is_one(tmp_path: Path) -> None:
    for name, text in (("a.csv", "entity,owner,reason,from,until\n\n"), ("a.yaml", ""), ("b.yaml", "exceptions: []")):
        assert understood(listed(tmp_path, text, name)) == []


def test_an_id_stays_while_the_same_is_named_from_the_same_time_on(tmp_path: Path) -> None:
    def id_of(**changes: str) -> str:
        (one,) = understood(listed(tmp_path, csv_of({"entity": "scan01", **SAID, **changes})))
        return one.id

    first = id_of()
    assert first.startswith("ex-")
    assert id_of(owner="soc", **{"reason": "other"}, ticket="T-1", until="2026-05-01", entity="SCAN01.corp") == first
    assert id_of(**{"from": "2026-03-01T01:00:00+01:00"}) == first
    assert len({first, id_of(entity="scan02"), id_of(**{"from": "2026-03-02"}), id_of(site="plant")}) == 4
    # What is named under two conditions is not what is named under two others.
    assert id_of(entity="", source="ab", target="c") != id_of(entity="", source="a", target="bc")


def test_a_list_that_says_the_same_has_the_same_digest_in_any_order(tmp_path: Path) -> None:
    rows = [{"entity": "scan01", **SAID}, {"entity": "bak01", **SAID}]
    first, again = (understood(listed(tmp_path, csv_of(*some))) for some in (rows, rows[::-1]))
    longer = understood(listed(tmp_path, csv_of(rows[0], {**rows[1], "until": "2026-06-02"})))

    assert digest_of(first) == digest_of(again) != digest_of(longer)


def test_what_is_seen_as_nothing_is_cleaned_out_of_a_text(tmp_path: Path) -> None:
    (one,) = understood(listed(tmp_path, csv_of({"alert": "Port\u200b Scan\u202e", **SAID, "owner": "\u202esoc"})))

    assert (one.alert, one.owner, one.names) == ("Port Scan", "soc", "alert Port Scan")


def test_keys_are_those_of_alerts(tmp_path: Path) -> None:
    rows = [{"entity": "10.9.0.7", "alert": "Port*", **SAID}, {"source": "10.9.0.0/28", **SAID, "site": "plant"}]
    first, second = exception_keys(
        understood(listed(tmp_path, csv_of(*rows))), [Asset("10.9.0.7", name="scan01")]
    ).to_pylist()

    assert (first["entity"], first["alert"], first["is_beginning"]) == ("host:scan01", "Port", True)
    assert (second["source"], second["source_bits"], second["source_block"]) == (None, 4, 0x0A090000 >> 4)
