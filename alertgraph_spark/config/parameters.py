"""Every number of the ranking method: what it means, which values it may take, and where its value comes from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from alertgraph_spark.config.keys import Rule

JUDGEMENT = "judgement"
CHOSEN = "chosen on the development networks (AIT-ADS, the example plant, generated seeds 1 to 10)"

PURDUE = "Purdue reference model, ISA-95 and IEC 62443"


def parameter(default: float, meaning: str, within: str, source: str = JUDGEMENT) -> Any:
    """Declare a number of the method: its default, meaning, range, and the paper, page or experiment that set it."""
    return field(default=default, metadata={"rule": Rule(meaning, within=within), "source": source})


@dataclass(frozen=True)
class RankingParameters:
    """The numbers of the method. Hours, minutes and seconds as named; shares and chances in [0, 1]; strength in nats."""

    # What an operator turns.
    budget_per_day: int = parameter(1, "subgraphs shown a site and day", "[1, 1000]")
    warm_up_hours: float = parameter(24.0, "history that a site needs before anything of it is shown", "[0, 8760]")
    episode_gap_seconds: int = parameter(300, "pause that ends an episode", "(0, 86400]")
    chronic_share: float = parameter(0.20, "share of past hours from which a type is everyday noise", "(0, 1]", CHOSEN)
    session_gap_seconds: float = parameter(600.0, "pause that ends a session of a host", "(0, 86400]", CHOSEN)
    pivot_gap_minutes: float = parameter(30.0, "longest wait between reaching a host and acting from it", "(0, 10080]")
    max_gap_hours: float = parameter(336.0, "longest gap that any link may bridge", "(0, 8760]")
    coincidence: float = parameter(
        0.3, "other episodes expected in the gap of a patient link, at most", "(0, 1]", CHOSEN
    )
    max_sessions: int = parameter(
        80, "size cap of a subgraph, a session counting once; above it a day's weakest links go", "[2, 100000]", CHOSEN
    )
    chance_links: float = parameter(
        12.0,
        "links of such chance expected in a subgraph, at most: a larger one needs surer links",
        "(0, 100000]",
        "after Erdős and Rényi, On the evolution of random graphs (1960); " + CHOSEN,
    )
    show_exceedance: float = parameter(
        1.0, "earlier subgraphs a day that scored as high, at most, to be shown", "(0, 1000]"
    )

    # fold: what is everyday noise
    periodic_share: float = parameter(0.5, "share of past days that brought a routine about this time", "(0, 1]")
    periodic_days: int = parameter(3, "past days that it takes at least to know a routine", "[1, 365]")

    # link: through an entity
    pivot_weight: float = parameter(1.0, "weight of a link from reaching a host to acting from it", "(0, 1]")
    pair_weight: float = parameter(0.9, "weight of a link between alerts of one pair of hosts", "(0, 1]")
    account_weight: float = parameter(0.8, "weight of a link between alerts that name one account", "(0, 1]")
    source_weight: float = parameter(0.5, "weight of a link between alerts of one type from one source", "(0, 1]")
    nearest_pivot_weight: float = parameter(
        0.95, "least weight of a pivot from the nearest arrival within `pivot_gap_minutes`", "(0, 1]"
    )
    other_link_share: float = parameter(0.9, "share of its kind's weight that every other link has at most", "(0, 1]")
    instant_hours: float = parameter(1 / 60, "shortest gap that is asked about: busy hosts are never still", "(0, 1]")
    nearest_links: int = parameter(3, "earlier episodes tried for each later one and kind", "[1, 100]", CHOSEN)
    most_by_account: int = parameter(
        9, "earlier episodes to which accounts alone link an episode, at most: as many as a pivot may try", "[1, 1000]"
    )
    busy_account: int = parameter(
        60, "episodes an hour that name an account from which it links nothing: one a minute", "[1, 100000]"
    )
    severity_grades: int = parameter(4, "grades of severity by which the nearest as severe is sought", "[1, 100]")
    max_share: float = parameter(
        0.98, "share of past hours above which nothing is more frequent: a rate of 3.9 an hour", "(0, 1)"
    )

    # link: by time alone
    band_step: float = parameter(0.9, "each class of strength begins where this share of the next is reached", "(0, 1)")
    strong_rate: float = parameter(0.2, "sessions as strong an hour at the site, at most, to link by time", "(0, 10]")
    chance_elsewhere: float = parameter(
        0.03, "sessions as strong expected in the gap between two hosts, at most", "(0, 1]", CHOSEN
    )
    chance_here: float = parameter(0.3, "the same between two sessions of one host", "(0, 1]", CHOSEN)
    max_hours_elsewhere: float = parameter(3.0, "longest gap by time between two hosts", "(0, 8760]", CHOSEN)
    max_hours_here: float = parameter(
        12.0, "longest gap by time on one host: below a day, or what is daily hangs together", "(0, 8760]", CHOSEN
    )
    nearest_sessions: int = parameter(3, "sessions as strong tried before and after each", "[1, 100]")
    host_prior_hours: float = parameter(
        4.0, "hours for which a host counts as having lived as its site does, beside its own past", "(0, 1000]"
    )
    time_weight: float = parameter(0.9, "weight of a link by time at a gap of 0", "(0, 1]")

    # connect: what strong groups absorb, and what is told as context
    absorb_nats: float = parameter(15.0, "strength from which a group absorbs", "(0, 10000]", CHOSEN)
    absorb_chance: float = parameter(
        0.5, "sessions as strong expected between it and the group, at most", "(0, 100]", CHOSEN
    )
    absorb_share: float = parameter(1 / 3, "share of the group's strength from which on it stays apart", "(0, 1]")
    absorb_span_chance: float = parameter(
        2.0, "sessions as strong expected in the group's span, at most", "(0, 1000]", CHOSEN
    )
    repeat_share: float = parameter(
        0.3, "share of its surprise, divided by k, that the k-th episode of a type adds to a group", "[0, 1]", CHOSEN
    )
    absorb_weight: float = parameter(0.1, "weight of a link by which a group absorbs, at a gap of 0", "(0, 1]")
    context_share: float = parameter(0.15, "share of past hours above which a type is context, not evidence", "(0, 1]")

    # describe
    path_width: int = parameter(16, "walks kept for each episode when the longest path is sought", "[1, 1000]")
    damping: float = parameter(
        0.85, "exponent by which the i-th alert type of a subgraph counts less", "[0, 10]", CHOSEN
    )

    rarity_types: int = parameter(
        16,
        "alert types of a subgraph that earn rarity: an attack has a dozen, names are invented without end",
        "[1, 1000]",
    )
    new_types_an_hour: int = parameter(
        4, "never-seen types of one source and hour that earn rarity: a flood of new names is one thing", "[1, 1000]"
    )
    quiet_prior: float = parameter(
        3.0, "hours added to the past of a host: how quiet a host is of which nothing is known", "[2, 1000]"
    )
    external_level: float = parameter(
        5.0, "Purdue level of a machine outside that has none of its own", "[0, 5]", PURDUE
    )
    it_level: float = parameter(4.0, "the same of a machine in the office network", "[0, 5]", PURDUE)
    dmz_level: float = parameter(3.5, "the same between both", "[0, 5]", PURDUE)
    ot_level: float = parameter(2.0, "the same in the process network", "[0, 5]", PURDUE)

    # score
    rarity_weight: float = parameter(1.0, "weight of the surprise of its alert types", "[-1000, 1000]")
    quiet_host_weight: float = parameter(1.0, "weight of its quietest host", "[-1000, 1000]")
    severity_weight: float = parameter(2.0, "weight of the highest severity", "[-1000, 1000]")
    kill_chain_weight: float = parameter(1.0, "weight of each stage of an attack", "[-1000, 1000]")
    chain_weight: float = parameter(1.0, "weight of each hop of the longest path", "[-1000, 1000]")
    crossing_weight: float = parameter(1.0, "weight of each Purdue level from IT into OT", "[-1000, 1000]")
    ot_action_weight: float = parameter(3.0, "weight of an action on the process after a crossing", "[-1000, 1000]")
    planned_weight: float = parameter(-15.0, "weight of the share that was planned", "[-1000, 1000]")
    half_score: float = parameter(20.0, "nats that give a score of .5", "(0, 10000]")
    like_share: float = parameter(0.9, "share of a score from which on an earlier subgraph is one like it", "(0, 1]")
