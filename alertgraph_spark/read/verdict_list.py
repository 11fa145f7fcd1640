"""Read a list of verdicts: what analysts judged who close no incident of Sentinel."""

from __future__ import annotations

import re
from pathlib import Path

from alertgraph_spark.clean_text import NAME_LIMIT, VALUE_LIMIT, clean
from alertgraph_spark.config.listed_verdict import ListedVerdict
from alertgraph_spark.read.assets import rows_of_list, time_of
from alertgraph_spark.tables.verdict_schemas import STANDING, verdict_of

COLUMNS = ("subgraph_id", "verdict", "judged_at", "judged_by", "reason", "site")


def load_verdicts(path: Path | None) -> list[ListedVerdict]:
    """Read a list of verdicts.

    Parameters
    ----------
    path
        A CSV, or None. `subgraph_id`, `verdict` (one of `verdict_schemas.STANDING`, in any spelling) and `judged_at`
        (ISO 8601 with an offset or Z) must be there; `judged_by`, `reason` and `site` may be left out.

    Returns
    -------
    list of ListedVerdict
        One item is one verdict on one subgraph. Of several rows of a subgraph the latest stands.

    Raises
    ------
    ConfigError
        If the file cannot be read, or with the line number of every row that is wrong.
    """
    if path is None:
        return []
    return rows_of_list(path, "list of verdicts", COLUMNS, COLUMNS[:3], _verdict)


def _verdict(row: dict[str, str]) -> ListedVerdict:
    verdict = verdict_of(row["verdict"])
    if verdict is None:
        raise ValueError(f"verdict is {row['verdict']!r}; legal are {', '.join(STANDING)}")
    if not re.fullmatch(r"[\w.:-]{1,128}", row["subgraph_id"]):
        raise ValueError(f"subgraph_id is {row['subgraph_id']!r}, no id of a subgraph")
    who, why = (clean(row.get(name) or "", most) for name, most in (("judged_by", VALUE_LIMIT), ("reason", NAME_LIMIT)))
    site = (row.get("site") or "").lower() or None
    return ListedVerdict(row["subgraph_id"], verdict, time_of(row, "judged_at"), who, why, site)
