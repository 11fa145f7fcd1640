"""The generated benchmark: what it promises about its bytes, its labels, its networks and its campaigns."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from exported import raw_tables
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from alertgraph_spark.config.format_files import load_format
from alertgraph_spark.config.loading import load_settings
from alertgraph_spark.lines import normalise_alerts
from alertgraph_spark.read.assets import load_assets, load_maintenance

REPO = Path(__file__).parent.parent
sys.path.insert(0, str(REPO / "benchmarks"))

from plantbench import DRAWS, shape  # noqa: E402
from plantbench.__main__ import main  # noqa: E402
from plantbench.acts import Act, Alerts, Watch  # noqa: E402
from plantbench.catalogue import Rule, load_rules  # noqa: E402
from plantbench.generate import Told, generate  # noqa: E402
from plantbench.intrusions import INTRUSIONS  # noqa: E402
from plantbench.levels import LEVELS  # noqa: E402
from plantbench.noise import background  # noqa: E402
from plantbench.render import Raw, Writer  # noqa: E402
from plantbench.routines import ROUTINES, STANDING  # noqa: E402
from plantbench.site import DAY, HOUR, Site, build_site  # noqa: E402
from plantbench.stories import FAMILIES, beats  # noqa: E402
from plantbench.unfold import Campaign, Habits, PlayedStep, campaigns, play, routines  # noqa: E402

RULES = load_rules()
FORMATS = {
    "SecurityAlert": "security_alert",
    "CommonSecurityLog": "common_security_log",
    "SuricataEve_CL": "suricata_eve",
    "SigmaAlerts_CL": "sigma",
}
Row = dict[str, Any]


@dataclass
class Made:
    folder: Path
    note: Row
    rows: list[tuple[Path, Row]]
    truth: dict[str, dict[str, str]]
    told: Row


def made(folder: Path, seed: int, alerts: int | None, days: int | None = 7, **more: Any) -> Made:
    note = generate(folder, seed, alerts=alerts, days=days, **more)
    rows = [
        (blob, json.loads(line))
        for blob in sorted((folder / "lake").rglob("PT05M.json"))
        for line in blob.read_text(encoding="utf-8").splitlines()
    ]
    with gzip.open(folder / "truth.csv.gz", "rt", encoding="utf-8", newline="") as file:
        truth = {line["item_id"]: line for line in csv.DictReader(file)}
    return Made(folder, note, rows, truth, json.loads((folder / "campaigns.json").read_text()))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return made(tmp_path_factory.mktemp("bench") / "small", seed=5, alerts=6000)


def network(seed: int, days: int = 21, number: int = 0) -> tuple[Site, Watch, np.random.Generator]:
    rngs = [np.random.default_rng([DRAWS, seed, number, part]) for part in range(3)]
    site = build_site(rngs[0], number, days * DAY)
    return site, Watch(site, RULES, rngs[1]), rngs[2]


@pytest.fixture(scope="module")
def planned() -> list[tuple[int, Campaign, int]]:
    """Seed, campaign and its alerts, for the campaigns of seeds 1 to 30: two sites of 100,000 alerts in three weeks each."""
    found = []
    for seed in range(1, 31):
        for number in range(2):
            _, watch, rng = network(seed, number=number)
            found += [(seed, *pair) for pair in zip(*campaigns(watch, 100_000, rng), strict=True)]
    return [(seed, campaign, len(alerts)) for seed, campaign, alerts in found]


# ---- bytes


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_the_same_seed_gives_the_same_bytes_and_another_one_another_network(tmp_path: Path, small: Made) -> None:
    again, other = made(tmp_path / "again", 5, 6000), made(tmp_path / "other", 6, 6000)
    first, second = bytes_of(small.folder), bytes_of(again.folder)
    assert first.keys() == second.keys()
    assert {name for name in first if first[name] != second[name]} == {"run.yaml"}  # which names its own folder
    mine, theirs = (m.told["sites"] for m in (small, other))
    for what in ("site", "hosts", "silences", "types"):
        assert mine[0][what] != theirs[0][what]
    assert small.told["campaigns"] != other.told["campaigns"]


def test_a_row_lies_in_the_folder_of_its_arrival_and_in_the_order_of_time(small: Made) -> None:
    last: dict[Path, str] = {}
    for blob, row in small.rows:
        when = row["TimeGenerated"]
        minute = int(when[14:16]) // 5 * 5
        parts = (
            f"y={when[:4]}",
            f"m={when[5:7]}",
            f"d={when[8:10]}",
            f"h={when[11:13]}",
            f"m={minute:02d}",
            "PT05M.json",
        )
        assert blob.parts[-6:] == parts
        assert f"am-{row['Type'].lower()}" in blob.parts
        assert last.get(blob, "") <= when
        last[blob] = when


def digest(folder: Path) -> str:
    """Of all that a seed decides, unpacked, without what the version marks."""
    total = hashlib.sha256()
    for name, content in bytes_of(folder).items():
        if name != "run.yaml":
            text = gzip.decompress(content) if name.endswith(".gz") else content
            if name == "lake.json":
                note = json.loads(content)
                text = json.dumps({key: note[key] for key in note if key not in ("version", "level")}).encode()
            total.update(name.encode() + b"\0" + text + b"\0")
    return total.hexdigest()


def test_the_hard_level_is_what_version_2_was(small: Made) -> None:
    assert (small.note["version"], small.note["level"]) == (3, "hard")
    # made by the code of version 2, after `criticality` had gone from assets.csv
    assert digest(small.folder) == "626efca85afd6dbad006205bee222fb9d26e79fd262023d83fc56422c0e7c2b5"


# ---- levels


def noise_of(seed: int, level: str) -> tuple[Counter[str], dict[int, set[tuple[int, int]]]]:
    """Noise of one network at a level: alerts in all, bursts of rare types, of severe ones; pairs of each rare type."""
    _, watch, rng = network(seed)
    told, pairs = Counter[str](), defaultdict[int, set[tuple[int, int]]](set)
    for columns in background(watch, 10_000, rng, LEVELS[level], np.random.default_rng([seed, 7])):
        rule = RULES[int(columns.rule[0])]
        rows = sorted(zip(*(c.tolist() for c in (columns.source, columns.target, columns.at)), strict=True))
        bursts = 1 + sum(a[:2] != b[:2] or b[2] - a[2] > 300 for a, b in pairwise(rows))
        told["all"] += len(rows)
        if rule.frequency == "R":
            told["rare"] += bursts
            pairs[int(columns.rule[0])] |= {row[:2] for row in rows}
        elif rule.is_severe and rule.frequency == "M":
            told["severe"] += bursts
    return told, pairs


def test_rare_and_severe_noise_goes_by_the_level_and_the_rest_makes_up_for_it() -> None:
    told: dict[str, Counter[str]] = {}
    most = {}
    for level in ("calm", "usual", "hard"):
        counts, pairs = zip(*(noise_of(seed, level) for seed in range(1, 13)), strict=True)
        told[level] = sum(counts, Counter[str]())
        most[level] = max(len(of) for one in pairs for of in one.values())
    for level, severe in (("usual", 0.5), ("calm", 0.2)):
        assert told[level]["all"] == pytest.approx(told["hard"]["all"], rel=0.01)
        assert told[level]["severe"] / told["hard"]["severe"] == pytest.approx(severe, rel=0.1)
    # of rare types .5 of those that are not severe, and the severe ones' share of the others
    assert told["usual"]["rare"] / told["hard"]["rare"] == pytest.approx(0.5, rel=0.1)
    assert told["calm"]["rare"] < 0.45 * told["hard"]["rare"]
    assert most["calm"] == 2
    assert min(most["usual"], most["hard"]) > 5


def test_severity_is_that_of_the_shipped_formats() -> None:
    def severe(product: str, severity: str | int) -> bool:
        return Rule(product, "x", "1", severity, (), (), {}, {}, "", "M", "flat", "", "").is_severe

    assert severe("edr", "High")
    assert severe("ids", 1)
    assert severe("nozomi", "8")
    assert severe("claroty", "Critical")
    assert not severe("edr", "Medium")
    assert not severe("ids", 2)
    assert not severe("fw", "7")
    assert not severe("sigma", "high")  # .75
    assert severe("sigma", "critical")


def chains_of(seed: int, level: str) -> tuple[Site, list[Campaign]]:
    site, watch, _ = network(seed)
    habits = Habits(site, LEVELS[level].keeps, np.random.default_rng([seed, 6])) if LEVELS[level].keeps else None
    chains, _ = routines(watch, 10**6, np.random.default_rng([seed, 3]), level=LEVELS[level], habits=habits)
    return site, chains


def same_hands(level: str, name: str) -> list[float]:
    """Network by network the share of a routine's plays that is of the account that most of them are of."""
    found = []
    for seed in range(1, 7):
        _, chains = chains_of(seed, level)
        accounts = Counter(c.steps[0].acts[0].account for c in chains if c.story.name == name)
        if accounts.total() > 5:
            found.append(max(accounts.values()) / accounts.total())
    return found


def test_a_routine_is_in_the_same_hands_as_often_as_the_level_says() -> None:
    mean = {level: np.mean(same_hands(level, "administrator_round")) for level in ("hard", "usual", "calm")}
    assert LEVELS["sparse"].keeps == LEVELS["calm"].keeps
    assert mean["hard"] < 0.35
    assert 0.5 < mean["usual"] < 0.72
    assert 0.82 < mean["calm"] < 0.97


def test_those_who_always_do_it_go_where_they_always_go() -> None:
    _, chains = chains_of(2, "calm")
    rounds = [c for c in chains if c.story.name == "administrator_round"]
    desks = Counter(c.steps[0].acts[0].source for c in rounds)
    usual = max(desks, key=lambda desk: desks[desk])
    reached = {a.target for c in rounds for s in c.steps for a in s.acts if a.source == usual and a.kind == "rdp"}
    others = {a.target for c in chains_of(2, "hard")[1] for s in c.steps for a in s.acts if a.kind == "rdp"}
    assert len(reached) <= 5 < len(others)


def test_what_befalls_a_site_is_another_each_time_at_every_level() -> None:
    _, chains = chains_of(2, "calm")
    for name, part in (("blocked_malware", "source"), ("internet_probes", "source"), ("employee_travels", "source")):
        first = [getattr(c.steps[0].acts[0], part) for c in chains if c.story.name == name]
        assert len(set(first)) > 0.6 * len(first) > 1, name


def test_directory_synchronisation_is_one_server_and_one_account_and_hard_has_none() -> None:
    for seed in (1, 2, 3):
        site, chains = chains_of(seed, "usual")
        acts = [a for c in chains if c.story.name == "directory_sync" for s in c.steps for a in s.acts]
        assert {a.kind for a in acts} == {"dcsync"}
        assert len({(a.source, a.account) for a in acts}) == 1
        assert acts[0].account >= len(site.hosts)  # of a service, nobody's own
        assert not {c.story.name for c in chains_of(seed, "hard")[1]} & {story.name for story in STANDING}


def test_a_level_leaves_the_network_and_its_intrusions_as_they_are(tmp_path: Path, small: Made) -> None:
    calm = made(tmp_path / "calm", 5, 6000, level="calm")
    assert calm.note["level"] == "calm"
    assert calm.told["sites"] == small.told["sites"]
    paths = [[(c["kind"], c["from"], c["path"]) for c in one.told["campaigns"]] for one in (small, calm)]
    assert paths[0] == paths[1]
    assert digest(calm.folder) != digest(small.folder)


@pytest.fixture(scope="module")
def sparse(tmp_path_factory: pytest.TempPathFactory) -> list[Made]:
    folder = tmp_path_factory.mktemp("sparse")
    return [made(folder / str(seed), seed, None, None, sites=1, level="sparse") for seed in range(1, 7)]


def test_a_sparse_network_has_a_few_alerts_a_day_most_of_them_of_a_handful_of_incidents(sparse: list[Made]) -> None:
    hours = [c["dwell_hours"] for one in sparse for c in one.told["campaigns"]]
    assert 0 < min(hours) < 1  # minutes
    assert 72 < max(hours) <= 120  # to five days
    for one in sparse:
        assert one.note["days"] == 42
        assert 3 * 42 * 0.9 <= len(one.truth) <= 10 * 42 * 1.1
        assert 0.5 < one.note["attack_rows"] / len(one.truth) < 0.9
        assert 4 <= one.note["campaigns"] <= 10
        assert {line["strict"] for line in one.truth.values()} > {"-"}
    firsts = [min(c["from"] for c in one.told["campaigns"]) for one in sparse]
    assert min(firsts) < "2026-03-04"  # nothing is held back from those that have no past yet


def test_some_of_a_sparse_network_is_benign_chains_and_some_is_noise(sparse: list[Made]) -> None:
    for one in sparse:
        with gzip.open(one.folder / "routines.csv.gz", "rt") as file:
            chained = {line["item_id"] for line in csv.DictReader(file)}
        benign = {item for item, line in one.truth.items() if line["strict"] == "-"}
        assert chained <= benign
        assert chained
        assert len(benign - chained) > 10


# ---- labels


def test_labels_are_complete_disjoint_and_counted(small: Made) -> None:
    ids = [row["_ItemId"] for _, row in small.rows]
    assert len(set(ids)) == len(ids) == len(small.truth) == sum(t["rows"] for t in small.note["tables"].values())
    strict = Counter(line["strict"] for line in small.truth.values())
    told = {step["label"]: step["alerts"] for c in small.told["campaigns"] for step in c["steps"]}
    assert {label: n for label, n in told.items() if n} == {label: n for label, n in strict.items() if label != "-"}
    assert sum(told.values()) == small.note["attack_rows"] > 0
    assert len(told) == sum(len(c["steps"]) for c in small.told["campaigns"])  # no label stands for two steps
    for line in small.truth.values():
        assert line["strict"] in ("-", line["lenient"])


def test_a_campaign_has_labels_on_its_own_site_and_at_its_own_hosts_and_times(small: Made) -> None:
    steps = {step["label"]: (c["site"], step) for c in small.told["campaigns"] for step in c["steps"]}
    started = {row["_ItemId"]: row.get("StartTime", row["TimeGenerated"]) for _, row in small.rows}
    for item_id, line in small.truth.items():
        if line["strict"] != "-":
            site, step = steps[line["strict"]]
            assert line["network"] == site
            assert line["host"] in step["hosts"] or line["host"].startswith(("user", "svc_", "adm."))
            assert any(begin <= started[item_id] for begin, _ in step["windows"])


def test_no_row_tells_its_label(small: Made) -> None:
    secrets = {line["lenient"] for line in small.truth.values()} - {"-"} | {
        story.name for story in INTRUSIONS + ROUTINES
    }
    fields: dict[tuple[str, bool], set[str]] = defaultdict(set)
    for _, row in small.rows:
        text = json.dumps(row)
        assert not [secret for secret in secrets if secret in text]
        fields[row["Type"], small.truth[row["_ItemId"]]["strict"] != "-"] |= set(row)
    for table in FORMATS:
        assert fields[table, True] <= fields[table, False]


def test_lenient_marks_what_falls_in_a_window_at_its_hosts_and_nothing_else() -> None:
    site, _, rng = network(1)
    desk, other = site.group("workstation")[:2].tolist()
    rule = next(n for n, r in enumerate(RULES) if r.product == "ids")
    step = PlayedStep("x", "T1", "w", ((100.0, 200.0), (900.0, 950.0)), (desk,), ())
    batch = Alerts(
        at=[150, 150, 205, 920, 500], rule=[rule] * 5,
        source=[desk, other, desk, other, desk], target=[other, -1, -1, desk, -1],
        account=[-1] * 5, step=[0, -1, -1, -1, -1],
    )  # fmt: skip
    told = Told([batch], RULES, site.span, rng)
    told.mark_windows([Campaign(INTRUSIONS[0], (step,), (100.0, 950.0))])
    assert told.step.tolist() == [0, -1, -1, -1, -1]
    assert told.lenient.tolist() == [
        0,
        -1,
        -1,
        0,
        -1,
    ]  # in time elsewhere, here too late, target in the second window, between


@pytest.mark.slow
def test_attack_is_a_hundredth_to_a_tenth_of_a_per_cent_and_hides_in_common_types(tmp_path: Path) -> None:
    big = made(tmp_path / "big", seed=9, alerts=200_000)
    lines = list(big.truth.values())
    assert 0.95 * 200_000 < len(lines) < 1.05 * 200_000
    assert 0.0001 <= big.note["attack_rows"] / len(lines) <= 0.001
    attack = [line for line in lines if line["strict"] != "-"]
    benign = [line for line in lines if line["strict"] == "-"]
    for what, least in (("name", 0.6), ("host", 0.6)):
        usual = {(line["network"], line[what]) for line in benign}
        assert np.mean([(line["network"], line[what]) in usual for line in attack]) > least


# ---- campaigns


def test_every_kind_and_family_occurs_over_seeds_1_to_30(planned: list[tuple[int, Campaign, int]]) -> None:
    kinds = Counter(campaign.story.name for _, campaign, _ in planned)
    assert set(kinds) == {story.name for story in INTRUSIONS}
    assert {campaign.story.family for _, campaign, _ in planned} == set(FAMILIES) - {"routine"}


def test_the_share_of_attack_holds_for_every_seed(planned: list[tuple[int, Campaign, int]]) -> None:
    alerts: Counter[int] = Counter()
    for seed, _, n in planned:
        alerts[seed] += n
    assert len(alerts) == 30
    assert all(20 <= n <= 200 for n in alerts.values())  # of 200,000


def test_dwell_reaches_from_under_an_hour_to_14_days_and_no_further(planned: list[tuple[int, Campaign, int]]) -> None:
    hours = [(c.span[1] - c.span[0]) / 3600 for _, c, _ in planned]
    assert max(hours) <= 14 * 24
    assert max(hours) > 10 * 24
    assert min(hours) < 2
    for _, campaign, _ in planned:
        starts = [min(act.at for act in step.acts) for step in campaign.steps]
        assert starts == sorted(starts)
        assert campaign.span[0] >= 24 * HOUR  # nothing is hidden in a judge's warm-up


def test_some_steps_leave_no_alert_and_some_a_single_one(planned: list[tuple[int, Campaign, int]]) -> None:
    _, watch, rng = network(3)
    chosen, told = campaigns(watch, 500_000, rng)
    per_step = Counter(step for batch in told for step in batch.step)
    n_steps = sum(len(c.steps) for c in chosen)
    assert set(per_step) <= set(range(n_steps))
    assert n_steps - len(per_step) > 0
    assert sum(n == 1 for n in per_step.values()) > 0


def test_stories_name_groups_acts_and_sources_that_exist() -> None:
    site, _, _ = network(1)
    acts = {act for rule in RULES for act in rule.acts}
    for story in INTRUSIONS + ROUTINES + STANDING:
        assert story.family in FAMILIES
        assert story.source
        assert set(story.passing) <= set(story.cast)
        assert all(len(site.group(group)) for group in story.cast.values())
        for beat in (beat for step in story.steps for way in step.ways for beat in beats(way)):
            assert beat.kind in acts, (story.name, beat)
            for end in filter(None, (beat.source, beat.target)):
                assert end in story.cast or len(site.group(end.removeprefix("@"))), (story.name, end)
    with pytest.raises(ValueError, match="is not act:actor>target"):
        beats("rdp:entry>srv rdp-entry")


def test_an_attack_on_controllers_stays_in_the_cell_it_has_reached() -> None:
    site, _, rng = next(n for n in map(network, range(1, 20)) if len(n[0].protocols) > 2)
    story = next(s for s in INTRUSIONS if s.name == "triton_2017")
    for _ in range(10):
        campaign = play(story, site, 2 * DAY, 6 * DAY, rng)
        assert campaign
        cells = {site.hosts[h].cell for step in campaign.steps for h in step.hosts if site.hosts[h].role == "plc"}
        assert len(cells) <= 1


def test_no_step_of_a_short_incident_goes_on_for_days() -> None:
    site, _, rng = network(1)
    story = next(s for s in INTRUSIONS if s.name == "solarwinds_2020")  # whose beacon takes a day to five
    short, long = (play(story, site, 2 * DAY, HOUR, rng, longest=longest) for longest in (2 * HOUR, 14 * DAY))
    assert short
    assert long
    assert short.span[1] < 2 * DAY + 2 * HOUR
    assert long.span[1] > 3 * DAY
    beacon = next(step for step in short.steps if step.name == "dns_beacon")
    assert len(beacon.acts) >= 3  # it is hurried, not cut off


# ---- the network and its sensors


def test_a_silent_sensor_is_silent_and_its_neighbour_is_not() -> None:
    site, watch, rng = network(4, days=7)
    site.silences = [("ids-it", 2 * DAY, 3 * DAY), ("fw-edge", 0.0, site.span)]
    watch = Watch(site, RULES, np.random.default_rng(0))
    heard: dict[str, list[float]] = defaultdict(list)
    for columns in background(watch, 30_000, rng):
        for at, rule, source, target in zip(*(c.tolist() for c in columns[:4]), strict=True):
            heard[watch.sensor(rule, source, target)].append(at)
    assert "fw-edge" not in heard
    assert not [at for at in heard["ids-it"] if 2 * DAY <= at < 3 * DAY]
    assert [at for at in heard["ids-it"] if DAY <= at < 2 * DAY]
    desk, far = int(site.group("workstation")[0]), int(site.group("external")[0])
    site.hosts[desk].joined = 0.0
    seen = [
        [watch.alerts(Act(day * DAY + 600, "c2_http", desk, far, -1), 0, rng) for _ in range(200)] for day in (1, 2)
    ]
    sensors = [
        {watch.sensor(r, s, t) for a in day for r, s, t in zip(a.rule, a.source, a.target, strict=True)} for day in seen
    ]
    assert ("ids-it" in sensors[0], "ids-it" in sensors[1], "fw-edge" in sensors[0] | sensors[1]) == (
        True,
        False,
        False,
    )


def test_leased_addresses_change_hands_and_no_two_hosts_hold_one_at_a_time() -> None:
    site, _, _ = next(n for n in map(network, range(1, 20)) if len(n[0].pool_at) > 30 and len(n[0].leases) > 8)
    held: dict[str, set[int]] = defaultdict(set)
    for epoch in range(len(site.leases) - 1):
        at = (epoch + 0.5) * site.lease_seconds
        now = [site.address(host, at) for host in range(len(site.hosts))]
        assert len(set(now)) == len(now)
        for host, address in enumerate(now):
            held[address].add(host)
    assert sum(len(hosts) > 1 for hosts in held.values()) > 5


def test_translation_and_proxy_hide_who_it_was_from_outside_alone() -> None:
    site, watch, _ = network(2)
    site.translated, site.proxied = {0}, True
    plc = next(i for i, h in enumerate(site.hosts) if h.role == "plc" and h.cell == 0)
    desk, far = int(site.group("workstation")[0]), int(site.group("external")[0])
    writer, raw = Writer(watch), Raw(600.0, "", "", 0, desk, far, -1, 0, "", "New")
    assert writer.seen(plc, desk, raw, "fw-ot") == f"10.{site.octet}.69.10" != site.hosts[plc].address
    assert writer.seen(plc, desk, raw, "ids-0") == site.hosts[plc].address
    assert writer.seen(desk, far, raw, "fw-edge") in {site.hosts[p].address for p in site.group("proxy")}
    assert writer.seen(desk, plc, raw, "fw-edge") == site.address(desk, 600.0)


def test_a_host_or_rule_that_is_not_there_yet_says_nothing(small: Made) -> None:
    site, watch, _ = network(7, days=7)
    rule = next(n for n, r in enumerate(RULES) if r.product == "ids" and watch.deployed[n] and not r.protocol)
    desk, far = int(site.group("workstation")[0]), int(site.group("external")[0])
    site.silences, site.hosts[desk].joined = [], 2 * DAY
    watch = Watch(site, RULES, np.random.default_rng(1))
    watch.deployed[rule], watch.begins[rule], watch.ends[rule] = True, 3 * DAY, 4 * DAY
    days = (1.5, 2.5, 3.5, 4.5)
    assert [watch.hears(rule, desk, far, day * DAY) for day in days] == [False, False, True, False]
    watch.begins[rule] = 0.0
    assert [watch.hears(rule, desk, far, day * DAY) for day in days] == [False, True, True, False]


def test_office_types_keep_office_hours(small: Made) -> None:
    site, watch, rng = network(8, days=7)
    per_hour: dict[str, Counter[bool]] = defaultdict(Counter)
    for columns in background(watch, 40_000, rng):
        local = columns.at / HOUR + site.offset_hours
        at_work = (local % 24 > 7) & (local % 24 < 19) & ((local // 24) % 7 < 5)
        rhythm = RULES[int(columns.rule[0])].rhythm
        per_hour[rhythm].update(at_work.tolist())
    assert per_hour["office"][True] / per_hour["office"].total() > 0.7
    assert per_hour["night"][True] / per_hour["night"].total() < 0.3


# ---- what the job reads


def test_the_shipped_formats_read_every_row(spark: SparkSession, small: Made) -> None:
    formats = {table: load_format(REPO / f"alertgraph_spark/formats/{name}.yaml") for table, name in FORMATS.items()}
    columns = [column for one in formats.values() for column in one.reads]
    read = {"TimeGenerated", "_ItemId", *columns}
    rows = [{"table": row["Type"], **{k: v for k, v in row.items() if k in read}} for _, row in small.rows]
    lines = normalise_alerts(raw_tables(spark, rows, columns), formats).cache()
    reasons = {row["reason"]: row["count"] for row in lines.groupBy("reason").count().collect()}
    assert reasons == {None: len(rows)}
    empty = lines.filter(F.col("source_entity").isNull() & F.col("target_entity").isNull() & (F.size("entities") == 0))
    assert [row.asDict() for row in empty.select("name", "source").limit(5).collect()] == []
    assert lines.filter(F.col("severity").isNull() | F.col("observed_at").isNull()).count() == 0
    assert {row["source"] for row in lines.select("source").distinct().collect()} == set(FORMATS.values())


def test_the_run_file_and_the_asset_list_load(small: Made) -> None:
    settings = load_settings(small.folder / "run.yaml")
    assert Path(settings.export.root) == small.folder / "lake"
    assets = load_assets(small.folder / "assets.csv")
    roles = {asset.role for asset in assets}
    assert {"scanner", "maintenance", "jump_host", "domain_controller", "plc"} <= roles
    assert len({asset.asset for asset in assets}) == len(assets)
    real = sum(n for site in small.told["sites"] for role, n in site["hosts"].items() if role != "external")
    named = len({asset.name for asset in assets if asset.name})
    assert 0.8 * real < named < real  # some are missing
    assert settings.maintenance_file == small.folder / "maintenance.csv"
    windows = load_maintenance(settings.maintenance_file)
    assert {asset.name for asset in assets if asset.role == "maintenance"} & {window.asset for window in windows}
    assert {window.site for window in windows} <= {site["site"] for site in small.told["sites"]}


# ---- the shape


def test_burstiness_and_gini_by_hand() -> None:
    assert shape.burstiness(np.array([0.0, 10, 20, 30])) == -1  # a clock
    assert shape.burstiness(np.array([0.0, 1, 2, 33])) == pytest.approx(0.125, abs=1e-3)  # gaps 1 1 31: m 11, s 14.14
    assert shape.gini(np.array([5, 5, 5])) == pytest.approx(0)
    assert shape.gini(np.array([0.0, 0, 9])) == pytest.approx(2 / 3)


def test_the_shape_of_a_lake_is_what_its_rows_say(small: Made) -> None:
    table = shape.report([small.folder])
    assert len(table.columns) == 2
    assert table.loc["alerts"].sum() == len(small.truth)
    attack = sum(table.loc["alerts"] * table.loc["attack share %"] / 100)
    assert attack == pytest.approx(small.note["attack_rows"])
    types = pd.DataFrame(small.truth.values()).groupby("network")["name"].nunique()
    assert sorted(types) == sorted(table.loc["types"])


def test_what_is_new_on_a_host_is_counted_after_the_first_third_and_without_attacks() -> None:
    told = [
        (0, "h1", "x", "-"), (3, "h1", "x", "-"), (3, "h2", "x", "-"),
        (4, "h1", "y", "-"), (5, "h2", "z", "c1"), (6, "h2", "x", "-"),
    ]  # fmt: skip
    alerts = pd.DataFrame(told, columns=["day", "host", "title", "strict"]).assign(source="", target="")
    alerts["at"] = pd.Timestamp("2026-03-02", tz="UTC") + pd.to_timedelta(alerts["day"], "D")
    alerts["seconds"] = alerts["at"].astype("int64") / 1e9
    made = shape.shape(alerts.assign(lenient=alerts["strict"]))
    # x on h2 and y on h1: two of two hosts in the four days after the first two; z is the attack's
    assert made["new a host-day"] == 2 / (2 * 4)


# ---- the command line


@pytest.fixture
def in_use(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "kept.txt").write_text("mine")
    yield tmp_path


def test_what_cannot_be_made_is_refused_with_the_reason(in_use: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(in_use), "--seed", "1"]) == 2
    assert "not empty" in capsys.readouterr().err
    assert main([str(in_use / "new"), "--seed", "1", "--days", "2"]) == 2
    assert "want 3" in capsys.readouterr().err
    assert main([str(in_use / "new"), "--seed", "1", "--level", "sparse", "--alerts", "5000"]) == 2
    assert "sparse decides how many alerts it has: 3 to 10 a day" in capsys.readouterr().err
    with pytest.raises(ValueError, match="no level 'harder': have calm, usual, hard, sparse"):
        generate(in_use / "new", 1, level="harder")
    assert not (in_use / "new").exists()
    assert shape.main([str(in_use)]) == 2
