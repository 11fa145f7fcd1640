"""The page on operations is true: it knows every message that the code can end with, and its queries and figures hold."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from alertgraph_spark import errors
from alertgraph_spark.config.health import HealthParameters
from alertgraph_spark.config.keys import keys_of
from alertgraph_spark.publish.log_analytics.streams import RUN_COLUMNS, STREAMS
from alertgraph_spark.tables.health_schemas import UNHEALTHY

REPO = Path(__file__).parent.parent
PACKAGE = REPO / "alertgraph_spark"
PAGE = (REPO / "docs" / "operations.md").read_text(encoding="utf-8")
ERRORS = {name for name, kind in vars(errors).items() if isinstance(kind, type)}

COMPOSED = {
    *(
        "config/loading.py",
        "config/format_files.py",
        "normalise/format_expressions.py",
        "read/assets.py",
        "interpret/exceptions.py",
        "tables/frames.py",
    ),
    *(f"publish/log_analytics/{name}.py" for name in ("posting", "target", "tasks", "rows")),
}
"""Where a message is made of parts that the page tells together: all problems of one file, each with its place."""


def skeleton(node: ast.expr) -> str:
    """The text of a message, with `…` for what is filled in."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "…" for part in node.values)  # type: ignore[misc]
    if isinstance(node, ast.BinOp):
        return skeleton(node.left) + skeleton(node.right)
    return "…"


def messages_in(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and skeleton of each error of ours that is raised."""
    for node in ast.walk(tree):
        call = node.exc if isinstance(node, ast.Raise) else None
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in ERRORS and call.args:
            yield node.lineno, skeleton(call.args[0])


def letters(text: str) -> int:
    return sum(sign.isalpha() for sign in text)


CELLS = [line.split(" | ")[0].removeprefix("| ") for line in PAGE.split("## What a run costs")[0].splitlines()]
DOCUMENTED = [(two or one) for cell in CELLS for two, one in re.findall(r"`` (.+?) ``|`([^`]+)`", cell)]
SITES = [
    (f"{file.relative_to(PACKAGE)}:{line}", text)
    for file in sorted(PACKAGE.rglob("*.py"))
    for line, text in messages_in(ast.parse(file.read_text(encoding="utf-8")))
]


def tells(documented: str, message: str) -> bool:
    """Whether a text of the page is this message: each `…` of the page stands for anything, and most of the words agree."""
    pattern = ".*".join(map(re.escape, documented.split("…")))
    is_short = documented.endswith("…") and letters(documented) >= 20
    return bool(re.fullmatch(pattern, message)) and (is_short or letters(documented) >= 0.8 * letters(message))


@pytest.mark.parametrize(("site", "message"), SITES, ids=[site for site, _ in SITES])
def test_every_message_is_on_the_page(site: str, message: str) -> None:
    if letters(message) < 4:
        assert site.partition(":")[0] in COMPOSED, f"{site}: write down what it says, or where its parts are told"
    else:
        assert any(tells(text, message) for text in DOCUMENTED), f"docs/operations.md does not know: {message}"


def test_every_message_of_the_page_is_in_the_code() -> None:
    composed = {"… has … problem…:", "export.root: …", "nothing was posted: …"}
    rows = [text for cell in CELLS for text in re.findall(r"^(?:`` (.+?) ``|`([^`]+)`)", cell)]
    told = {(two or one) for two, one in rows} - composed

    assert len(told) > 60
    assert {text for text in told if not any(tells(text, message) for _, message in SITES)} == set()


def test_the_check_sees_a_message_that_is_new_and_one_that_has_changed() -> None:
    (found,) = messages_in(ast.parse("raise ConfigError(f'the {colour} of the lake is {what}, not blue' + '!')"))

    assert found == (1, "the … of the lake is …, not blue!")
    assert tells("the … of the lake is …, not blue!", found[1])
    assert not tells("the … of the lake is …, not green!", found[1])
    assert not tells("the …", found[1]), "a beginning of three letters tells nothing"


def test_exit_codes_are_those_of_the_errors() -> None:
    codes = {getattr(errors, name).exit_code for name in ERRORS}

    assert codes == {1, 2}
    assert re.findall(r"^\| (\d[\d, ]*) \|", PAGE, re.M) == ["0", "2", "1", "137, 143"]


def test_queries_name_columns_that_the_tables_have() -> None:
    queries = re.findall(r"```kusto\n(.+?)```", PAGE, re.S)
    functions = {stream.table_name.removesuffix("_CL"): stream for stream in STREAMS}

    assert [query.splitlines()[0].split()[0] for query in queries] == [
        *("AlertGraphRuns", "AlertGraphHealth", "AlertGraphRuns", "AlertGraphRuns"),
    ]
    for query in queries:
        function = query.splitlines()[0].split()[0]
        known = {name for name, _ in RUN_COLUMNS} | {name for _, name, _ in functions[function].columns}
        plain = re.sub(r'"[^"]*"', "", query)
        own = set(re.findall(r"(\w+) =(?!=)", plain)) | {function}
        assert set(re.findall(r"\b[A-Z]\w+\b", plain)) - own <= known
        assert plain.count("(") == plain.count(")")


def test_what_is_said_of_sources_is_what_the_code_knows() -> None:
    told = re.findall(r"^\| `([a-z]+)` \| (.+?) \| .+? \|$", PAGE.split("## When something goes silent")[1], re.M)
    p = HealthParameters()
    words = dict(told)

    assert list(words)[:6] == [*UNHEALTHY, "new", "ok"]
    assert (p.usual_weeks, p.refused_points, p.flood_times, p.flood_alerts) == (2, 0.05, 3, 100)
    assert (p.slow_share, p.slow_times, p.slow_minutes, p.least_past_hours, p.least_weeks) == (0.95, 2, 30, 24, 2)
    assert (p.least_days, p.judged_hours) == (2, 24), "the page says all of these in words"


def test_the_numbers_by_which_sources_are_judged_are_those_of_the_code() -> None:
    for name, key in keys_of(HealthParameters).items():
        assert f"| `{name}` | {key.default:g} | {key.rule.meaning} | {key.rule.within} |" in PAGE, "run `make docs`"


def test_the_cost_of_a_million_alerts_follows_from_what_was_measured() -> None:
    n_alerts, seconds = re.findall(r"([\d,]+) alerts in 4,198 files take ([\d.]+) s", PAGE)[0]
    million = float(seconds) / int(n_alerts.replace(",", "")) * 1_000_000

    assert re.findall(r"^\| wall clock on two cores \| (\d+) s", PAGE, re.M) == [f"{million:.0f}"]
    assert re.findall(r"^\| core hours \| ([\d.]+)", PAGE, re.M) == [f"{2 * million / 3600:.3f}"]


def test_links_lead_somewhere() -> None:
    headings = {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in re.findall(r"^#+ (.+)$", PAGE, re.M)}

    for link in re.findall(r"\]\(([^)]+)\)", PAGE):
        assert link[1:] in headings if link.startswith("#") else (REPO / "docs" / link).exists(), link
