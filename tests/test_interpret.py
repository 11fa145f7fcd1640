"""What a row says becomes what it means, without Spark: each row by itself, whatever stands beside it."""

from __future__ import annotations

import random
from typing import Any

import pyarrow as pa
import pytest

from alertgraph_spark.config.source_format import Asset
from alertgraph_spark.interpret import AssetList, interpret
from alertgraph_spark.interpret.host_names import decoded, first_label, is_name
from alertgraph_spark.interpret.vocabulary import tactics_of, techniques_of
from alertgraph_spark.tables.embedded import arrow_schema
from alertgraph_spark.tables.interim_schemas import MEANT, SAID

Row = dict[str, Any]
ASSETS = [
    Asset("10.1.0.5", name="fs01", zone="it", role="file_server"),
    Asset("scan01", role="scanner"),
    Asset("10.9.0.9", name="scan01"),
    Asset("10.2.0.0/16", zone="dmz"),
    Asset("10.2.7.0/24", zone="ot", purdue_level=2.0),
]


def said(*names: tuple[str, str, str | None], **columns: Any) -> Row:
    """One row of `interim_schemas.SAID`; a name is its end, its kind and its text."""
    row: Row = dict.fromkeys(SAID.names)
    row |= {"name": "Port scan", "acts": False, "unknown": []}
    return {**row, "names": [dict(zip(("end", "kind", "text"), name, strict=True)) for name in names], **columns}


def meant(*rows: Row, assets: tuple[Asset, ...] | list[Asset] = ()) -> list[Row]:
    table = pa.Table.from_pylist([{**row, "n": n} for n, row in enumerate(rows)], _SCHEMA)
    return interpret(table, AssetList(assets)).to_pylist()


_SCHEMA = arrow_schema(SAID).append(pa.field("n", pa.int64()))


def ends(row: Row) -> tuple[str | None, str | None]:
    return row["source_entity"], row["target_entity"]


SOURCE, TARGET, OTHER = "source", "target", "other"


@pytest.mark.parametrize(
    ("row", "want"),
    [
        (said((SOURCE, "host", "WS17"), (TARGET, "host", "fs01.corp.example")), ("host:ws17", "host:fs01")),
        (said((SOURCE, "host", "FS01"), (TARGET, "host", "fs01.corp.example")), (None, "host:fs01")),  # about itself
        (said((SOURCE, "host", "ws17")), (None, "host:ws17")),  # what it is about
        (said((SOURCE, "host", "ws17"), acts=True), ("host:ws17", None)),  # what acts, on nobody
        (said((OTHER, "account", "corp\\meyer"), (OTHER, "host", "fs01")), (None, "account:corp\\meyer")),
        (said((TARGET, "ip", "10.1.0.5"), (TARGET, "host", "fs01")), (None, "ip:10.1.0.5")),  # the format's order
        (said((TARGET, "ip", "127.0.0.1"), (TARGET, "host", "fs01")), (None, "host:fs01")),
        (said((TARGET, "ip", "10.1.0.5, 10.1.0.6")), (None, "ip:10.1.0.5")),
        (said((TARGET, "host", "N/A"), (TARGET, "ip", None)), (None, None)),
        (said(), (None, None)),
    ],
)
def test_ends(row: Row, want: tuple[str | None, str | None]) -> None:
    assert ends(meant(row)[0]) == want


def test_the_list_says_who_an_address_is_and_the_narrowest_block_where() -> None:
    rows = [said((SOURCE, "ip", address), (TARGET, "ip", "::ffff:10.1.0.5")) for address in ("10.2.7.9", "10.2.8.9")]
    first, second = meant(*rows, assets=ASSETS)
    assert ends(first) == ("ip:10.2.7.9", "host:fs01")
    assert [row["source_zone"] for row in (first, second)] == ["ot", "dmz"]
    assert [row["source_level"] for row in (first, second)] == [2.0, None]
    assert (first["target_zone"], first["target_role"]) == ("it", "file_server")


def test_a_name_has_a_role_and_with_the_address_of_another_machine_it_has_none() -> None:
    own, none, forged = meant(
        said((SOURCE, "host", "scan01"), (SOURCE, "ip", "10.9.0.9"), (TARGET, "host", "fs01")),
        said((SOURCE, "host", "scan01"), (SOURCE, "ip", "10.9.0.8"), (TARGET, "host", "fs01")),  # the list knows it not
        said((SOURCE, "host", "scan01"), (SOURCE, "ip", "10.1.0.5"), (TARGET, "host", "ws1")),
        assets=ASSETS,
    )
    assert [row["source_role"] for row in (own, none, forged)] == ["scanner", "scanner", None]
    assert own["named"] == [{"address": "ip:10.9.0.9", "host": "host:scan01"}]


def test_levels_words_and_texts() -> None:
    name = "\u202eport\u200b  scan"
    (row,) = meant(
        said(
            *((SOURCE, "host", "ws17"), (TARGET, "host", "fs01")),
            **{"name": name, "source_level": float("nan"), "target_level": 3.0, "source_zone": " it "},
            **{"tactics": ["attack.discovery", "Theft"], "techniques": ["T1086"], "unknown": ["severity: urgent"]},
        )
    )
    assert (row["name"], row["source_zone"], row["target_zone"]) == ("port scan", "it", "unknown")
    assert (row["source_level"], row["target_level"]) == (None, 3.0)
    assert (row["tactics"], row["techniques"]) == (["discovery"], ["T1059.001"])  # in place of the revoked one
    assert row["unknown"] == ["severity: urgent", "tactic: Theft"]


def test_labels_are_known_in_any_spelling_and_others_are_told() -> None:
    assert tactics_of(["TA0007 - Discovery", "discovery", "LateralMovement", None, "N/A", "Theft"]) == (
        *(["discovery", "lateral-movement"], ["tactic: Theft"]),
    )
    assert techniques_of(["attack.t1059", "Masquerading (T1036)", "T1036", "T10360", ""]) == (
        *(["T1059", "T1036"], ["technique: T10360"]),
    )
    assert tactics_of(None) == techniques_of([]) == ([], [])


def test_the_first_fifty_accounts_and_others_are_kept() -> None:
    names = [(OTHER, "account", f"u{n}") for n in range(60)] + [(OTHER, "host", f"h{n}") for n in range(55)]
    few, many = meant(said(*names[:50]), said((TARGET, "host", "h3"), *names))
    assert (len(few["entities"]), few["n_left_out"]) == (51 - 1, 0)  # one of them is the end
    assert [e["key"] for e in many["entities"][:2]] == ["host:h3", "account:u0"]
    assert [e["key"] for e in many["entities"]].count("host:h3") == 1
    assert many["n_left_out"] == 60 - 50 + 55 - 50


def test_a_line_that_is_no_alert_means_nothing() -> None:
    (row,) = meant(dict.fromkeys(SAID.names))
    assert {row[name] for name in ("name", "source_entity", "target_entity", "target_zone")} == {None}
    assert row["entities"] == row["unknown"] == row["tactics"] == []


def test_each_row_means_what_it_means_alone() -> None:
    chance = random.Random(19)
    texts = ["WS17", "10.1.0.5", "::ffff:10.1.0.5", "10.2.7.9:443", "N/A", None, "corp\\fs01$", "a@b.example"]
    kinds = ("host", "ip", "account", "mac", "device")
    rows = [
        said(
            *[(chance.choice((SOURCE, TARGET, OTHER)), chance.choice(kinds), chance.choice(texts)) for _ in range(4)],
            acts=chance.random() < 0.2,
        )
        for _ in range(300)
    ]
    whole = meant(*rows, assets=ASSETS)
    assert set(MEANT.names) < set(whole[0])
    assert [{**meant(row, assets=ASSETS)[0], "n": n} for n, row in enumerate(rows)] == whole


@pytest.mark.parametrize(
    ("label", "want"),
    [
        ("xn--bro-pc7-n2a", "b\u00fcro-pc7"),
        ("xn--zzzzzzzzzzzzzzzzzzzzzzzz", "xn--zzzzzzzzzzzzzzzzzzzzzzzz"),
        ("xn--ab-g1t", "xn--ab-g1t"),  # a zero-width space between two letters: what is not seen is not read
        ("buero", "buero"),
    ],
)
def test_punycode_is_read_where_all_of_it_can_be_seen(label: str, want: str) -> None:
    assert decoded(label) == want


def test_what_is_a_name_where_an_address_belongs() -> None:
    assert [is_name(text) for text in ("fs01", "büro-7", "_x", "7a", "7", "", "-a", "a b", "1" * 201 + "a")] == [
        *(True, True, True, True, False, False, False, False, False),
    ]
    assert first_label("bu\u0308ro.corp.example.") == "b\u00fcro"
