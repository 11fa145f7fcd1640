"""The page on the method is true: each number of its examples and formulas is what the code gives."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from arrows import bin_row, described_table, episode_table, keep_bin_rows, link_table, table_of
from incident import DAY, Row, at, story, told

from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.connect.absorb import absorb_sessions, group_strengths
from alertgraph_spark.connect.forest import choose_causes, link_roots
from alertgraph_spark.connect.groups import find_groups, session_links
from alertgraph_spark.connect.meet import meet_groups
from alertgraph_spark.describe import describe_subgraphs
from alertgraph_spark.explain.related import MOST_RELATED, RARE
from alertgraph_spark.explain.ties import MOST_TIES, tie
from alertgraph_spark.fold.episodes import fold_episodes
from alertgraph_spark.graph.in_process import find_components
from alertgraph_spark.link import describe_sessions, find_links, in_order, with_session
from alertgraph_spark.link.candidates import ENTITY_CLASSES, SITE_CLASSES, Pairs, Timeline
from alertgraph_spark.link.everyday import name_ends
from alertgraph_spark.link.odds import count_bursts, log_odds, probability
from alertgraph_spark.score import TERMS, score_subgraphs
from alertgraph_spark.tables.embedded import Engine
from alertgraph_spark.tables.interim_schemas import CALENDAR, PATHS, SESSIONS
from alertgraph_spark.tables.rates import rate_of
from alertgraph_spark.tables.schemas import FEATURES, LINKS, MOTIF_HITS

REPO = Path(__file__).parent.parent
PAGE = (REPO / "docs" / "method.md").read_text(encoding="utf-8")
P = RankingParameters()


def says(heading: str, text: str) -> None:
    """Fail unless a section of the page has this text, wherever its lines break."""
    (section,) = re.findall(rf"^## {heading}\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S)
    assert text in " ".join(section.split())


def test_the_table_of_parameters_is_what_the_code_says(make_docs: ModuleType) -> None:
    assert make_docs.method_page(PAGE) == PAGE, "run `make docs`"


def test_every_section_has_an_example_and_every_named_parameter_exists() -> None:
    sections = re.findall(r"^## ([^\n]*)\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S)
    without = {heading for heading, text in sections if "Example: " not in text}
    assert without == {"Limits", "Parameters"}
    anchors = {heading.lower().replace(" ", "-") for heading, _ in sections}
    assert set(re.findall(r"\]\(#([a-z-]+)\)", PAGE)) <= anchors
    prose = PAGE.partition("## Parameters")[0]
    known = {*vars(P), *LINKS.names, *FEATURES.names}
    others = {"surprise", "any_rate", "type_rate", "cuts", "contributions", "weight", "chance"}
    assert set(re.findall(r"`([a-z_]{4,})`", prose)) <= known | others


def test_formulas_have_the_numbers_of_the_parameters() -> None:
    minus = [f"{-n:g}" for n in (P.link_gap, P.link_type_rate, P.link_any_rate, P.link_same_type, P.link_burst)]
    says(
        "Log-odds of a link",
        f"`l = {P.link_base:g} - {minus[0]} ln(g + 1/60) - {minus[1]} ln type_rate - {minus[2]} ln any_rate"
        f" + {P.link_surprise:g} c_a - {minus[3]} [same type] - {minus[4]} (u_a + u_b)"
        f" + {P.link_same_actor:g} [same actor] + {P.link_common:g} max(0, n - 1)`",
    )
    assert P.instant_hours == 1 / 60
    says("Meeting", f"`S = sum of c_i / i^{P.damping:g}`")
    says("Meeting", f"`r (t_B - t_A) <= {P.meet_chance:g}`")
    says("Meeting", f"at least {f'{P.meet_like_share:g}'[1:]} as strong")
    says("Absorbing", f"c_1 + {P.repeat_share:g} (c_2 / 2")
    assert P.absorb_share == 1 / 3
    says(
        "Absorbing",
        f"`s_A >= {P.absorb_nats:g}`, `s_B < s_A / 3`, `rate * gap <= {P.absorb_chance:g}` and"
        f" `rate * span <= {P.absorb_span_chance:g}`",
    )
    says(
        "Rarity of a subgraph",
        f"c ({P.severity_base:g} + severity) [1 if new on this pair, else {P.known_pair_share:g}]`",
    )
    says("Rarity of a subgraph", f"(h + 1) / (H + {P.quiet_prior:g})")
    weights = {term.name: term.weight(P) for term in TERMS}
    assert [weights.pop(name) for name in ("rarity", "quiet_host", "kill_chain", "crossing")] == [1] * 4
    says(
        "Score",
        f"+ {weights.pop('ot_action'):g} [acts on the process] - {-weights.pop('planned'):g} planned - ln(hosts)"
        f" - {-weights.pop('outside'):g} outside`, `score = z / (z + {P.half_score:g})`",
    )
    assert weights == {"spread": -1, "memory": 1}
    says("Memory of chains", f"Above {P.memory_least_alike:g} (`memory_least_alike`)")
    says("Memory of chains", f"above {P.memory_true_alike:g} (`memory_true_alike`)")
    says("Memory of chains", f"less than {P.memory_covered:g} (`memory_covered`)")
    says("Memory of chains", f"`P' = ({P.memory_prior:g} P + n) / ({P.memory_prior:g} + n + m)`")
    says("Memory of chains", f"half after {P.memory_half_life_days:g} days")
    says("Memory of chains", f"{P.memory_most_log_odds:g} at most")
    says("Offset of a site", f"`logit P = {P.nats_slope:g} (z - {P.even_nats:g}) + o`")
    says("Offset of a site", f"variance {P.site_variance:g} (`site_variance`)")
    says("Probability", f"exp({P.even_nats * P.nats_slope:.1f} - {P.nats_slope:g} z)")
    says("Ties in words", f"at most {MOST_TIES} of them")
    says("Related subgraphs", f"up to {MOST_RELATED} other subgraphs")
    says("Related subgraphs", f"if {RARE} subgraphs or fewer have it")
    assert ENTITY_CLASSES == (0, 3, 4, 5)
    says("Candidates", "a surprise of at least 3, 4 and 5 nats")
    *first, last = (f"{nats:g}" for nats in SITE_CLASSES)
    says("Candidates", f"at least {', '.join(first)} or {last} nats")


def test_rarity_of_an_episode() -> None:
    hours = {0: "hq", 10: "a", 20: "b", 30: "c", 98: "d"}
    rows = [
        bin_row(DAY + timedelta(hours=h), name="x" if h else "site begins", target_entity=f"host:{who}")
        for h, who in hours.items()
    ]
    with Engine() as engine:
        keep_bin_rows(engine, rows)
        last = fold_episodes(engine, table_of(CALENDAR, []), P).episodes.to_pylist()
    asked = max(last, key=lambda row: row["started_at"])
    assert (asked["fleet_share"], asked["actor_share"]) == (4 / 100, 1 / 100)
    says("Rarity of an episode", f"The shares are 4 / 100 and 1 / 100, c = {asked['surprise']:.2f} nats.")


def test_everyday_rates() -> None:
    def asked(minute: float, text: str, seen: int) -> Row:
        hours = minute // 60
        return told(f"{minute} {text}", history_hours=hours, fleet_share=(seen + 1) / (hours + 2))

    past = [asked(0, "a/it -> b/it smb", 0), asked(60, "a/it -> c/it smb", 1), asked(130, "b/it usb", 0)]
    ends, names = name_ends(in_order(episode_table(story("plant", 1, *past, asked(600, "a/it -> b/it smb", 2)))), P)
    (of_a,) = [
        i for i, (place, key) in enumerate(zip(ends.at, ends.key, strict=True)) if (place, names[key]) == (3, "host:a")
    ]
    says(
        "Everyday rates",
        f"any_rate = 3 / 12 = {ends.any_rate[of_a]:.2f},"
        f" type_rate = 3 / 12 * (2 + 3 / 3) / (2 + 3) = {ends.type_rate[of_a]:.2f}.",
    )


def test_candidates() -> None:
    rows = [told(f"{m} fs1/it x{m}", surprise=1.0 if m else 6.0) for m in (0, 10, 20, 30, 40, 50)]
    links = find_links(in_order(episode_table(story("plant", 1, *rows))), RankingParameters(link_least=-100))
    tried = sorted(10 * (row["src"] - 1) for row in links.to_pylist() if row["dst"] == 6)
    says("Candidates", f"For an alert at 50 those of {', '.join(map(str, tried))} are tried")


def timeline(*minutes: float) -> Timeline:
    t0 = np.array([round(at(minute).timestamp() * 1e6) for minute in minutes], dtype=np.int64)
    four, zeros = np.full(len(t0), 4.0), np.zeros_like(t0)
    return Timeline(
        t0, t0, np.searchsorted(t0, t0), zeros, four, four, four, zeros, zeros, zeros == 0, zeros == 1, zeros == 1
    )


def odds(is_same_actor: bool) -> float:
    facts = {"earlier": 0, "later": 1, "key": 5, "role": 0, "gap_hours": 0.5, "type_rate": 0.01, "any_rate": 0.1}
    pairs = Pairs(*(np.array([(facts | {"n_common": 1})[name]]) for name in Pairs._fields))
    flags = {"is_same_type": np.array([False]), "is_same_actor": np.array([is_same_actor])}
    return float(log_odds(pairs, timeline(0, 30), np.zeros(2), P, **flags)[0])


CHANCE = 1 - math.exp(-float(rate_of(np.array([0.01]), P)[0]) * 0.5)


def test_log_odds_of_a_link() -> None:
    plain, same = odds(False), odds(True)
    assert plain < P.link_least < same
    says(
        "Log-odds of a link",
        f"l = {plain:.2f}, not likely. By one actor it is {same:.2f}: likely,"
        f" weight {probability(np.array([same]))[0]:.2f}, chance {CHANCE:.4f}.",
    )
    assert pytest.approx(1 - 0.99**0.5) == CHANCE


def test_bursts() -> None:
    actors = np.arange(4)
    bursts = count_bursts(timeline(0, 3, 6, 9.9), np.zeros(4, dtype=np.int64), actors, P)
    says(
        "Bursts",
        f"3 others raise it within ten minutes: u = {bursts[1]:.2f}, and a link loses {-P.link_burst * bursts[1]:.2f} nats.",
    )


def link(src: int, dst: int, odds: float, kind: str = "account", gap_minutes: float = 1.0) -> Row:
    alike = dict(site="plant", entity="host:fs1", chance=0.5, weight=0.25, kind=kind, gap_minutes=gap_minutes)
    return {**alike, "src": src, "dst": dst, "log_odds": odds}


def causes_of(links: Iterable[Row], rows: list[Row]) -> dict[tuple[int, int], float]:
    with Engine() as engine:
        causes = choose_causes(engine, table_of(LINKS, links), episode_table(rows), P)
    return {(row["src"], row["dst"]): row["weight"] for row in causes.to_pylist()}


def test_causes() -> None:
    a, b, c, d = 1, 2, 3, 4
    rows = story("plant", 1, *(f"{m} h{m}/it x" for m in range(4)))
    assert set(causes_of([link(a, c, -0.5), link(b, c, -1.2), link(b, d, -3.0)], rows)) == {(a, c)}
    says("Causes", "c may follow a (l = -0.5) or b (-1.2), d only b (-3.0). c takes a; d takes none.")


def test_the_opening_act() -> None:
    rows = story("plant", 1, "0 ws1/it -> fs1/it x", "60 fs1/it -> db1/it y", "63 fs1/it -> db2/it z")
    links = table_of(LINKS, [link(2, 3, -0.5), link(1, 3, -1.0), link(1, 2, -2.6)])
    with Engine() as engine:
        causes = choose_causes(engine, links, episode_table(rows), P)
    opening = link_roots(links, causes, episode_table(rows), P)
    assert [(row["src"], row["dst"]) for row in causes.to_pylist()] == [(2, 3)]
    assert [(row["src"], row["dst"]) for row in opening.to_pylist()] == [(1, 3)]
    says("The opening act", "3 takes 2 (l = -0.5), 2 takes none, though 1 led to 3 with l = -1.0: 1 is the cause")


def test_early_pivots() -> None:
    rows = [{**row, "history_hours": 5.0} for row in story("plant", 1, "0 ws1/it -> fs1/it x", "20 fs1/it -> db1/it y")]
    (weight,) = causes_of([link(1, 2, -9.0, "pivot", 20.0)], rows).values()
    assert causes_of([link(1, 2, -9.0, "pivot", 40.0)], rows) == {}
    says("Early pivots", f"goes on from there 20 minutes later: linked, weight {weight:.2f}. After 40 minutes: not")


def test_sessions() -> None:
    with Engine() as engine:
        parted = with_session(engine, episode_table(story("plant", 1, "0 fs1/it a", "10 fs1/it b", "20.1 fs1/it c")), P)
        assert parted["session"].to_pylist() == [1, 1, 3]
        past = [told("0 fs2/it x", history_hours=0.0), told("600 fs1/it x", history_hours=10.0)]
        rates = describe_sessions(engine, with_session(engine, episode_table(story("plant", 1, *past)), P), P)
    says("Sessions", f"One as strong in 10 past hours: {rates['site_rate'].to_pylist()[1]:.3f} an hour.")


def test_size_cap() -> None:
    rows = [{**row, "session": row["episode"]} for row in story("plant", 1, *(f"{m} h{m}/it x" for m in range(4)))]
    episodes = episode_table(rows, {"session": "bigint"})
    with Engine() as engine:
        pairs = session_links(engine, link_table([(1, 2, 0.9), (2, 3, 0.1), (3, 4, 0.8)]), episodes)
        found = find_groups(engine, pairs, RankingParameters(max_sessions=2), find_components, 10)
    (refused,) = found.refused.to_pylist()
    says("Size cap", f"{refused['src']}-{refused['dst']} is refused.")


def grouped(*rows: tuple[int, Row]) -> pa.Table:
    """Episodes numbered from 1, each a session, with the number of its group."""
    facts = [
        {**row, "episode": n, "session": n, "component": group, "is_lone": row["source_entity"] is None}
        for n, (group, row) in enumerate(rows, 1)
    ]
    return episode_table(facts, {"session": "bigint", "component": "bigint", "is_lone": "boolean"})


def test_meeting() -> None:
    def group(number: int, hour: int) -> list[tuple[int, Row]]:
        facts = {"history_hours": 401.0 + hour}
        return [
            (number, told(f"{60 * hour} fs1/it {name}", surprise=c, **facts)) for name, c in (("x", 8.0), ("y", 4.0))
        ]

    early = [(n, {**row, "history_hours": 396.0}) for n, row in group(1, 0)]
    late = [(n, {**row, "history_hours": 401.0}) for n, row in group(3, 5)]
    with Engine() as engine:
        (met,) = meet_groups(engine, grouped(*early, *late), P).to_pylist()
        strong = RankingParameters(meet_nats=10.215), RankingParameters(meet_nats=10.225)
        assert [len(meet_groups(engine, grouped(*early, *late), p)) for p in strong] == [1, 0]
    expected = -math.log(1 - met["chance"])
    says("Meeting", "types of 8 and 4 nats make S = 10.22.")
    says(
        "Meeting",
        f"r = {expected / 5:.5f}, and two that begin 5 hours apart at one host meet, as {expected:.4f} <= 0.1.",
    )


def test_absorbing() -> None:
    core = [(1, told(f"{m} fs{m}/it rare {m}", surprise=8.0)) for m in (0, 100)]
    episodes = grouped(*core, (3, told("30 db1/it odd", surprise=3.0)))
    facts = {"band": 0, "site_rate": 0.2, "host_rate": 0.2}
    sessions = [
        {**row, **facts, "host": row["target_entity"], "strength": row["surprise"]} for row in episodes.to_pylist()
    ]
    with Engine() as engine:
        strength = {row["component"]: row["strength"] for row in group_strengths(engine, episodes, P).to_pylist()}
        (taken,) = absorb_sessions(engine, episodes, table_of(SESSIONS, sessions), P).to_pylist()
    assert (strength, taken["core"], taken["gap_minutes"]) == ({1: 16.0, 3: 3.0}, 3, 30.0)
    gap, span = 0.2 * taken["gap_minutes"] / 60, 0.2 * 100 / 60
    says("Absorbing", f"0.2 * 0.5 = {gap:.2f} and 0.2 * 1.67 = {span:.2f}: absorbed.")


def test_rarity_of_a_subgraph() -> None:
    rows = [
        {**told("0 fs1/it x", surprise=6.0, severity=0.5), "episode": 1},
        {**told("1 fs1/it y", surprise=4.0, severity=1.0), "episode": 2, "is_new_pair": False},
    ]
    with Engine() as engine:
        tables = table_of(MOTIF_HITS, []), table_of(PATHS, [])
        (found,) = describe_subgraphs(engine, described_table(rows), *tables, P, chains=()).to_pylist()
    says("Rarity of a subgraph", f"6 and 3.6, rarity = {found['rarity_nats']:.2f} nats.")
    says("Rarity of a subgraph", f"nothing was heard in 200 hours: quiet = {found['quiet_nats']:.2f} nats.")


def scored(*strengths: tuple[float, float], **parameters: Any) -> list[Row]:
    """Subgraphs by rank, each with the day on which it began and its rarity in nats."""
    rows = []
    for n, (day, rarity) in enumerate(strengths):
        seen = dict.fromkeys(("first_seen", "last_seen", "last_received"), at(60 * (24 * day + n / 10)))
        counts = dict.fromkeys(("n_alerts", "n_episodes", "n_hosts", "n_types"), 1)
        past = {"name": "x", "seen_hours": 0, "history_hours": 200.0}
        row: Row = {
            "subgraph_id": f"sg-{n}", "site": "plant", "tactics": [], "motifs": [], "path": [], "rarest": [past],
            "quietest": past, "act_name": None, "is_warm_up": False, "severity": 0.0, "chain_hops": 0.0, **seen, **counts,
        }  # fmt: skip
        rows.append({**row, **dict.fromkeys((term.column for term in TERMS), 0.0), "rarity_nats": rarity})
    with Engine() as engine:
        p = RankingParameters(**parameters)
        return score_subgraphs(engine, table_of(FEATURES, rows), p, titles={}, checks={}).to_pylist()


def test_score_and_probability() -> None:
    z = 18 + 5.3 + 3 - math.log(4)
    strong, least = scored((0, z), (0, P.show_nats))
    says("Score", f"rarity 18, quiet 5.3, 3 stages, 4 hosts: z = {z:.2f}, score = {strong['score']:.3f}.")
    says("Probability", f"z = {z:.2f}: P = {strong['probability']:.2f}.")
    says("Probability", f"At z = {P.show_nats:g}, where showing begins: P = {least['probability']:.2f}.")


def test_what_is_shown() -> None:
    day = (0, 20.0), (0, 17.0), (0, 15.0)
    assert [row["is_shown"] for row in scored(*day)] == [True, False, False]
    assert [row["is_shown"] for row in scored(*day, budget_per_day=3)] == [True, True, False]
    says(
        "What is shown",
        "on one day z = 20, 17 and 15: the first is shown; with a budget of 3 the second too, the third never.",
    )


def test_quiet() -> None:
    def is_shown(*days: float) -> bool:
        rows = scored((0, 1.0), *((day, 19.0) for day in days), (9.0, 20.0), quiet=True)
        return bool(rows[0]["is_shown"])

    assert is_shown(3.5, 5.5)
    assert not is_shown(2.5, 3.5, 5.5)
    two, three = (-math.log(1 - (n + 0.5) / 10) for n in (2, 3))
    assert two <= P.show_exceedance < three
    says(
        "What is shown",
        f"two of the days before brought one like it: {two:.2f} a day, shown. Three: {three:.2f}, not shown.",
    )


def test_ties_in_words() -> None:
    names = {"earlier": "RDP logon", "later": "New service", "kind": "pivot", "entity": "host:fs01"}
    says("Ties in words", f"Example: {tie({**names, 'gap_minutes': 30.0, 'chance': CHANCE})}")


def test_related_subgraphs() -> None:
    two, four = math.log(100 / 2), math.log(100 / 4)
    example = f"{two:.2f} nats; one that shares a server with three others: {four:.2f}"
    says("Related subgraphs", f"Example: of 100 subgraphs two have an account in common: {example}.")
