"""The house rules as tests: who may import whom, where Spark may act, and what every public name owes its reader.

The import rules stand in `pyproject.toml` as contracts of import-linter. Each contract is shown to hold, and shown to break
when one line that it forbids is planted into a copy of the package.
"""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPO = Path(__file__).parent.parent
PACKAGE = REPO / "alertgraph_spark"
MODULES = sorted(PACKAGE.rglob("*.py"))
CONTRACTS = (REPO / "pyproject.toml").read_text(encoding="utf-8")

LONGEST = 250
"""One declaration a line, and all tables in one place: half of it would have to be read beside the other half."""

MAY_ACT = {"ranking.py", "lines.py", "sites.py", "tables/frames.py", "graph/on_graphframes.py"}
"""Besides the rooms at the edge: who holds and folds the lines, who asks the workers, who collects, who runs an algorithm."""

EDGES = ("read/", "publish/", "access/", "commands/")


def name_of(module: Path) -> str:
    return module.relative_to(PACKAGE).as_posix()


def lint_imports(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    script = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(
        [str(script), "--no-cache", *options], cwd=folder, check=False, capture_output=True, text=True, timeout=60
    )


# Contract, module that breaks it, and the line that does.
BREACHES = [
    ("layers", "link/sessions.py", "from alertgraph_spark import fold"),  # a stage that knows another
    ("layers", "tables/schemas.py", "from alertgraph_spark import graph"),  # against the direction
    ("layers", "utils.py", "X = 1"),  # a module without a place
    ("edges-apart", "publish/compiled.py", "from alertgraph_spark.read import export"),
    ("edges-apart", "publish/notification/forms.py", "from alertgraph_spark.publish.log_analytics import Ledger"),
    ("edges-apart", "publish/log_analytics/rows.py", "from alertgraph_spark.publish.safe_csv import csv_text"),
    ("edges-know-tables", "read/export.py", "from alertgraph_spark.score import TERMS"),
    ("cloud-at-the-edge", "score/terms.py", "import mlflow"),
    ("cloud-at-the-edge", "commands/cli.py", "import yaml"),
    ("config-is-local", "config/loading.py", "from azure.identity import DefaultAzureCredential"),
    ("config-is-local", "config/settings.py", "from pyspark.sql import SparkSession"),
    ("pure-pipeline", "pipeline.py", "from alertgraph_spark.read import export"),
    ("pure-pipeline", "pipeline.py", "from alertgraph_spark.config.loading import load_settings"),
    ("no-spark-after-the-fold", "score/terms.py", "from pyspark.sql import SparkSession"),
    (
        "no-spark-after-the-fold",
        "tables/embedded.py",
        "from alertgraph_spark.tables import frames",
    ),  # and Spark with it
    ("graphframes-in-graph", "lines.py", "from graphframes import GraphFrame"),
    ("nothing-above", "normalise/alerts.py", "from jobs import rank_alerts"),
]


def test_the_imports_keep_every_contract() -> None:
    done = lint_imports(REPO)

    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"Contracts: \d+ kept, 0 broken", done.stdout)


@pytest.mark.parametrize(("contract", "file", "line"), BREACHES, ids=lambda part: part)
def test_a_planted_breach_is_found(tmp_path: Path, contract: str, file: str, line: str) -> None:
    shutil.copytree(PACKAGE, tmp_path / "alertgraph_spark", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPO / "pyproject.toml", tmp_path)
    with (tmp_path / "alertgraph_spark" / file).open("a", encoding="utf-8") as module:
        module.write(f"\n{line}\n")

    done = lint_imports(tmp_path, "--contract", contract)

    assert done.returncode == 1, done.stdout + done.stderr
    assert "0 kept, 1 broken" in done.stdout, done.stdout + done.stderr


def test_every_contract_has_a_breach_that_it_finds() -> None:
    assert set(re.findall(r'^id = "(.+)"$', CONTRACTS, re.M)) == {contract for contract, _, _ in BREACHES}


def test_contracts_that_list_rooms_list_all_of_them() -> None:
    """A room that is new in `layers` must not be missed by the contracts that name their sources one by one."""
    package = {f"alertgraph_spark.{p.stem}" for p in PACKAGE.glob("*.py") if p.stem != "__init__"}
    package |= {f"alertgraph_spark.{p.parent.name}" for p in PACKAGE.glob("*/__init__.py")}
    by_id = {part.split('"')[0]: part for part in CONTRACTS.split('\nid = "')[1:]}

    def sources(contract: str) -> set[str]:
        return set(re.findall(r'"(alertgraph_spark\.\w+)"', by_id[contract].split("forbidden_modules")[0]))

    edges = {f"alertgraph_spark.{room}" for room in ("read", "publish", "access", "config")}
    assert sources("cloud-at-the-edge") == package - edges
    without_graphframes = sources("graphframes-in-graph") | sources("no-spark-after-the-fold")
    assert without_graphframes == package - {"alertgraph_spark.graph"}


def folders_without_types(repo: Path) -> set[str]:
    """Folders with Python code that mypy, called without arguments, does not read; what git ignores is no code of ours."""
    (read,) = re.findall(r"^files = (\[.*\])$", (repo / "pyproject.toml").read_text(encoding="utf-8"), re.M)
    folders = {p.name for p in repo.iterdir() if not p.name.startswith(".") and any(p.rglob("*.py"))}
    return folders - {"build", "dist", "tests"} - set(ast.literal_eval(read))


def test_mypy_reads_every_folder_with_python_code_but_the_tests(tmp_path: Path) -> None:
    assert folders_without_types(REPO) == set()

    shutil.copy(REPO / "pyproject.toml", tmp_path)
    for file in ("jobs/new.py", "pictures/one.png", "left_out/deep/new.py", "tests/test_new.py"):
        (tmp_path / file).parent.mkdir(parents=True)
        (tmp_path / file).touch()
    assert folders_without_types(tmp_path) == {"left_out"}


ACTIONS = {
    *("persist", "cache", "unpersist", "checkpoint", "localCheckpoint", "collect", "toPandas", "toArrow"),
    *("toLocalIterator", "foreach", "foreachPartition", "show", "isEmpty"),
}
ACTIONS_WITHOUT_ARGUMENT = {"count", "first"}
"""With an argument it is `str.count`, or an aggregate."""


def actions_in(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and name of every call that starts a Spark job or holds its rows; `F.count(...)` and the like are columns."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        is_function = isinstance(node.func.value, ast.Name) and node.func.value.id == "F"
        is_bare = node.func.attr in ACTIONS_WITHOUT_ARGUMENT and not node.args
        if not is_function and (node.func.attr in ACTIONS or is_bare):
            yield node.lineno, node.func.attr


def prints_in(tree: ast.Module) -> list[int]:
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [call.lineno for call in calls if isinstance(call.func, ast.Name) and call.func.id == "print"]


def bare_names_in(tree: ast.Module) -> Iterator[str]:
    """Every public name that owes its reader a docstring or an annotation."""
    if not ast.get_docstring(tree):
        yield "the module has no docstring"
    todo: list[tuple[str, ast.stmt]] = [("", node) for node in tree.body]
    for prefix, node in todo:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        name = f"{prefix}{node.name}"
        if any(part.startswith("_") and part != "__init__" for part in name.split(".")):
            continue
        if not ast.get_docstring(node):
            yield f"{name} has no docstring"
        if isinstance(node, ast.ClassDef):
            todo += [(f"{name}.", inner) for inner in node.body]
            continue
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        if node.returns is None or any(a.annotation is None for a in arguments if a.arg not in ("self", "cls")):
            yield f"{name} is not fully annotated"


def parsed(module: Path) -> ast.Module:
    return ast.parse(module.read_text(encoding="utf-8"), str(module))


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_a_module_keeps_the_house_rules(module: Path) -> None:
    tree, name = parsed(module), name_of(module)

    if name not in MAY_ACT and not name.startswith(EDGES):
        assert list(actions_in(tree)) == [], "caching, counting and collecting belong to lines, graph and the edges"
    assert prints_in(tree) == []
    assert list(bare_names_in(tree)) == []
    assert len(module.read_text(encoding="utf-8").splitlines()) <= LONGEST


def test_the_wheel_brings_every_package_and_data_file() -> None:
    call = next(node for node in ast.walk(parsed(REPO / "setup.py")) if isinstance(node, ast.Call) and _is_setup(node))
    given = {word.arg: word.value for word in call.keywords}
    packages, data = ast.literal_eval(given["packages"]), ast.literal_eval(given["package_data"])["alertgraph_spark"]
    others = {p for p in PACKAGE.rglob("*") if p.is_file() and p.suffix not in (".py", ".pyc")}

    there = {".".join(p.parent.relative_to(REPO).parts) for p in PACKAGE.rglob("__init__.py")}
    assert set(packages) == there | {"alertgraph_spark.jobs"}, "the job lies beside the package, and in it in the wheel"
    assert {p for pattern in data for p in PACKAGE.glob(pattern)} == others


def _is_setup(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Name) and call.func.id == "setup"


def test_the_job_is_a_table_of_contents() -> None:
    job = REPO / "jobs" / "rank_alerts.py"

    functions = [node for node in ast.walk(parsed(job)) if isinstance(node, ast.FunctionDef)]
    top = [node.name for node in parsed(job).body if isinstance(node, ast.FunctionDef)]
    assert top == [
        "main",
        "post_again",
        "usable_settings",
        "signed_in_session",
        "post_saved",
        "tell_saved",
        "cli",
    ]
    for function in functions:
        assert (function.end_lineno or 0) - function.lineno < 60
    assert {name for _, name in actions_in(parsed(job))} <= {"collect"}, "the few rows that are shown"


def test_the_rules_find_what_they_look_for() -> None:
    """Each rule sees its breach and lets the harmless neighbour pass."""
    bad = ast.parse("def f(x):\n    x.count()\n    y = x.persist().collect()\n    print(y)\n    return x.cache()\n")
    good = ast.parse(
        '"""A module."""\n_x = "aa".count("a") + len(G.groupBy("a").agg(F.count("b"), F.first("c")).columns)\n'
    )

    assert sorted(name for _, name in actions_in(bad)) == ["cache", "collect", "count", "persist"]
    assert prints_in(bad) == [4]
    assert list(bare_names_in(bad)) == [
        "the module has no docstring",
        "f has no docstring",
        "f is not fully annotated",
    ]
    assert [list(actions_in(good)), prints_in(good), list(bare_names_in(good))] == [[], [], []]
