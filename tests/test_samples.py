"""A user's sample, whatever kind of file it is, becomes the exported lines that it stands for; what is none is told."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from alertgraph_spark.commands.samples import Sample, Shape, lay_out, layout, records
from alertgraph_spark.errors import SourceError

TIME = "2026-03-02T10:05:00Z"
LINES = f'{{"TimeGenerated": "{TIME}", "Door": "north"}}\n{{"TimeGenerated": "{TIME}", "Door": "süd"}}\n'
ROWS = [{"TimeGenerated": TIME, "Door": "north"}, {"TimeGenerated": TIME, "Door": "süd"}]


def laid(tmp_path: Path, content: bytes | str, reads: str = "Door", **shape: str) -> tuple[Sample, list[str]]:
    """The lines that a file of this content becomes."""
    file = tmp_path / "sample"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    sample = lay_out([file], reads.split(), tmp_path / "out", Shape(**shape))
    (blob,) = (tmp_path / "out").rglob("*.json")
    return sample, blob.read_text(encoding="utf-8").splitlines()


def rows(lines: list[str]) -> list[dict[str, Any]]:
    """Rows without the number that each is given."""
    return [{name: value for name, value in json.loads(line).items() if name != "_ItemId"} for line in lines]


def zipped(content: str, name: str = "door.json") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("folder/", "")
        archive.writestr(name, content)
    return out.getvalue()


KINDS = {
    "JSON lines": (LINES, "JSON lines"),
    "blank lines between": (LINES.replace("\n", "\r\n\r\n"), "JSON lines"),
    "byte order mark": (b"\xef\xbb\xbf" + LINES.encode(), "JSON lines"),
    "UTF-16, as PowerShell redirects": (LINES.encode("utf-16"), "JSON lines"),
    "array": (json.dumps(ROWS), "a JSON array"),
    "array over lines": (json.dumps(ROWS, indent=2), "a JSON array"),
    "documents over lines": ("\n".join(json.dumps(row, indent=2) for row in ROWS), "JSON documents"),
    "CSV": (f"TimeGenerated,Door\n{TIME},north\n{TIME},süd\n", "CSV"),
    "CSV of another country": (f'"TimeGenerated";"Door"\r\n{TIME};north\r\n{TIME};süd\r\n', "CSV"),
    "gzip": (gzip.compress(LINES.encode()), "JSON lines"),
    "zip": (zipped(LINES), "JSON lines"),
}


@pytest.mark.parametrize(("content", "kind"), KINDS.values(), ids=KINDS)
def test_rows_are_the_same_whatever_file_holds_them(tmp_path: Path, content: bytes | str, kind: str) -> None:
    sample, lines = laid(tmp_path, content)

    assert rows(lines) == ROWS
    assert [json.loads(line)["_ItemId"] for line in lines] == ["1", "2"]
    assert (sample.kinds, sample.n_rows, sample.n_wrapped, sample.n_without_time) == ([kind], 2, 0, 0)
    assert sample.columns == {"TimeGenerated", "Door"}


def test_lines_that_are_no_record_are_the_text_of_raw_data(tmp_path: Path) -> None:
    """Commas make no CSV: the first line of a log is no header."""
    log = "Jul 25 09:56:42 gw CEF:0||||N/A|URL, twice|Low|src=10.0.0.1\n[2026-03-02] {odd} one\n"

    sample, lines = laid(tmp_path, log, reads="RawData", wrap="rows")

    assert [row["RawData"] for row in rows(lines)] == log.splitlines()
    assert (sample.kinds, sample.n_wrapped) == (["plain lines"], 2)


def test_a_row_without_a_time_gets_one_that_can_be_told_apart(tmp_path: Path) -> None:
    sample, lines = laid(tmp_path, f'{{"Door": "a"}}\n{{"Door": "b", "TimeGenerated": "{TIME}"}}\n')

    assert [row["TimeGenerated"] for row in rows(lines)] == [sample.received, TIME]
    assert sample.n_without_time == 1


def test_the_portals_names_and_times_become_those_of_the_table(tmp_path: Path) -> None:
    """12 PM is noon; an empty cell is an absent column; a time in the midst of a text stays."""
    header = '"TimeGenerated [UTC]",Door,"Start [UTC]",Text\n'
    row = '"12/3/2020, 12:34:42.544 PM",,"1/2/2020, 1:00:00.000 AM","at 1/2/2020, 1:00:00.000 AM"\n'

    sample, lines = laid(tmp_path, header + row)

    assert rows(lines) == [
        {
            "TimeGenerated": "2020-12-03T12:34:42.544000Z",
            "Start": "2020-01-02T01:00:00.000000Z",
            "Text": "at 1/2/2020, 1:00:00.000 AM",
        }
    ]
    assert sample.n_portal_times == 2


@pytest.mark.parametrize(
    ("reads", "wrap", "is_wrapped"),
    [
        ("RawData", "auto", True),
        ("RawData Computer", "auto", True),
        ("RawData", "rows", False),
        ("Door", "auto", False),  # the format reads the rows' own columns
        ("RawData Door", "auto", False),
        ("Door", "raw", True),
    ],
)
def test_a_record_is_wrapped_where_the_format_wants_it(tmp_path: Path, reads: str, wrap: str, is_wrapped: bool) -> None:
    sample, lines = laid(tmp_path, LINES, reads, wrap=wrap)

    assert ["RawData" in row for row in rows(lines)] == [is_wrapped] * 2
    assert sample.n_wrapped == 2 * is_wrapped
    if is_wrapped:
        assert [row["RawData"] for row in rows(lines)] == LINES.splitlines(), "a line is wrapped as it stands"


def test_cells_are_numbers_inside_raw_data_where_they_spell_one(tmp_path: Path) -> None:
    _, lines = laid(tmp_path, "time,code,share,word\n1642903453,007,0.5,1e3\n", wrap="raw")

    assert json.loads(rows(lines)[0]["RawData"]) == {"time": 1642903453, "code": "007", "share": 0.5, "word": "1e3"}


def test_a_torn_line_stays_as_it_is(tmp_path: Path) -> None:
    _, lines = laid(tmp_path, LINES + '{"TimeGenerated": "2026', wrap="rows")

    assert lines[2] == '{"TimeGenerated": "2026'


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ({"value": [{"Door": "a"}, {"Door": "b"}]}, "value"),
        ({"logs": [{"entries": [{"Door": "a"}]}, {"entries": [{"Door": "b"}]}]}, "logs.entries"),
    ],
)
def test_records_inside_a_document_are_found(tmp_path: Path, document: Any, path: str) -> None:
    _, lines = laid(tmp_path, json.dumps(document), records=path)

    assert [row["Door"] for row in rows(lines)] == ["a", "b"]


def test_a_text_inside_a_document_is_a_line(tmp_path: Path) -> None:
    _, lines = laid(
        tmp_path, json.dumps({"logs": [{"data": "one\r\nline"}, {"other": 1}]}), wrap="raw", records="logs.data"
    )

    assert [row["RawData"] for row in rows(lines)] == ["one\r\nline"]


REFUSED = {
    "empty": (b"", "holds no row"),
    "a header alone": (b"a,b\n", "holds no row"),
    "binary": (b"\x7fELF\0\0\0", "is binary; wanted: JSON, CSV or text"),
    "a broken array": (b'[{"a": 1},', "begins as JSON but is none: Expecting value: line 1"),
    "a broken document": (b'{\n"a": 1', "begins as JSON but is none: Expecting ',' delimiter: line 2"),
    "no zip": (b"PKxx", "File is not a zip file"),
    "half a gzip": (gzip.compress(LINES.encode())[:30], "Compressed file ended"),
    "a workbook": (zipped("<Types/>", "[Content_Types].xml"), "is an Office document; save the sheet as CSV"),
}


@pytest.mark.parametrize(("content", "words"), REFUSED.values(), ids=REFUSED)
def test_a_file_that_is_no_sample_is_told(tmp_path: Path, content: bytes, words: str) -> None:
    with pytest.raises(SourceError) as caught:
        laid(tmp_path, content)

    assert words in str(caught.value)
    assert str(tmp_path / "sample") in str(caught.value)


def archive_of(n: int, content: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(n):
            archive.writestr(f"{number}.json", content)
    return out.getvalue()


def with_method(content: bytes, method: int) -> bytes:
    """A zip whose one member claims to be packed by a method that nobody has."""
    mark = method.to_bytes(2, "little")
    local, central = content.find(b"PK\x03\x04"), content.find(b"PK\x01\x02")
    content = content[: local + 8] + mark + content[local + 10 :]
    return content[: central + 10] + mark + content[central + 12 :]


def encrypted(content: bytes) -> bytes:
    """A zip whose one member claims to want a password."""
    local, central = content.find(b"PK\x03\x04"), content.find(b"PK\x01\x02")
    content = content[: local + 6] + b"\x01\x00" + content[local + 8 :]
    return content[: central + 8] + b"\x01\x00" + content[central + 10 :]


DEEP = "[" * 100_000
FOREIGN = {
    "a nesting without end": (f"[\n{{}},{DEEP}", "is nested too deep"),
    "a zip with a password": (encrypted(archive_of(1, LINES)), "is encrypted, password required"),
    "a zip of a method that nobody has": (with_method(archive_of(1, LINES), 99), "compression"),
    "a number of five thousand digits": ('[\n{},{"a": ' + "1" * 5000, "begins as JSON but is none"),
}


@pytest.mark.parametrize(("content", "words"), FOREIGN.values(), ids=FOREIGN)
def test_no_file_of_a_stranger_ends_in_a_stack_trace(tmp_path: Path, content: bytes | str, words: str) -> None:
    with pytest.raises(SourceError) as caught:
        laid(tmp_path, content)

    assert words in str(caught.value)


def test_a_line_that_nests_without_end_is_a_line_that_will_be_refused(tmp_path: Path) -> None:
    deep = '{"Door": ' + DEEP

    sample, lines = laid(tmp_path, LINES + deep + "\n", wrap="rows")

    assert lines[2] == deep
    assert sample.n_rows == 3


@pytest.mark.parametrize(
    "text", ["13/45/2020, 1:34:42.544 PM", "12/3/2020, 13:34:42.544 PM", "１2/3/2020, 1:34:42.544 PM"]
)
def test_what_looks_like_a_time_of_the_portal_and_is_none_stays_text(tmp_path: Path, text: str) -> None:
    sample, lines = laid(tmp_path, json.dumps({"TimeGenerated": TIME, "Door": text}))

    assert rows(lines) == [{"TimeGenerated": TIME, "Door": text}]
    assert sample.n_portal_times == 0


def test_half_a_surrogate_pair_is_a_question_mark_as_spark_reads_it(tmp_path: Path) -> None:
    _, lines = laid(tmp_path, '{"TimeGenerated": "' + TIME + '", "Door": "a\\ud800b"}\n')

    assert rows(lines)[0]["Door"] == "a?b"


@pytest.fixture
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousandth of what is allowed."""
    for name, limit in {
        "LINE_LIMIT": 1 << 14,
        "DOCUMENT_LIMIT": 1 << 18,
        "FILE_LIMIT": 1 << 20,
        "MEMBER_LIMIT": 3,
    }.items():
        monkeypatch.setattr(records, name, limit)
    monkeypatch.setattr(layout, "ROW_LIMIT", 1000)


ROW = json.dumps({"TimeGenerated": TIME, "Door": "x" * 400}) + "\n"
BOMBS = {
    "a line": (b"x" * (1 << 14) + b"y", "has a line of more than"),
    "a line of JSON": (LINES.encode() + b'{"Door": "' + b"x" * (1 << 14) + b'"}', "has a line of more than"),
    "a line of CSV": (b"a,b\n1," + b"x" * (1 << 14), "has a line of more than"),
    "an array": (json.dumps([{"Door": "x" * 1000}] * 300, indent=1), "is JSON of more than"),
    "a gzip of many rows": (gzip.compress((ROW * 900 + "\n" * (1 << 20)).encode()), "has more than"),
    "a zip whose members are too large together": (archive_of(3, ROW * 900), "has more than"),
    "a zip of many members": (archive_of(4, LINES), "has 4 members; at most 3"),
    "rows of two bytes": (b"a\n" * 1001, "has more than 1,000 rows"),
}


@pytest.mark.usefixtures("small_limits")
@pytest.mark.parametrize(("content", "words"), BOMBS.values(), ids=BOMBS)
def test_a_sample_is_bounded(tmp_path: Path, content: bytes | str, words: str) -> None:
    with pytest.raises(SourceError) as caught:
        laid(tmp_path, content)

    assert words in str(caught.value)


@pytest.mark.usefixtures("small_limits")
def test_what_is_of_the_limits_is_read(tmp_path: Path) -> None:
    sample, lines = laid(tmp_path, archive_of(3, ROW * 333))

    assert sample.n_rows == len(lines) == 999


def test_the_limits_in_numbers() -> None:
    assert (records.LINE_LIMIT, records.FILE_LIMIT, records.MEMBER_LIMIT) == (16 << 20, 1 << 30, 1000)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"cannot read .*nowhere: No such file"):
        lay_out([tmp_path / "nowhere"], ["a"], tmp_path / "out", Shape())
    with pytest.raises(SourceError, match="Is a directory"):
        lay_out([tmp_path], ["a"], tmp_path / "more", Shape())


def test_a_path_that_leads_to_no_record_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"holds no row at valu$"):
        laid(tmp_path, '{"value": [{"Door": "a"}]}', records="valu")
