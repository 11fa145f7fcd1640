"""Check the sections of docstrings (numpydoc) against the code, by pydoclint.

    check_docstrings.py [--shrink]

A function that another room imports has the sections Parameters, Returns or Yields, and Raises. One with a single parameter
that raises nothing may do without. Any other function needs no sections; those that it has are checked,
since a list that is not complete misleads. Private functions are not checked.

`docs/docstrings.txt` lists the functions that are not mended yet, one a line. A function that is not in it must be clean. A
function that is mended must leave it: `--shrink` takes it out. Nothing adds a function.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

from pydoclint.main import _checkFile

REPO = Path(__file__).resolve().parent.parent
PACKAGE = "alertgraph_spark"
SHIPPED = (PACKAGE, "jobs")
LISTED = Path("docs/docstrings.txt")
SECTION = re.compile(r"^(Parameters|Returns|Yields|Raises)\n-+$", re.M)

LEFT_OUT = {
    "DOC101": "DOC103 names the parameters that are missing",
    "DOC301": "a class and its __init__ may each have a docstring",
    "DOC404": "a type of what is yielded stands in the signature",
    "DOC502": "what is raised deeper down is told to the caller, too",
    "DOC503": "the same; `unsaid_raises` looks for the other direction",
}
"""Codes of pydoclint that this project does not ask for, each with the reason."""

Function = ast.FunctionDef | ast.AsyncFunctionDef

Place = tuple[str, str]
"""The name of a module, and a name in it."""


def parsed(path: Path) -> ast.Module:
    """The syntax tree of a file."""
    return _parsed(path.read_text(encoding="utf-8"))


@cache
def _parsed(text: str) -> ast.Module:
    return ast.parse(text)


def shipped(repo: Path) -> dict[str, Path]:
    """The files of what ships, by the name of their module."""
    files = [path for folder in SHIPPED for path in sorted((repo / folder).rglob("*.py"))]
    return {".".join(path.relative_to(repo).with_suffix("").parts).removesuffix(".__init__"): path for path in files}


def room_of(module: str) -> str:
    """The room of a module: the folder or the file right below the package."""
    return ".".join(module.split(".")[:2])


def imported(tree: ast.Module) -> Iterator[Place]:
    """Module and name of each `from module import name`, and of each use of a module that was imported so."""
    modules = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            for name in node.names:
                yield node.module, name.name
                modules[name.asname or name.name] = f"{node.module}.{name.name}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
            yield modules[node.value.id], node.attr


def face_of(repo: Path) -> set[Place]:
    """Module and name of what a room gives to other rooms: where it is defined, not where it is passed on."""
    files = shipped(repo)
    passed_on = {
        (module, name): (source, name)
        for module, path in files.items()
        for source, name in imported(parsed(path))
        if room_of(source) == room_of(module)
    }
    face = set()
    for module, path in files.items():
        for place in imported(parsed(path)):
            if room_of(place[0]) != room_of(module):
                face.add(_origin(place, passed_on))
    return face


def _origin(place: Place, passed_on: Mapping[Place, Place]) -> Place:
    while place in passed_on:
        place = passed_on[place]
    return place


def public_functions(tree: ast.Module) -> Iterator[tuple[str, Function]]:
    """Functions and methods with a public name, each by its dotted name."""
    todo: list[tuple[str, ast.stmt]] = [("", node) for node in tree.body]
    for prefix, node in todo:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            todo += [(f"{node.name}.", inner) for inner in node.body]
        if isinstance(node, Function) and (not node.name.startswith("_") or node.name == "__init__"):
            yield f"{prefix}{node.name}", node


def unsaid_raises(message: str) -> list[str]:
    """Exceptions that a body raises and its docstring does not name; a name in small letters is a function that makes one."""
    said, done = (re.findall(r"[\w.]+", part) for part in re.findall(r"\[(.*?)\]", message)[-2:])
    return [name for name in done if name not in said and name.split(".")[-1][:1].isupper()]


def needs_no_sections(function: Function, codes: Sequence[str]) -> bool:
    """Whether a function has one parameter at most and raises nothing."""
    arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    own = [argument for argument in arguments if argument.arg not in ("self", "cls")]
    return len(own) <= 1 and not any(code.startswith("DOC5") for code in codes)


def is_checked(function: Function, codes: Sequence[str], *, is_face: bool) -> bool:
    """Whether the sections of a function are asked for: it has some, or it is called from another room."""
    has_sections = SECTION.search(ast.get_docstring(function) or "") is not None
    return has_sections or (is_face and not needs_no_sections(function, codes))


def violations(repo: Path) -> dict[str, list[str]]:
    """What is wrong, by file and function; nothing for a function that is clean."""
    face = face_of(repo)
    found: dict[str, list[str]] = {}
    for module, path in shipped(repo).items():
        by_line: dict[int, list[str]] = {}
        for one in _checkFile(
            path,
            argTypeHintsInDocstring=False,
            skipCheckingShortDocstrings=False,
            skipCheckingPrivateFunctions=True,
            allowInitDocstring=True,
            checkReturnTypes=False,
            checkYieldTypes=False,
            checkClassAttributes=False,
        ):
            if one.fullErrorCode not in LEFT_OUT or (one.code == 503 and unsaid_raises(one.msg)):
                by_line.setdefault(one.line, []).append(str(one))
        for name, function in public_functions(parsed(path)):
            wrong = by_line.get(function.lineno, [])
            if wrong and is_checked(function, [one[:6] for one in wrong], is_face=(module, name) in face):
                found[f"{path.relative_to(repo)} {name}"] = wrong
    return found


def main(arguments: Sequence[str], repo: Path = REPO) -> int:
    """Check what ships, and say what is new and what is mended; 1 where any is found."""
    found = violations(repo)
    listed = (repo / LISTED).read_text(encoding="utf-8").splitlines()
    new = sorted(found.keys() - set(listed))
    for place in new:
        print(place, *found[place], sep="\n    ")
    mended = [place for place in listed if place not in found]
    if "--shrink" in arguments:
        (repo / LISTED).write_text("".join(f"{place}\n" for place in listed if place in found), encoding="utf-8")
        mended = []
    for place in mended:
        print(f"{place}\n    is mended and still in {LISTED}: run `make docstrings`")
    return int(bool(new or mended))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
