"""What Sentinel makes of posted subgraphs: an alert and an incident each, exported as it exports them, and what analysts do.

`Incidents(db, lake, site)` reads the rows that the emulator of the Logs Ingestion API has kept, and writes into the lake that
the job reads: SecurityAlert as our incident rule raises it, and SecurityIncident, a row for each change of an incident.

References
----------
https://learn.microsoft.com/azure/azure-monitor/reference/tables/securityincident
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

RULE = Path(__file__).resolve().parent.parent.parent / "deploy" / "sentinel" / "incident_rule.yaml"

Row = dict[str, Any]


class Incidents:
    """The incidents of one workspace, from the rows of `db` into the export in `lake`."""

    def __init__(self, db: str | Path, lake: str | Path, site: str) -> None:
        """Begin with none."""
        self._db, self._lake, self._site = db, Path(lake), site
        rule = re.search(r"^id: (\S+)$", RULE.read_text(encoding="utf-8"), re.MULTILINE)
        assert rule
        self._rule = rule[1]
        self._last: dict[int, Row] = {}

    def raise_all(self, at: datetime, *, only_shown: bool = True) -> dict[str, int]:
        """Raise an alert and an incident for each posted subgraph of the site; return the incident's number by subgraph."""
        with sqlite3.connect(self._db) as connection:
            connection.row_factory = sqlite3.Row
            rows = connection.execute(
                "SELECT * FROM AlertGraphSubgraphs_CL WHERE Site = ? GROUP BY SubgraphId ORDER BY Rank", [self._site]
            ).fetchall()
        numbers = {}
        for row in rows:
            if row["IsShown"] or not only_shown:
                alert = f"{len(self._last) + 1:08}-0000-4000-8000-000000000000"
                self._export("SecurityAlert", at, self._alert(row, alert, at))
                numbers[row["SubgraphId"]] = self.open([alert], at)
        return numbers

    def open(self, alert_ids: Sequence[str], at: datetime) -> int:
        """Open an incident that holds some alerts; return its number."""
        number = len(self._last) + 1
        self._last[number] = {
            **{"IncidentNumber": number, "IncidentName": f"{number:08}-0000-4000-9000-000000000000"},
            **{"Title": "AlertGraph subgraph shown", "Severity": "Medium", "CreatedTime": _text(at), "Labels": []},
            **{"ProviderName": "Azure Sentinel", "ProviderIncidentId": f"{number}", "AlertIds": list(alert_ids)},
            **{"RelatedAnalyticRuleIds": [self._rule], "Comments": [], "ModifiedBy": "Microsoft Sentinel", "Owner": {}},
        }
        self.change(number, at, "New")
        return number

    def change(self, number: int, at: datetime, status: str, classification: str = "", **columns: Any) -> None:
        """Export one change of an incident; `columns` by their names in SecurityIncident."""
        closed = {"ClosedTime": _text(at)} if status == "Closed" else {"ClosedTime": None}
        self._last[number] |= {"Status": status, "Classification": classification, "LastModifiedTime": _text(at)}
        self._last[number] |= closed | columns
        self._export("SecurityIncident", at, self._last[number])

    def merge(self, number: int, other: int, at: datetime) -> None:
        """Move the alerts of another incident into this one, as Defender does where it sees one attack in both."""
        joined = [*self._last[number]["AlertIds"], *self._last[other]["AlertIds"]]
        self.change(number, at, "Active", ProviderName="Microsoft XDR", AlertIds=joined)
        redirected = [{"labelName": "Redirected", "labelType": "AutoAssigned"}]
        self.change(other, at, "Closed", "Undetermined", AlertIds=[], Labels=redirected, ModifiedBy="Microsoft XDR")

    def _alert(self, row: Any, alert: str, at: datetime) -> Row:
        details = {"SubgraphId": [row["SubgraphId"]], "Site": [row["Site"]]}
        properties = {"Analytic Rule Ids": json.dumps([self._rule]), "Custom Details": json.dumps(details)}
        return {
            **{"SystemAlertId": alert, "AlertName": row["TitleValue"], "DisplayName": row["TitleValue"]},
            **{"AlertSeverity": "Medium", "ProductName": "Azure Sentinel", "ProviderName": "ASI Scheduled Alerts"},
            **{"AlertType": f"{self._site}_{self._rule}", "StartTime": _text(at), "Entities": "[]"},
            "ExtendedProperties": json.dumps(properties),
        }

    def _export(self, table: str, at: datetime, row: Row) -> None:
        """Append a row to the five-minute folder of its time."""
        full = {
            "TimeGenerated": _text(at),
            "Type": table,
            "_ItemId": f"{table}-{_text(at)}-{len(row)}-{id(row)}",
            **row,
        }
        begin = at - timedelta(minutes=at.minute % 5)
        folder = (
            self._lake / f"am-{table.lower()}/WorkspaceResourceId=/subscriptions/0/resourcegroups/soc/providers"
            f"/microsoft.operationalinsights/workspaces/{self._site}/{begin:y=%Y/m=%m/d=%d/h=%H/m=%M}"
        )
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "PT05M.json").open("a", encoding="utf-8") as file:
            file.write(json.dumps(full) + "\n")


def _text(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S}.0000000Z"
