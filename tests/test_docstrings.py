"""Docstrings keep their sections, and the list of those that do not may only shrink."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

REPO = Path(__file__).parent.parent
sys.path.insert(0, str(REPO / "docs"))

from check_docstrings import LISTED, face_of, main, violations  # noqa: E402

FOLDED = '''
def fold(lines: list[str], pause: float) -> int:
    """Fold lines into episodes.

    Parameters
    ----------
    lines
        One item is one exported row.
    pause
        The pause that ends an episode, in seconds.

    Returns
    -------
    int
        The number of episodes.

    Raises
    ------
    ValueError
        If the pause is not positive.
    KeyError
        If a line has no time; `_parse` raises it.
    """
    if pause <= 0:
        raise ValueError(pause)
    return _parse(lines)


def _parse(lines: list[str]) -> int:
    return len(lines)
'''
CALLED = "from alertgraph_spark.fold.episodes import fold\n"


@pytest.fixture
def check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """What is said of a package in which `fold/episodes.py` has this text and another room has that."""

    def run(text: str, caller: str = CALLED, listed: str = "", *options: str) -> str:
        for file, content in (("fold/episodes.py", text), ("link/links.py", caller), (f"../{LISTED}", listed)):
            path = tmp_path / "alertgraph_spark" / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
        (tmp_path / "jobs").mkdir(exist_ok=True)
        code = main(options, tmp_path)
        said = capsys.readouterr().out
        assert code == bool(said), "what is wrong is said, and nothing else is"
        return said

    return run


def test_what_ships_has_no_docstring_that_is_worse_than_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0, capsys.readouterr().out


def test_the_list_is_sorted_and_names_what_is_there() -> None:
    listed = (REPO / LISTED).read_text(encoding="utf-8").splitlines()

    assert listed == sorted(set(listed))


def test_a_docstring_that_says_all_is_clean(check: Callable[..., str]) -> None:
    assert check(FOLDED) == "", "KeyError is raised deeper down, and may be told"


@pytest.mark.parametrize(
    ("before", "after", "code"),
    [
        ("    pause\n        The pause that ends an episode, in seconds.\n", "", "DOC103"),  # a parameter is missing
        ("    pause\n        The", "    gap\n        The", "DOC103"),  # it has another name
        ("    Returns\n    -------\n    int\n        The number of episodes.\n", "", "DOC201"),
        ("    ValueError\n        If the pause is not positive.\n", "", "DOC503"),
    ],
    ids=["missing", "renamed", "returns", "raises"],
)
def test_a_section_that_does_not_agree_is_found(check: Callable[..., str], before: str, after: str, code: str) -> None:
    assert before in FOLDED

    said = check(FOLDED.replace(before, after), "")
    assert said.startswith("alertgraph_spark/fold/episodes.py fold\n")
    assert code in said


ONE_LINE = 'def fold({0}) -> int:\n    """Give the number of episodes."""\n    return len(lines)\n'


def test_what_another_room_calls_needs_sections_and_its_neighbours_do_not(check: Callable[..., str]) -> None:
    two = ONE_LINE.format("lines: list[str], pause: float")

    assert "DOC103" in check(two)
    assert "DOC103" in check(two, "from alertgraph_spark.fold import episodes\n\nprint(episodes.fold)\n")
    assert check(two, "") == "", "no other room calls it"
    assert check(two.replace("fold(", "_fold("), CALLED.replace("fold\n", "_fold\n")) == "", "it is private"
    assert check(ONE_LINE.format("lines: list[str]")) == "", "one parameter is told by the sentence"


def test_what_raises_needs_a_section_for_it_although_it_has_one_parameter(check: Callable[..., str]) -> None:
    raising = ONE_LINE.format("lines: list[str]").replace("return", "raise KeyError(lines) or")

    assert "DOC501" in check(raising)


def test_a_name_that_is_passed_on_is_that_of_its_room(tmp_path: Path) -> None:
    for file, text in (
        ("fold/__init__.py", CALLED),
        ("fold/episodes.py", FOLDED),
        ("link.py", "from alertgraph_spark.fold import fold\n"),
    ):
        path = tmp_path / "alertgraph_spark" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    assert face_of(tmp_path) == {("alertgraph_spark.fold.episodes", "fold")}


def test_the_list_shrinks_and_never_grows(check: Callable[..., str], tmp_path: Path) -> None:
    bad, place = ONE_LINE.format("lines: list[str], pause: float"), "alertgraph_spark/fold/episodes.py fold\n"

    assert check(bad, CALLED, place) == "", "it is known"
    assert "is mended" in check(FOLDED, CALLED, place)
    assert check(FOLDED, CALLED, place, "--shrink") == ""
    assert (tmp_path / LISTED).read_text(encoding="utf-8") == ""

    assert "DOC103" in check(bad, CALLED, "", "--shrink"), "what is new is not taken into it"
    assert (tmp_path / LISTED).read_text(encoding="utf-8") == ""
    assert violations(tmp_path).keys() == {place.strip()}
