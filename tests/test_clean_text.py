"""Text of alerts is cleaned once: what cannot be seen is gone, what separates is a blank, two long names stay two."""

from __future__ import annotations

import sys
import time
import unicodedata

import pytest
from pyspark.sql import SparkSession

from alertgraph_spark.clean_text import NAME_LIMIT, VALUE_LIMIT, clean, clean_sql, printed, printed_lines

SEEN: dict[str, tuple[str, str | None]] = {
    "as it is": ("Port scan (TCP) über 10.0.0.1", "Port scan (TCP) über 10.0.0.1"),
    "markup is for the surface to escape": ("<img src=x onerror=alert(1)>", "<img src=x onerror=alert(1)>"),
    "a terminal's commands": ("a\x1b[2J\x1b]0;pwn\x07b", "a[2J]0;pwnb"),
    "a line that pretends to be ours": ("scan\r\nposted 2,079 to x", "scan posted 2,079 to x"),
    "separators of lines that no keyboard has": ("a\u2028b\u2029c\x85d", "a b c d"),
    "written from right to left": ("exe.\u202ecod\u202c", "exe.cod"),
    "a mark between letters": ("P\u200bor\u00adt\ufeff s\U000e0063can", "Port scan"),
    "blanks of every width": ("\u3000Port\u00a0\u2003 scan\t", "Port scan"),
    "blanks only": (" \t\u00a0\u2800", None),
    "nothing to be seen": ("\u200b\u2060\x00\u3164", None),
    "empty": ("", None),
    "letters beyond the first plane": ("𝒜 scan 🜂", "𝒜 scan 🜂"),
}


@pytest.mark.parametrize(("text", "wanted"), SEEN.values(), ids=SEEN)
def test_what_is_left_of_a_text(text: str, wanted: str | None) -> None:
    assert clean(text) == wanted


def test_a_text_of_the_limit_stays_and_a_longer_one_is_cut_to_it() -> None:
    assert clean("n" * NAME_LIMIT, NAME_LIMIT) == "n" * NAME_LIMIT
    cut = clean("n" * (NAME_LIMIT + 1), NAME_LIMIT) or ""
    assert len(cut) == NAME_LIMIT
    assert cut.startswith("n" * (NAME_LIMIT - 17) + "…")


def test_two_long_names_that_differ_at_the_end_stay_two() -> None:
    first, second = (clean("n" * 70_000 + end) for end in "ab")

    assert first != second
    assert clean("n" * 70_000 + "\u200ba") == first, "what cannot be seen makes no other name"


@pytest.mark.parametrize("text", [*(text for text, _ in SEEN.values()), "x" * 300, "x \u200b" * 300], ids=ascii)
def test_what_is_clean_stays(text: str) -> None:
    once = clean(text) or ""
    assert (clean(once) or "") == once


def test_no_control_or_format_character_of_this_unicode_is_left() -> None:
    of_category = [c for c in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(c) in ("Cc", "Cf", "Cs")]
    separators = [c for c in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(c) in ("Zl", "Zp", "Zs")]

    assert [ascii(c) for c in of_category if clean(f"a{c}b") not in ("ab", "a b")] == []
    assert [ascii(c) for c in separators if clean(f"a{c}b") != "a b"] == []
    assert len(of_category) > 2_200 and len(separators) == 19


def test_spark_and_python_agree_on_every_code_point(spark: SparkSession) -> None:
    """Each between two letters, and a block of them side by side, where runs meet."""
    no_halves = [*range(0xD800), *range(0xE000, sys.maxunicode + 1)]
    blocks = [no_halves[i : i + 256] for i in range(0, len(no_halves), 256)]
    apart = ["".join(f"x{chr(c)}y" for c in block) for block in blocks]
    texts = [*apart, *("".join(map(chr, block)) for block in blocks)]

    rows = spark.createDataFrame([(i, text) for i, text in enumerate(texts)], "i int, text string")
    found = rows.selectExpr("i", f"{clean_sql('text', 2000)} as cleaned").collect()

    assert {row["i"]: row["cleaned"] for row in found} == {i: clean(text, 2000) for i, text in enumerate(texts)}


def test_spark_and_python_agree_on_texts_and_cuts(spark: SparkSession) -> None:
    """Lengths are of characters, not of bytes or of UTF-16 units, on both sides."""
    long = ["a" * 257, "a" * 256, "é" * 257, "🜂" * 256, "🜂" * 257, " a" * 200, "a\u200b" * 256, "a  " * 300]
    texts = [*(text for text, _ in SEEN.values()), *long]

    rows = spark.createDataFrame([(i, text) for i, text in enumerate(texts)], "i int, text string")
    found = rows.selectExpr("i", f"{clean_sql('text')} as cleaned").collect()

    assert {row["i"]: row["cleaned"] for row in found} == {i: clean(text) for i, text in enumerate(texts)}
    assert spark.sql(f"select {clean_sql('text')} as c from (select cast(null as string) as text)").first() == (None,)


SHAPES = ["a", " ", "\u200b", "a\u200b", "a ", " \u200b", "\u2028", "🜂", "  a", "\x1b["]


@pytest.mark.parametrize("shape", SHAPES, ids=ascii)
def test_no_shape_of_text_costs_more_than_its_length(spark: SparkSession, shape: str) -> None:
    """Four megabytes: what is quadratic would take hours."""
    text = shape * (4_000_000 // len(shape))
    begin = time.perf_counter()
    clean(text)
    rows = spark.range(1).selectExpr(f"repeat('{shape}', {len(text) // len(shape)}) as text")
    assert len(rows.selectExpr(f"{clean_sql('text')} as c").first()["c"] or "") <= VALUE_LIMIT  # type: ignore[index]
    assert time.perf_counter() - begin < 20


def test_what_is_printed_is_one_line_that_commands_no_terminal() -> None:
    assert printed("scan\x1b[2J\x1b]8;;https://evil\x07 \u202e\U000e0041\r\nposted") == (
        r"scan\x1b[2J\x1b]8;;https://evil\x07 \u202e\U000e0041  posted"
    )
    assert printed("ws-1 → fs01: “Überwachung” 日本") == "ws-1 → fs01: “Überwachung” 日本"
    assert printed("half \ud800").encode() == rb"half \ud800"
    assert printed_lines("two\nlines\x07") == "two\nlines\\x07"
