"""The pages on architecture, data model, words and questions say what the code says."""

from __future__ import annotations

import re
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace
from types import ModuleType

import pytest
from pages import REPO, Page

from alertgraph_spark.config.keys import keys_table
from alertgraph_spark.config.settings import Settings
from alertgraph_spark.tables.schemas import RESULTS

SVG = "{http://www.w3.org/2000/svg}"
MADE = ("architecture.md", "img/architecture.svg", "data-model.md")


@pytest.mark.parametrize("name", MADE)
def test_a_made_page_is_what_the_code_says(make_docs: ModuleType, name: str) -> None:
    on_disk = (REPO / "docs" / name).read_text(encoding="utf-8")

    assert on_disk == make_docs.PAGES[name](), "run `make docs`"


def test_the_picture_has_every_room_and_the_line_in_order() -> None:
    package = REPO / "alertgraph_spark"
    rooms = {p.stem for p in package.iterdir() if p.suffix == ".py" or (p / "__init__.py").is_file()} - {"__init__"}
    texts = [one.text or "" for one in ET.parse(REPO / "docs/img/architecture.svg").iter(f"{SVG}text")]
    stages = ["read", "normalise", "interpret", "fold", "link", "connect", "match", "describe", "score", "explain"]

    assert rooms <= set(texts)
    assert [text for text in texts if text in stages] == stages


def test_a_room_that_comes_to_use_spark_changes_its_colour(
    make_docs: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = sys.modules[make_docs.picture.__module__]
    before, rooms = made.picture(), made.rooms()
    monkeypatch.setattr(made, "rooms", lambda: rooms | {"link": replace(rooms["link"], engine="spark")})

    assert made.picture() != before
    assert made.picture().count(made.FILL["spark"]) == before.count(made.FILL["spark"]) + 1


def test_the_data_model_has_every_saved_table_and_column() -> None:
    page = Page("docs/data-model.md")
    saved = page.text.split("## Saved by a run")[1].split("\n## ")[0]
    sections = dict(re.findall(r"^### (\w+)\n(.*?)(?=^### |\Z)", saved, re.M | re.S))

    assert list(sections) == [one.name for one in RESULTS]
    for one in RESULTS:
        rows = re.findall(r"^\| `(\w+)` \| `([^`]+)` \| (no)? ?\| (.+) \|$", sections[one.name], re.M)
        assert [(name, kind) for name, kind, *_ in rows] == [(c.name, c.type) for c in one.columns]
        assert f"One row: {one.grain}." in sections[one.name]


def test_the_glossary_has_one_entry_a_word_in_the_order_of_letters() -> None:
    words = [word for word, *_ in Page("docs/glossary.md").table("word")]

    assert len(words) == len(set(words)) > 50
    assert words == sorted(words, key=lambda word: re.sub(r"[^a-z ]", "", word.lower()))
    assert {"alert", "episode", "link", "subgraph", "motif", "span", "signature", "verdict", "exception"} <= set(words)


KEYS = {line.split("`")[1] for line in keys_table(Settings).splitlines() if "`" in line}


@pytest.mark.parametrize("name", ["glossary", "faq", "architecture", "data-model"])
def test_keys_that_a_page_names_are_those_of_the_configuration(name: str) -> None:
    sections = "|".join(sorted({key.partition(".")[0] for key in KEYS if "." in key}))
    named = set(re.findall(rf"`((?:{sections})\.[a-z_]+)\b", Page(f"docs/{name}.md").text))

    assert named <= KEYS


def test_every_question_has_an_answer_that_leads_on() -> None:
    """To where it was asked, or to the page of ours that answers it; a question without either is a guess."""
    text = Page("docs/faq.md").text
    answers = re.findall(r"^### ([^\n]+)\n(.*?)(?=^###? |\Z)", text, re.M | re.S)

    assert len(answers) > 15
    assert [question for question, answer in answers if not re.search(r"\]\((?!https)[^)]+\)", answer)] == []
    assert len(re.findall(r"https://github\.com/[\w.-]+/[\w.-]+/(?:issues|pull)/\d+", text)) > 15


def test_messages_that_the_questions_quote_are_documented() -> None:
    operations = Page("docs/operations.md").text

    assert "… links join two subgraphs" in operations
    assert "… links join two subgraphs" in Page("docs/faq.md").text
