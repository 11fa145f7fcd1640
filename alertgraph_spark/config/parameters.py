"""Every number of the ranking method: what it means, which values it may take, and where its value comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from alertgraph_spark.config.keys import Rule

JUDGEMENT = "judgement"
CHOSEN = "chosen on the development networks (AIT-ADS, the example plant, generated seeds 1 to 10)"

FITTED = "fitted on generated networks, seeds 1 to 6, and tried on others and on AIT-ADS (docs/method.md)"

LEARNED = "chosen on generated networks at levels usual and hard, seeds 21 to 24 (docs/method.md)"

CURVE = "logistic regression on generated networks at level hard, seeds 1 to 10 (docs/method.md)"

PURDUE = "Purdue reference model, ISA-95 and IEC 62443"


def parameter(default: float | bool, meaning: str, within: str, source: str = JUDGEMENT) -> Any:
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
    max_sessions: int = parameter(
        80, "size cap of a subgraph, a session counting once; above it a day's weakest links go", "[2, 100000]", CHOSEN
    )
    show_nats: float = parameter(
        16.0,
        "least strength of what is shown: of 8 networks without benign chains no false one had more",
        "[0, 1000]",
        FITTED,
    )
    quiet: bool = parameter(
        False, "show only what the site's past has brought no more than `show_exceedance` times a day", ""
    )
    show_exceedance: float = parameter(
        0.3, "if `quiet`, earlier subgraphs a day that scored as high, at most, to be shown", "(0, 1000]", FITTED
    )

    # fold: what is everyday noise
    periodic_share: float = parameter(0.5, "share of past days that brought a routine about this time", "(0, 1]")
    periodic_days: int = parameter(3, "past days that it takes at least to know a routine", "[1, 365]")

    # link: which earlier episodes are tried
    nearest_links: int = parameter(3, "earlier episodes tried for each later one, place and class", "[1, 100]", CHOSEN)
    max_site_gap_hours: float = parameter(6.0, "longest gap of a link without an entity in common", "(0, 8760]", FITTED)
    most_accounts: int = parameter(
        3, "accounts of an episode by which it links, at most: one that names more is a list", "[0, 50]", FITTED
    )
    instant_hours: float = parameter(1 / 60, "shortest gap that is told from none", "(0, 1]")
    entity_prior_hours: float = parameter(
        3.0, "hours for which an entity counts as having had the type as often as all else", "(0, 1000]", FITTED
    )
    max_share: float = parameter(
        0.98, "share of past hours above which nothing is more frequent: a rate of 3.9 an hour", "(0, 1)"
    )

    # link: log-odds that the earlier episode led to the later one
    link_base: float = parameter(-8.0, "log-odds of a link, before anything is known", "[-100, 100]", FITTED)
    link_gap: float = parameter(-0.9, "weight of ln(gap in hours + 1/60)", "[-10, 10]", FITTED)
    link_type_rate: float = parameter(-0.33, "weight of ln(rate of the later type at the entity)", "[-10, 10]", FITTED)
    link_any_rate: float = parameter(-0.53, "weight of ln(rate of anything at the entity)", "[-10, 10]", FITTED)
    link_surprise: float = parameter(0.35, "weight of the earlier one's surprise", "[-10, 10]", FITTED)
    link_same_type: float = parameter(-3.0, "added where both are of one type", "[-100, 100]", FITTED)
    link_burst: float = parameter(-1.85, "weight of the bursts in which both stand", "[-10, 10]", FITTED)
    burst_minutes: float = parameter(10.0, "minutes before and after in which a burst is counted", "(0, 1440]", FITTED)
    link_same_actor: float = parameter(
        2.1, "added where one pair of hosts, one actor or one account is behind both", "[-100, 100]", FITTED
    )
    link_common: float = parameter(0.9, "added for each entity in common beyond the first", "[-10, 10]", FITTED)
    link_least: float = parameter(-2.5, "log-odds above which a link is likely", "[-100, 100]", FITTED)

    # sessions of hosts
    band_step: float = parameter(0.9, "each class of strength begins where this share of the next is reached", "(0, 1)")

    # connect: causes while the warm-up lasts, and strong groups that meet
    early_pivot_weight: float = parameter(
        0.95, "least weight of the nearest pivot that is a cause during the warm-up", "(0, 1]"
    )
    meet_nats: float = parameter(8.0, "strength from which a group may meet another", "(0, 10000]", FITTED)
    meet_chance: float = parameter(
        0.1, "groups as strong expected between the starts of both, at most", "(0, 100]", CHOSEN
    )
    meet_like_share: float = parameter(
        0.9, "share of the strength of the weaker of both from which on another group is as strong", "(0, 1]", FITTED
    )
    meet_hours: float = parameter(12.0, "hours between the starts of both, at most", "(0, 8760]", FITTED)
    meet_weight: float = parameter(0.5, "weight of a link by which groups meet, at a gap of 0", "(0, 1]")

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

    known_pair_share: float = parameter(
        0.6, "share of its rarity that a type keeps where the site has seen it between these two ends", "[0, 1]", FITTED
    )
    severity_base: float = parameter(
        0.5, "what a severity of 0 weighs: rarity counts base + severity", "[0, 10]", FITTED
    )
    unknown_severity: float = parameter(0.5, "severity where none is given, as far as rarity goes", "[0, 1]", FITTED)

    # score
    rarity_weight: float = parameter(1.0, "weight of the surprise of its alert types", "[-1000, 1000]")
    quiet_host_weight: float = parameter(1.0, "weight of its quietest host", "[-1000, 1000]")
    kill_chain_weight: float = parameter(1.0, "weight of each stage of an attack", "[-1000, 1000]")
    crossing_weight: float = parameter(1.0, "weight of each Purdue level from IT into OT", "[-1000, 1000]")
    ot_action_weight: float = parameter(3.0, "weight of an action on the process after a crossing", "[-1000, 1000]")
    planned_weight: float = parameter(-25.0, "weight of the share that was planned", "[-1000, 1000]")
    spread_weight: float = parameter(-1.0, "weight of the logarithm of its hosts", "[-1000, 1000]", FITTED)
    outside_weight: float = parameter(
        -15.0,
        "weight of the share that comes from outside: a probe that leads to nothing inside",
        "[-1000, 1000]",
        FITTED,
    )
    memory_weight: float = parameter(1.0, "weight of what was judged of subgraphs like it", "[-1000, 1000]")
    half_score: float = parameter(20.0, "nats that give a score of .5", "(0, 10000]")
    like_share: float = parameter(0.9, "share of a score from which on an earlier subgraph is one like it", "(0, 1]")
    even_nats: float = parameter(32.0, "strength at which an attack is as likely as not", "[-1000, 1000]", CURVE)
    nats_slope: float = parameter(0.23, "log-odds of an attack for each nat of strength", "(0, 10]", CURVE)

    # learn: what verdicts on earlier subgraphs say of one that is like them
    recall_nats: float = parameter(8.0, "strength from which on a subgraph is compared with judged ones", "[0, 1000]")
    trait_host: float = parameter(
        0.5,
        "what it weighs that a machine or account is the same, beside 1 for the same kind of act",
        "[0, 100]",
        LEARNED,
    )
    trait_order: float = parameter(0.5, "the same for what follows what", "[0, 100]", LEARNED)
    memory_least_alike: float = parameter(
        0.1, "likeness above which a verdict on one subgraph says something of another", "[0, 1)", LEARNED
    )
    memory_true_alike: float = parameter(
        0.2, "the same for a verdict that it was an attack: it speaks of ones that are more alike", "[0, 1)", LEARNED
    )
    memory_covered: float = parameter(
        0.7,
        "share of what a subgraph does that remembered benign ones did, for its rank to be lowered by likeness alone",
        "[0, 1]",
        LEARNED,
    )
    memory_prior: float = parameter(
        0.1, "verdicts on subgraphs like it that weigh as much as its own strength", "(0, 1000]", LEARNED
    )
    memory_half_life_days: float = parameter(180.0, "days after which a verdict counts half", "(0, 100000]")
    memory_most_log_odds: float = parameter(
        2.0, "most that verdicts on others add or take, as log-odds", "[0, 100]", LEARNED
    )
    memory_knows_kinds: bool = parameter(
        False,
        "memory may hide what somebody new does, where machines of that kind (role, else zone) did so in benign ones",
        "",
    )
    site_variance: float = parameter(
        1.0, "variance, over sites, of the log-odds of an attack at a given strength", "(0, 100]", FITTED
    )


def parameters_in(ranking: Mapping[str, Any]) -> RankingParameters:
    """The numbers of the method among the settings below `ranking`; what does not stand there is as shipped."""
    return RankingParameters(
        **{one.name: ranking[one.name] for one in fields(RankingParameters) if one.name in ranking}
    )
