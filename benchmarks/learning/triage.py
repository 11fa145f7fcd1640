"""A small real example: alerts of one laboratory that were judged by hand, each told by the verdicts on those before it.

Few alerts of one network: an example, no benchmark.
"""

from __future__ import annotations

import gzip
import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa
from quality.lakes import SHARED

from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.learn import Remembered, Signature, log_loss, rule_of, sign_subgraphs, signatures_of
from alertgraph_spark.learn.recall import recall
from alertgraph_spark.tables.embedded import Engine, arrow_schema, arrow_type
from alertgraph_spark.tables.interim_schemas import EPISODES_FOLDED
from learning.analysts import TAKES

FOLDER = SHARED / "data" / "wazuh_triage"


class Alert(NamedTuple):
    """One alert of Wazuh: what it names, how severe Wazuh says it is (0 to 16), and what was judged of it."""

    at: datetime
    name: str
    level: int
    host: str
    source: str | None
    account: str | None
    tactics: tuple[str, ...]
    is_true: bool


class Told(NamedTuple):
    """What was told of one alert: the log-odds without memory and with it."""

    alert: Alert
    shipped: float
    learned: float


def read() -> list[Alert]:
    """The alerts in order of time."""
    return sorted(
        (
            alert_of(json.loads(line)["_source"], is_true=word == "true")
            for word in ("true", "false")
            for line in gzip.open(FOLDER / f"{word}_positive.jsonl.gz", "rt", encoding="utf-8")
        ),
        key=lambda one: (one.at, one.name),
    )


def alert_of(row: Mapping[str, Any], is_true: bool) -> Alert:
    """What the shipped format of Wazuh reads of an alert, as far as a signature needs it."""
    rule, data = row["rule"], row.get("data", {})
    event = data.get("win", {}).get("eventdata", {})
    peers = (data.get("srcip"), data.get("src_ip"), event.get("ipAddress"), event.get("sourceIp"))
    users = (event.get("user"), event.get("targetUserName"), event.get("subjectUserName"), data.get("dstuser"))
    return Alert(
        at=datetime.fromisoformat(row["timestamp"].replace("+0000", "+00:00")),
        name=rule.get("description") or f"Rule {rule['id']}",
        level=int(rule["level"]),
        host=f"host:{row['agent']['name'].lower()}",
        source=_named("ip", peers),
        account=_named("account", users),
        tactics=tuple(one.lower().replace(" ", "-") for one in rule.get("mitre", {}).get("tactic", ())),
        is_true=is_true,
    )


def told(alerts: Sequence[Alert], p: RankingParameters) -> list[Told]:
    """What is told of each alert, of which a verdict on an earlier one is known.

    Notes
    -----
    Without memory an alert is as likely true as the share of the verdicts so far, (n + 1) / (N + 2). With it, the same is the
    curve from which `recall` starts: each alert is a subgraph of one episode.
    """
    signatures, rule = sign(alerts, p), rule_of(p)
    found = []
    for alert, signature in zip(alerts, signatures, strict=True):
        known = [(one, of) for one, of in zip(alerts, signatures, strict=True) if one.at + TAKES <= alert.at]
        if not known:
            continue
        n_true = sum(one.is_true for one, _ in known)
        log_odds = math.log((n_true + 1) / (len(known) - n_true + 1))
        memory = [
            Remembered(of, "true_positive" if one.is_true else "false_positive", one.at + TAKES) for one, of in known
        ]
        recalled = recall(signature, log_odds, memory, rule)
        found.append(Told(alert, log_odds, log_odds + (recalled.log_odds if recalled else 0.0)))
    return found


def sign(alerts: Sequence[Alert], p: RankingParameters) -> list[Signature]:
    """The signature of each alert, as a subgraph of one episode."""
    seen = {f"{number:04}": alert.at for number, alert in enumerate(alerts)}
    with Engine() as engine:
        scored = pa.table({"subgraph_id": list(seen), "z": [math.inf] * len(seen)})
        table = sign_subgraphs(engine, _episodes(alerts), scored, p)
    by_key = {signature.subgraph_id: signature for _, signature in signatures_of(table, seen)}
    return [by_key[key] for key in seen]


def figures(found: Sequence[Told]) -> dict[str, float]:
    """Area under the ROC curve and log loss, by Wazuh's level, by the share of verdicts so far, and with memory."""
    trues = [one.alert.is_true for one in found]
    orders = {
        "auc level": [float(one.alert.level) for one in found],
        "auc shipped": [one.shipped for one in found],
        "auc": [one.learned for one in found],
    }
    return {
        "n": len(found),
        **{name: area(trues, order) for name, order in orders.items()},
        "loss shipped": sum(log_loss(one.shipped, one.alert.is_true) for one in found) / len(found),
        "loss": sum(log_loss(one.learned, one.alert.is_true) for one in found) / len(found),
    }


def area(is_true: Sequence[bool], order: Sequence[float]) -> float:
    """Area under the ROC curve: how often a true one stands above a false one; ties count half."""
    ranks, trues = pd.Series(order).rank(), pd.Series(is_true)
    n_true, n_false = int(trues.sum()), int((~trues).sum())
    return float(ranks[trues].sum() - n_true * (n_true + 1) / 2) / (n_true * n_false) if n_true * n_false else math.nan


def _named(kind: str, values: Iterable[str | None]) -> str | None:
    """The key of the first that names anything; Windows writes - for nothing."""
    return next((f"{kind}:{value.lower()}" for value in values if value and value != "-"), None)


def _episodes(alerts: Sequence[Alert]) -> pa.Table:
    """Alerts as episodes, each the core of a subgraph of its own."""
    schema = arrow_schema(EPISODES_FOLDED)
    for name in ("subgraph_id", "role"):
        schema = schema.append(pa.field(name, arrow_type("string")))
    blank = dict.fromkeys(schema.names) | {"site": "laboratory", "role": "core", "source": "wazuh", "techniques": []}
    rows = [blank | row for row in _rows(alerts)]
    return pa.Table.from_pylist(rows, schema=schema)


def _rows(alerts: Sequence[Alert]) -> Iterator[dict[str, Any]]:
    """What of each alert is not the same for all; how surprising it is, by how often its type came before."""
    before: Counter[str] = Counter()
    for number, alert in enumerate(alerts):
        yield {
            "subgraph_id": f"{number:04}",
            "episode": number,
            "name": alert.name,
            "severity": alert.level / 16,
            "tactics": list(alert.tactics),
            "started_at": alert.at,
            "source_entity": alert.source,
            "target_entity": alert.host,
            "accounts": [alert.account] if alert.account else [],
            "surprise": math.log((number + 2) / (before[alert.name] + 1)),
        }
        before[alert.name] += 1
