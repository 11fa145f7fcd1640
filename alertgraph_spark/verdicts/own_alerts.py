"""Our own alerts: the incident rule raises one for each subgraph that is shown, with the subgraph's id in its details."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from alertgraph_spark.clean_text import VALUE_LIMIT, clean

Key = tuple[str | None, str]
"""Site and id of an alert."""


def own_alerts(refused: Iterable[tuple[str | None, str | None]]) -> dict[Key, str]:
    """Find the subgraph of each of our own alerts.

    Parameters
    ----------
    refused
        Site and kept text of the rows that were refused as our own (`schemas.REJECTED`, reason `schemas.OWN`): a JSON object
        with `alert_id` and, as text, the rule's `details`. What is none, of an older version or cut short, is left out; so is
        the alert of our rule on the health of sources, which is about no subgraph.

    Returns
    -------
    dict
        Site and SystemAlertId to the id of the subgraph.

    Examples
    --------
    >>> text = '{"alert_id": "a-1", "details": "{\\\\"SubgraphId\\\\": [\\\\"sg-1\\\\"]}"}'
    >>> own_alerts([("plant", text), ("plant", "item-7")])
    {('plant', 'a-1'): 'sg-1'}
    """
    found = {}
    for site, text in refused:
        row = _parsed(text)
        details = _parsed(row.get("details"))
        named = details.get("SubgraphId")
        ids = [one for one in (named if isinstance(named, list) else [named]) if isinstance(one, str)]
        if (
            isinstance(row.get("alert_id"), str)
            and len(set(ids)) == 1
            and (alert := clean(row["alert_id"], VALUE_LIMIT))
        ):
            found[site, alert] = ids[0]
    return found


def _parsed(text: object) -> dict[str, Any]:
    try:
        found = json.loads(text) if isinstance(text, str) else None
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {}
