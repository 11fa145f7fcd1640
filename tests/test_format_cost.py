"""No alert text is worse than linear: the steps of every regular expression are counted, and whole formats are timed.

A step is a look at a character, as Java's own matcher makes it: counted, not timed, so that a busy machine changes nothing.
From one to four thousand characters a linear pattern takes four times as many steps, a quadratic one sixteen.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from exported import put_lines, raw_tables
from pyspark.sql import SparkSession

from alertgraph_spark.config.format_files import load_format
from alertgraph_spark.interpret import accounts, addresses, asset_list, ends, entities, vocabulary
from alertgraph_spark.lines import normalise_alerts
from alertgraph_spark.normalise.format_expressions import LONGEST
from alertgraph_spark.normalise.json_text import is_broken, is_followed, object_in, out_of_envelope
from alertgraph_spark.read import export

REPO = Path(__file__).parent.parent
FILES = sorted([*(REPO / "alertgraph_spark/formats").glob("*.yaml"), *(REPO / "benchmarks/formats").glob("*.yaml")])

SHORT, LONG = 1_000, 4_000
MOST = 8.0
"""Steps on the long text over those on the short one."""

COUNTER = """
public class Steps implements CharSequence {
    private final String text;
    private final long[] n;
    public Steps(String text, long[] n) { this.text = text; this.n = n; }
    public char charAt(int i) { if (++n[0] > 2000000L) throw new IllegalStateException("too many"); return text.charAt(i); }
    public int length() { return text.length(); }
    public CharSequence subSequence(int a, int b) { return text.substring(a, b); }
    public String toString() { return text; }
    /* Steps to find all matches of each pattern in each text, or -1 above 2 million. */
    public static String count(String tests) throws Exception {
        StringBuilder out = new StringBuilder();
        String[] lines = tests.split("\\u0001");
        java.util.regex.Pattern pattern = null;
        String source = null;
        for (int i = 0; i + 4 < lines.length; i += 5) {
            if (!lines[i].equals(source)) { source = lines[i]; pattern = java.util.regex.Pattern.compile(source); }
            StringBuilder text = new StringBuilder(lines[i + 1]);
            int n = Integer.parseInt(lines[i + 4]);
            while (text.length() < n) text.append(lines[i + 2]);
            text.append(lines[i + 3]);
            long[] steps = new long[1];
            try {
                java.util.regex.Matcher matcher = pattern.matcher(new Steps(text.toString(), steps));
                while (matcher.find()) { }
            } catch (IllegalStateException e) { steps[0] = -1; }
            out.append(steps[0]).append(' ');
        }
        return out.toString();
    }
}
"""

# What a text begins with, what it repeats, what it ends with; the words of a pattern itself are repeated too.
BEGINS = ("", '"', "a=", 'a="', "{")
OWN_BEGINS = (
    *(
        "event:a ",
        "CEF:0|",
        "LEEF:2.0|",
        "[SID: 1] ",
        "attack.",
        "ATTACK::A",
        "/microsoft.compute/machines/",
        "command",
    ),
    *("Mar", "Mar 1", "T123", "10.", "IP-1"),
)
"""Begins for the patterns that have a word of theirs, or an anchor."""

PUMPS = (
    *(
        "a",
        "A",
        "1",
        " ",
        "\t",
        "=",
        "|",
        "\\",
        '"',
        "'",
        "/",
        ".",
        "-",
        ";",
        ",",
        ":",
        "@",
        "{",
        "}",
        "[",
        "]",
        "_",
        "<",
        "#",
    ),
    *(
        "a ",
        " a",
        "a=",
        "a= ",
        "a=b ",
        'a="',
        '\\"',
        '"\\',
        "\\|",
        "\\\\",
        '" "',
        'a="b" ',
        "a.b",
        "a/b/",
        "a@b",
        "a@b ",
        "1.",
    ),
    *(
        "1:",
        "::",
        "[a",
        "a]",
        "[a ",
        "{}",
        "}{",
        "} ",
        '{"a":',
        '{"a": "b", ',
        "a-",
        "-a",
        "a;b=",
        ";b=",
        "aB",
        "_Aa",
        "1/",
        "é",
    ),
)
ENDS = ("", "!")


def regexes(spark: SparkSession, expressions: dict[str, str]) -> Iterator[str]:
    """Every regular expression that SQL expressions match against, `let` names that hold one included."""
    parser = spark._jsparkSession.sessionState().sqlParser()  # type: ignore[attr-defined]
    trees = {key: json.loads(parser.parseExpression(text).toJSON()) for key, text in expressions.items()}
    values = {key: tree[0]["value"] for key, tree in trees.items() if tree[0]["class"].endswith(".Literal")}
    for tree in trees.values():
        for at, node in enumerate(tree):
            kind = node["class"].rpartition(".")[2]
            name = node.get("nameParts", "")[1:-1]
            if kind == "RLike" or re.fullmatch(r"rlike|regexp.*|split", name):
                pattern = tree[_next(tree, _next(tree, at, child=True))]
                named = pattern.get("nameParts", "")[1:-1]
                if named == "char":
                    continue  # one sign
                assert "value" in pattern or named in values, f"a pattern that is made of data: {pattern}"
                yield pattern["value"] if "value" in pattern else values[named]


def _next(tree: list[dict[str, Any]], at: int, *, child: bool = False) -> int:
    """The first child of a node, or its next sibling, in a tree that is told in the order of reading."""
    if child:
        return at + 1
    end = at + 1
    for _ in range(tree[at]["num-children"]):
        end = _next(tree, end)
    return end


def tried_on(pattern: str) -> Iterator[tuple[str, str, str]]:
    words = [word for word in re.findall(r"[A-Za-z]{2,}(?::: ?|[.:=] ?)?", pattern) if len(word) < 40]
    own = [f"[{word}1] " for word in words]
    own += [f"{sign}{word}{end}" for word in words for sign in ("", "-", ";") for end in ("", "=", " ", "1")]
    begins = [begin for begin in OWN_BEGINS if any(word in begin for word in words) or "^" in pattern]
    for begin in (*BEGINS, *begins):
        yield from ((begin, pump, end) for pump in (*PUMPS, *own[:48]) for end in ENDS)


@pytest.fixture(scope="module")
def counter(spark: SparkSession) -> Any:
    """A method in Spark's own Java, compiled by the compiler that Spark brings."""
    jvm: Any = spark._jvm
    compiler = jvm.org.codehaus.janino.SimpleCompiler()
    compiler.cook(COUNTER)
    steps = compiler.getClassLoader().loadClass("Steps")
    text = jvm.java.lang.Class.forName("java.lang.String")
    types = spark.sparkContext._gateway.new_array(jvm.java.lang.Class, 1)
    types[0] = text
    method = steps.getMethod("count", types)

    def count(tests: list[tuple[str, str, str, str, int]]) -> list[int]:
        arguments = spark.sparkContext._gateway.new_array(jvm.java.lang.Object, 1)
        arguments[0] = "\x01".join(str(part) for test in tests for part in test) + "\x01"
        return [int(n) for n in method.invoke(None, arguments).split()]

    return count


def worse_than_linear(counter: Any, patterns: Iterator[str]) -> list[tuple[str, str, str, str, float]]:
    found = []
    for pattern in dict.fromkeys(patterns):
        shapes = list(tried_on(pattern))
        short = counter([(pattern, *shape, SHORT) for shape in shapes])
        # What is cheap on the short text cannot be dear on the long one; the dearest are enough to tell.
        dear = [(shape, n) for shape, n in zip(shapes, short, strict=True) if n > 10 * SHORT or n < 0]
        dear = sorted(dear, key=lambda one: one[1] if one[1] > 0 else float("inf"), reverse=True)[:20]
        long = counter([(pattern, *shape, LONG) for shape, _ in dear]) if dear else []
        found += [
            (pattern, *shape, b / a) for (shape, a), b in zip(dear, long, strict=True) if a < 0 or b < 0 or b / a > MOST
        ]
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_patterns_of_a_format_are_linear(spark: SparkSession, counter: Any, file: Path) -> None:
    one = load_format(file)

    assert worse_than_linear(counter, regexes(spark, {**one.let, **dict(one.expressions())})) == []


def test_the_patterns_behind_the_formats_are_linear(spark: SparkSession, counter: Any) -> None:
    """Those of keys, tactics and techniques; and of the reader, which looks for a second object on a line."""
    said = "t"
    ours = {"object": object_in(said), "envelope": out_of_envelope(said, ["a"]), "broken": is_broken(said)}
    ours |= {"second": is_followed(said)}
    rooms = (accounts, addresses, asset_list, ends, entities, vocabulary)
    # Java counts the steps of patterns that Python runs: what is linear is so for both.
    own = [one.pattern for room in rooms for one in vars(room).values() if isinstance(one, re.Pattern)]
    assert len(own) > 15
    plain = [*own, export._STRINGS, export.AROUND_A_LINE]
    assert worse_than_linear(counter, iter([*regexes(spark, ours), *plain])) == []


# What stood here before, and a shape that it was quadratic on; beside the kind, a near miss that is long and linear.
QUADRATIC = (
    r"([A-Za-z_][\w.\-]*+=)",
    r"(?:^|\s++)([A-Za-z0-9_.\-\[\]]++)=",
    r'"[^"\\]*+(?:\\.[^"\\]*+)*+"',
    r"([^/]+/[^/]+)/?$",
    r"([^\s,]+@[^\s,]+)",
    r"\[SID: [0-9]+\] ([^.,]*?)(?: attack)?[.,]",
    r"^event:[a-z-]+ (.*[ -])?(update|dhcp[a-z-]*)$",
)
LINEAR = (r"^([^/]+/[^/]+)/?$", r"([a-z]+)", r"(?<![^\s,])([^\s,]+@[^\s,]+)", r"T[0-9]{4}(?:[.][0-9]{3})?")


@pytest.mark.parametrize("pattern", QUADRATIC)
def test_a_pattern_that_is_quadratic_is_seen(counter: Any, pattern: str) -> None:
    assert worse_than_linear(counter, iter([pattern]))


@pytest.mark.parametrize("pattern", LINEAR)
def test_a_pattern_that_only_looks_so_is_not(counter: Any, pattern: str) -> None:
    assert worse_than_linear(counter, iter([pattern])) == []


def alert_entities(n: int) -> str:
    """Addresses, and machines and accounts that refer to them: what refers is looked up in what is there."""
    whole = [{"$id": str(i), "Type": "ip", "Address": f"10.0.{i // 250}.{i % 250}"} for i in range(n // 120)]
    hosts = [
        {"$id": f"h{i}", "Type": "host", "HostName": f"h{i}", "IpInterfaces": [{"$ref": str(i)}]}
        for i in range(n // 250)
    ]
    users = [{"Type": "account", "Name": f"u{i}", "Host": {"$ref": f"h{i}"}} for i in range(n // 200)]
    return json.dumps([*whole, *hosts, *users])


SHAPES: dict[str, Callable[[int], str]] = {
    **{
        name: partial(str.__mul__, sign)
        for name, sign in {"letters": "a", "blanks": " ", "quotes": '"', "marks": "="}.items()
    },
    "backslashes": lambda n: '"' + '\\"' * (n // 2),
    "pipes": lambda n: "CEF:0" + "|" * n,
    "segments": lambda n: "a/" * (n // 2),
    "keys": lambda n: " ".join(f"k{i}=v" for i in range(n // 8)),
    "the same keys": lambda n: " ".join(f"src=10.0.0.{i % 200} severity={i % 9} user=u{i}" for i in range(n // 34)),
    "custom fields": lambda n: "CEF:0|a|b|c|d|e|5|" + " ".join(f"cs{i % 9}=v cs{i % 9}Label=l" for i in range(n // 18)),
    "LEEF": lambda n: "LEEF:1.0|a|b|c|d|" + "\t".join(f"src=10.0.0.{i % 200}" for i in range(n // 15)),
    "quoted": lambda n: 'a="' + '\\" b="' * (n // 6),
    "brackets": lambda n: "[" * n,
    "nested": lambda n: '{"a":' * (n // 10) + "1" + "}" * (n // 10),
    "torn": lambda n: '{"name": "' + '\\"' * (n // 2),
    "object": lambda n: json.dumps({f"k{i}": "v" for i in range(n // 14)}),
    "entities": alert_entities,
    "one long value": lambda n: json.dumps({"name": "x", "Query": "a " * (n // 2), "src": "a/" * (n // 2)}),
}
SMALL, LARGE = 16_384, LONGEST


@pytest.mark.parametrize("file", sorted((REPO / "alertgraph_spark/formats").glob("*.yaml")), ids=lambda file: file.stem)
def test_a_whole_format_is_linear(spark: SparkSession, file: Path) -> None:
    """Every column of a row is of one shape. Four times the text takes about four times as long; quadratic is sixteen."""
    one = load_format(file)

    def seconds(size: int) -> float:
        rows = [{name: shape(size)[:size] for name in one.reads} for shape in SHAPES.values()]
        lines = normalise_alerts(raw_tables(spark, rows, one.reads), {"Alerts_CL": one})
        begin = time.perf_counter()
        lines.write.format("noop").mode("overwrite").save()
        return time.perf_counter() - begin

    seconds(SMALL)  # Spark makes its code
    small, large = min(seconds(SMALL) for _ in range(2)), min(seconds(LARGE) for _ in range(2))

    assert large < 8 * small + 2
    assert large < 60


def test_the_reader_is_linear(spark: SparkSession, tmp_path: Path) -> None:
    def seconds(size: int) -> float:
        root = tmp_path / str(time.perf_counter_ns())
        lines = [shape(size) for shape in SHAPES.values()]
        put_lines(root, "Alerts_CL", "2026-03-10T04:57", [*lines, *(line + "} {" for line in lines)])
        days = export.list_days(spark, root.as_uri(), {"Alerts_CL": None})
        start = datetime(2026, 3, 10, tzinfo=timezone.utc)
        raw = export.read_export(spark, days, {"Alerts_CL": ["RawData"]}, start, start + timedelta(days=1))["Alerts_CL"]
        begin = time.perf_counter()
        raw.write.format("noop").mode("overwrite").save()
        return time.perf_counter() - begin

    seconds(SMALL)
    small, large = min(seconds(SMALL) for _ in range(2)), min(seconds(LARGE) for _ in range(2))

    assert large < 8 * small + 2
