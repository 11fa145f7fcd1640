"""What stands in a list of verdicts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class ListedVerdict:
    """What somebody judged of one subgraph; `verdict` is one of `verdict_schemas.STANDING`."""

    subgraph_id: str
    verdict: str
    judged_at: datetime
    judged_by: str | None = None
    reason: str | None = None
    site: str | None = None
