"""What verdicts teach: signatures, likeness, what is recalled, and how likely a site's subgraphs are attacks."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

import pyarrow as pa
import pytest
from arrows import table_of

from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.errors import ConfigError
from alertgraph_spark.learn import (
    Model,
    Remembered,
    Signature,
    SiteModel,
    apply_model,
    curve,
    fit_offset,
    from_json,
    likeness,
    log_loss,
    memory_of,
    probability,
    sign_subgraphs,
    to_json,
)
from alertgraph_spark.learn.recall import Memory
from alertgraph_spark.tables.embedded import Engine
from alertgraph_spark.tables.interim_schemas import EPISODES_FOLDED

P = RankingParameters()
NOW = datetime(2026, 3, 2, 12, tzinfo=timezone.utc)
DAY = timedelta(days=1)
BACKUP = {"does\x1fbackup": 6.0, "from\x1fbackup\x1fhost:bk1": 3.0, "on\x1fbackup\x1fhost:fs1": 3.0}


def like(key: str = "sg-new", traits: dict[str, float] | None = None, **more: Any) -> Signature:
    known = {"actors": {"host:bk1", "account:svc"}, **more}
    return Signature(key, NOW, BACKUP if traits is None else traits, **known)


def judged(verdict: str = "benign_positive", key: str = "sg-old", ago: float = 0.0, **more: Any) -> Remembered:
    at = NOW - ago * DAY
    return Remembered(like(key, **more)._replace(seen_at=at), verdict, at, "anna")


def recalled(z: float, *memory: Remembered, new: Signature | None = None, p: RankingParameters = P) -> Memory:
    found = memory_of(new or like(), z, SiteModel(memory=memory), p)
    assert found is not None
    return found


def change(z: float, *memory: Remembered, **more: Any) -> tuple[float, str]:
    found = recalled(z, *memory, **more)
    return found.nats, found.fact


# likeness


def test_likeness_is_what_both_have_over_what_either_has() -> None:
    # both: backup 6; either: 6 + 3 + 3 of the one, and 4 of the other
    assert likeness(BACKUP, {"does\x1fbackup": 6.0, "does\x1fother": 4.0}) == pytest.approx(6 / 16)
    assert likeness(BACKUP, BACKUP) == 1.0
    assert likeness(BACKUP, {"does\x1fother": 9.0}) == 0.0
    assert likeness({}, {}) == 0.0


def test_likeness_is_the_same_both_ways() -> None:
    chance = random.Random(4)
    for _ in range(50):
        one, other = ({str(chance.randrange(9)): chance.random() for _ in range(6)} for _ in range(2))
        assert likeness(one, other) == pytest.approx(likeness(other, one))
        assert 0 <= likeness(one, other) <= 1


# recall


def test_one_benign_verdict_on_the_same_lowers_by_hand() -> None:
    # z 20: log-odds .23 * (20 - 32) = -2.76, P .0595; prior .1, a verdict of 180 days ago counts half:
    # P' = .1 * .0595 / (.1 + .5) = .0099, log-odds -4.604
    nats, fact = change(20.0, judged(ago=180))
    prior = 1 / (1 + math.exp(2.76))
    after = 0.1 * prior / 0.6
    assert math.log(after / (1 - after)) == pytest.approx(-4.604, abs=1e-3)
    assert nats == pytest.approx((math.log(after / (1 - after)) + 2.76) / 0.23)
    assert fact == "like 1 earlier one (100 % alike), judged benign by anna on 3 September 2025"


def test_one_true_verdict_raises() -> None:
    nats, fact = change(20.0, judged("true_positive"))
    assert nats > 0
    assert fact == "like 1 earlier one (100 % alike), judged an attack by anna on 2 March 2026"


def test_of_several_the_number_the_nearest_and_the_other_word_are_told() -> None:
    half = {"does\x1fbackup": 6.0, "from\x1fbackup\x1fhost:bk1": 3.0}  # 9 of 12
    memory = [judged(key="a", traits=half), judged(key="b", ago=1), judged("true_positive", key="c", traits=half)]
    _, fact = change(20.0, *memory)
    # By the curve .06 is an attack, of these 1 in 3: the true one decides
    assert fact.startswith("like 3 earlier ones (75 % alike), judged an attack by anna")
    assert fact.endswith("; 1 of them an attack")


def test_what_is_not_alike_is_not_recalled() -> None:
    other = judged(traits={"does\x1fother": 6.0})
    assert memory_of(like(), 20.0, SiteModel(memory=(other,)), P) is None
    assert memory_of(like(), 20.0, SiteModel(), P) is None


def test_no_subgraph_is_a_precedent_of_itself() -> None:
    assert memory_of(like("sg-old"), 20.0, SiteModel(memory=(judged(),)), P) is None


def test_a_verdict_fades() -> None:
    fresh, old, ancient = (change(20.0, judged(ago=days))[0] for days in (90, 180, 3600))
    assert fresh < old < ancient < 0


def test_a_doubtful_verdict_counts_less() -> None:
    assert change(20.0, judged()._replace(certainty=0.5))[0] == pytest.approx(change(20.0, judged(ago=180))[0])
    assert change(20.0, judged()._replace(certainty=0.1))[0] > change(20.0, judged()._replace(certainty=0.5))[0]


def test_memory_adds_and_takes_no_more_than_its_bound() -> None:
    many = [judged(key=f"sg-{n}") for n in range(1000)]
    assert change(60.0, *many)[0] == pytest.approx(-P.memory_most_log_odds / P.nats_slope)


# what memory alone never hides


def test_a_known_chain_falls_below_the_cut() -> None:
    nats, _ = change(17.0, judged())
    assert 17.0 + nats < P.show_nats


@pytest.mark.parametrize(
    "new",
    [
        like(actors={"host:bk1", "account:svc", "host:stranger"}),
        like(actors={"host:bk1", "account:stolen"}),
        like(crossings={"host:bk1\x1fhost:plc1"}),
        like(is_act=True),
        like(actors={f"host:{n}" for n in range(500)}),
        like(traits={**BACKUP, "does\x1fdump": 5.0}),
    ],
    ids=["a new host", "a new account", "a new step into OT", "acts on a controller", "too many actors", "does more"],
)
def test_what_is_new_in_it_keeps_its_rank(new: Signature) -> None:
    found = recalled(17.0, judged(), new=new)
    assert 17.0 + found.nats == pytest.approx(17.0)
    assert found.nats < 0, "so that it is told among the parts"
    assert found.fact.endswith("; its rank stays: someone or something in it is new, or it acts on the process")
    # but its probability is lowered as that of the known one is
    assert found.log_odds < -1.5
    assert recalled(17.0, judged()).log_odds == 0.0


def test_a_little_more_than_was_done_before_is_known() -> None:
    """Near miss of the above: seven tenths of what it does, by weight, was done before."""
    little, much = ({**BACKUP, "does\x1fdump": nats} for nats in (2.5, 2.6))  # 6 / 8.5 = .706, 6 / 8.6 = .698
    assert change(17.0, judged(), new=like(traits=little))[0] < -1
    assert change(17.0, judged(), new=like(traits=much))[0] > -1


def test_an_attack_speaks_only_of_what_is_much_like_it() -> None:
    # 3 of 12 + 6, and of 12 + 3: .167 and .2 are too little, 3 of 12 + 2 is .214
    for nats, is_said in ((6.0, False), (3.0, False), (2.0, True)):
        old = judged("true_positive", traits={"on\x1fbackup\x1fhost:fs1": 3.0, "does\x1fdump": nats})
        assert (memory_of(like(), 17.0, SiteModel(memory=(old,)), P) is not None) is is_said
    benign = judged(traits={"on\x1fbackup\x1fhost:fs1": 3.0, "does\x1fdump": 6.0})
    assert memory_of(like(), 17.0, SiteModel(memory=(benign,)), P) is not None


def test_somebody_new_of_a_known_kind_is_known_where_the_operator_wants_it() -> None:
    old, new = judged(kinds={"jump_host"}), like(actors={"host:stranger"}, kinds={"jump_host"})
    p = RankingParameters(memory_knows_kinds=True)
    assert change(17.0, old, new=new)[0] > -1
    assert change(17.0, old, new=new, p=p)[0] < -1
    assert change(17.0, old, new=new._replace(kinds={"it"}), p=p)[0] > -1
    assert change(17.0, old, new=new._replace(is_act=True), p=p)[0] > -1


def test_an_attack_raises_whoever_is_in_it() -> None:
    """Near miss: being new protects from being lowered, and is no shield against being raised."""
    assert change(15.0, judged("true_positive"), new=like(is_act=True))[0] > 1


def test_a_step_into_ot_that_was_judged_benign_is_known() -> None:
    step = {"host:bk1\x1fhost:hist"}
    nats, _ = change(17.0, judged(crossings=step), new=like(crossings=step))
    assert 17.0 + nats < P.show_nats


def test_an_actor_of_a_true_one_is_not_known() -> None:
    """Near miss: the stranger stands in memory, but in an attack."""
    attack = judged("true_positive", key="sg-attack", ago=3000, actors={"host:stranger"})
    many = [judged(key=f"sg-{n}") for n in range(20)]
    nats, fact = change(17.0, attack, *many, new=like(actors={"host:bk1", "host:stranger"}))
    assert nats > -1
    assert "its rank stays" in fact


# signatures


def episode(number: int, name: str, source: str | None, target: str, **more: Any) -> dict[str, Any]:
    at = NOW + timedelta(minutes=number)
    row = {
        **{"episode": number, "site": "plant", "source": "ids", "name": name, "severity": 0.5, "tactics": []},
        **{"techniques": [], "started_at": at, "ended_at": at, "received_at": at, "known_at": at, "n_alerts": 1},
        **{"source_entity": source, "target_entity": target, "source_zone": "it", "target_zone": "it"},
        **{"source_level": None, "target_level": None, "source_role": None, "target_role": None, "accounts": []},
        **{"fleet_share": 0.01, "actor_share": 0.01, "history_hours": 700.0, "surprise": 4.0, "is_chronic": False},
        **{"is_announced": False, "is_new_pair": True, "subgraph_id": "sg-1", "role": "core"},
    }
    return row | more


def signed(episodes: Sequence[dict[str, Any]], z: float = 20.0) -> list[dict[str, Any]]:
    keys = sorted({row["subgraph_id"] for row in episodes})
    scored = pa.table({"subgraph_id": keys, "z": [z] * len(keys)})
    with Engine() as engine:
        table = table_of(EPISODES_FOLDED, episodes, {"subgraph_id": "string", "role": "string"})
        rows: list[dict[str, Any]] = sign_subgraphs(engine, table, scored, P).to_pylist()
    return rows


MOVES = {"tactics": ["lateral-movement"], "accounts": ["account:bob"]}
LOGON = episode(1, "logon", "host:adm", "host:srv", surprise=4.0, **MOVES)
STOP = episode(2, "stop", "host:srv", "host:plc", target_zone="ot", target_role="plc", surprise=6.0)


def test_a_signature_by_hand() -> None:
    (row,) = signed([LOGON, STOP])
    weights = {one["trait"].replace("\x1f", " "): one["nats"] for one in row["traits"]}
    assert weights == {
        "does ids logon it it": 4.0,
        "from ids logon host:adm": 2.0,
        "on ids logon host:srv": 2.0,
        "as account:bob": 2.0,
        "does ids stop it plc": 6.0,  # a role says more than a zone
        "from ids stop host:srv": 3.0,
        "on ids stop host:plc": 3.0,
        "then ids logon ids stop": 2.0,  # half of the less surprising of both
    }
    assert row["actors"] == ["account:bob", "host:adm", "host:srv"]
    assert row["crossings"] == ["host:srv\x1fhost:plc"]
    assert row["kinds"] == ["it"]
    assert row["is_act"]


def test_what_comes_again_is_most_alike_to_itself() -> None:
    def traits(*episodes: dict[str, Any]) -> dict[str, float]:
        (row,) = signed(episodes)
        return {one["trait"]: one["nats"] for one in row["traits"]}

    chain = traits(LOGON, STOP)
    again = traits(LOGON | {"episode": 7, "n_alerts": 9}, STOP | {"episode": 9})
    other_host = traits(LOGON, STOP | {"target_entity": "host:plc2"})
    other_order = traits(LOGON | {"started_at": NOW + timedelta(minutes=9)}, STOP)
    stranger = traits(episode(1, "mail", "host:a", "host:b"))
    assert likeness(chain, again) == 1.0
    assert likeness(chain, other_order) < 1.0
    assert likeness(chain, stranger) == 0.0 < likeness(chain, other_host) < 1.0


def test_the_order_of_rows_and_other_subgraphs_do_not_matter() -> None:
    other = episode(3, "logon", "host:x", "host:y", subgraph_id="sg-2")
    (alone,) = signed([LOGON, STOP])
    first, _ = signed([other, STOP, LOGON])
    assert first == alone


def test_a_weak_subgraph_is_not_signed() -> None:
    assert signed([LOGON, STOP], z=P.recall_nats - 0.1) == []
    assert len(signed([LOGON, STOP], z=P.recall_nats)) == 1


def test_who_acts_in_noise_is_no_actor() -> None:
    (row,) = signed([LOGON, episode(3, "ping", "host:noisy", "host:srv", role="context")])
    assert row["actors"] == ["account:bob", "host:adm"]


@pytest.mark.parametrize(
    ("one", "actors"),
    [
        (LOGON, ["account:bob", "host:adm"]),
        (LOGON | {"tactics": ["credential-access"]}, ["host:adm"]),  # bob's password was tried
        (LOGON | {"source_entity": None}, ["account:bob"]),
        (LOGON | {"source_entity": None, "accounts": []}, ["host:srv"]),
        (LOGON | {"accounts": [f"account:{n}" for n in range(9)]}, ["host:adm"]),  # a list of accounts
        (LOGON | {"role": "absorbed"}, []),
    ],
    ids=["logon", "brute force", "no source", "host alone", "list of accounts", "absorbed"],
)
def test_who_acts(one: dict[str, Any], actors: list[str]) -> None:
    (row,) = signed([one])
    assert row["actors"] == actors


@pytest.mark.parametrize(
    ("more", "is_act"),
    [
        ({}, True),  # nobody says what it does
        ({"tactics": ["discovery"]}, False),
        ({"tactics": ["discovery", "execution"]}, True),
        ({"tactics": ["discovery"], "target_role": None, "target_level": 1.0}, False),
        ({"target_role": None, "target_level": 1.0}, True),
        ({"target_role": None}, False),  # an HMI
        ({"target_role": None, "tactics": ["impair-process-control"]}, True),
        ({"source_entity": None}, False),  # a controller that fails by itself
    ],
    ids=["plc", "scan", "scan and act", "scan of level 1", "level 1", "other", "act on the process", "by itself"],
)
def test_what_acts_on_a_controller(more: dict[str, Any], is_act: bool) -> None:
    (row,) = signed([STOP | more])
    assert row["is_act"] is is_act


def test_a_step_inside_of_ot_is_no_crossing() -> None:
    (row,) = signed([STOP | {"source_zone": "ot"}])
    assert row["crossings"] == []


def test_a_name_cannot_pass_for_another_trait() -> None:
    """The parts of a trait are kept apart by a character that no cleaned text has."""
    (one,) = signed([episode(1, "logon", "host:adm", "host:srv")])
    (other,) = signed([episode(1, "logon host:adm", None, "host:srv")])
    assert {t["trait"] for t in one["traits"]}.isdisjoint(t["trait"] for t in other["traits"])


# the model applied to a run


def test_a_model_speaks_of_its_own_site_alone() -> None:
    rows = [LOGON, STOP | {"target_zone": "it", "target_role": None}]
    scored = pa.table({"subgraph_id": ["sg-1"], "z": [20.0], "last_seen": pa.array([NOW], pa.timestamp("us", "UTC"))})
    with Engine() as engine:
        table = table_of(EPISODES_FOLDED, rows, {"subgraph_id": "string", "role": "string"})
        signatures = sign_subgraphs(engine, table, scored, P)
    traits = {one["trait"]: one["nats"] for one in signatures.to_pylist()[0]["traits"]}
    memory = SiteModel(memory=(judged(traits=traits),))
    (found,) = apply_model(signatures, scored, Model({"plant": memory}, "m"), P).to_pylist()
    assert found["memory_nats"] < 0
    assert apply_model(signatures, scored, Model({"other": memory}, "m"), P).num_rows == 0
    assert apply_model(signatures, scored, Model(), P).num_rows == 0


# calibration


def test_without_verdicts_the_shipped_curve_holds() -> None:
    assert fit_offset([], [], [], 1.0) == 0.0


def test_an_offset_by_hand() -> None:
    # One true verdict at even odds, prior variance 1: the offset o solves 1 - 1 / (1 + e^-o) = o
    offset = fit_offset([0.0], [True], [1.0], 1.0)
    assert 1 - probability(offset) == pytest.approx(offset)
    assert offset == pytest.approx(0.4011, abs=1e-4)


def test_three_verdicts_are_never_wild() -> None:
    assert 0 < fit_offset([-3.0] * 3, [True] * 3, [1.0] * 3, 1.0) < 3.0
    assert -0.5 < fit_offset([-3.0] * 3, [False] * 3, [1.0] * 3, 1.0) < 0
    assert fit_offset([-300.0] * 3, [True] * 3, [1.0] * 3, 1.0) == pytest.approx(3.0)


def test_thirty_verdicts_are_worth_something() -> None:
    """A site whose subgraphs are attacks three times as often as the curve says; its next ones are told better."""
    chance = random.Random(1)
    said = [curve(chance.uniform(16, 40), P) for _ in range(430)]
    came = [chance.random() < probability(eta + math.log(6)) for eta in said]
    offset = fit_offset(said[:30], came[:30], [1.0] * 30, P.site_variance)
    before, after = (
        sum(log_loss(eta + o, true) for eta, true in zip(said[30:], came[30:], strict=True)) for o in (0.0, offset)
    )
    assert 0.3 < offset < 2.6
    assert after < before


def test_log_loss_is_exact_in_both_tails() -> None:
    assert log_loss(0.0, True) == pytest.approx(math.log(2))
    assert log_loss(-1000.0, True) == pytest.approx(1000.0)
    assert log_loss(1000.0, True) == 0.0


# the document


def test_a_model_is_read_as_it_was_written() -> None:
    one = judged(crossings={"a\x1fb"}, is_act=True)
    model = Model({"plant": SiteModel(-0.5, 3, (one._replace(signature=_frozen(one.signature)),))}, "models:/x/1", NOW)
    assert from_json(to_json(model), "models:/x/1") == model
    assert to_json(from_json(to_json(model), "any")) == to_json(model)


def _frozen(one: Signature) -> Signature:
    sets = {name: frozenset(getattr(one, name)) for name in ("actors", "crossings", "kinds")}
    return one._replace(**sets)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("no json", "cannot be read"),
        ("[]", "cannot be read"),
        ('{"version": 2}', "of version 2, this one reads 1"),
        ('{"version": 1, "trained_until": null, "sites": {"x": {}}}', "cannot be read"),
        ('{"version": 1, "trained_until": null, "sites": []}', "cannot be read"),
    ],
)
def test_what_is_no_model_is_told(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        from_json(text, "models:/x/1")
