"""How a Log Analytics data export names its containers and folders, and which of them lie in a window.

One container a table, then one folder per five minutes of UTC TimeGenerated:
`am-<table>/WorkspaceResourceId=/subscriptions/<id>/resourcegroups/<name>/providers/microsoft.operationalinsights/
workspaces/<name>/y=2026/m=03/d=02/h=10/m=05/PT05M.json`.

References
----------
https://learn.microsoft.com/azure/azure-monitor/logs/logs-data-export
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone

from alertgraph_spark.errors import SourceError

BUCKET = timedelta(minutes=5)
"""What one folder holds."""


@dataclass(frozen=True)
class DayFolder:
    """One day of one table of one workspace."""

    table: str
    site: str
    day: date
    path: str


_DAY = re.compile(r"/workspaces/([^/]+)/y=(\d{4})/m=(\d{2})/d=(\d{2})/?$", re.IGNORECASE)


def day_folder(table: str, path: str) -> DayFolder | None:
    """The day folder of a table at a path or URL; None for what is none. A site is a workspace's name in lower case.

    Examples
    --------
    >>> day_folder("Alerts_CL", "/lake/am-alerts-cl/WorkspaceResourceId=/…/workspaces/Plant/y=2026/m=03/d=02").site
    'plant'
    """
    match = _DAY.search(path)
    return DayFolder(table, match[1].lower(), date(*map(int, match.groups()[1:])), path) if match else None


def container_url(root: str, container: str) -> str:
    """Where a container of the export is, in or at `root`.

    Examples
    --------
    >>> container_url("/mnt/export/", "am-securityalert")
    '/mnt/export/am-securityalert'
    >>> container_url("abfss://{container}@account.dfs.core.windows.net", "am-securityalert")
    'abfss://am-securityalert@account.dfs.core.windows.net'
    """
    if "{container}" in root:
        return root.replace("{container}", container).rstrip("/")
    return f"{root.rstrip('/')}/{container}"


def container_of(table: str, have: Sequence[str]) -> str:
    """Find the container of a table: `am-` and its name in lower case, or one that differs from that in signs alone.

    A container's name may hold no underscore, and no page says how `_CL` is written in it.

    Parameters
    ----------
    table
        The table in Log Analytics.
    have
        The containers that there are.

    Returns
    -------
    str
        The expected name where nothing is alike.

    Raises
    ------
    SourceError
        If several containers are alike, and none has the expected name.

    Examples
    --------
    >>> container_of("AitAds_CL", ["am-aitads-cl", "am-heartbeat"]), container_of("SecurityAlert", [])
    ('am-aitads-cl', 'am-securityalert')
    """
    expected = f"am-{table.lower()}"
    alike = [name for name in have if _letters(name) == _letters(expected)]
    if len(alike) > 1 and expected not in alike:
        raise SourceError(
            f"several containers may hold the table {table}: {', '.join(sorted(alike))}; "
            "name the right one by the key `container` of its source"
        )
    return alike[0] if alike and expected not in alike else expected


def spellings(container: str) -> tuple[str, ...]:
    """How a container may be called, the likeliest first: a container's name may hold no underscore.

    Examples
    --------
    >>> spellings("am-suricataeve_cl"), spellings("am-securityalert")
    (('am-suricataeve-cl', 'am-suricataevecl', 'am-suricataeve_cl'), ('am-securityalert',))
    """
    return tuple(dict.fromkeys((container.replace("_", "-"), container.replace("_", ""), container)))


def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def window_of(days: Sequence[DayFolder], start: datetime | None, end: datetime | None) -> tuple[datetime, datetime]:
    """Settle the window of the run.

    Parameters
    ----------
    days
        The day folders of the export, one at least.
    start
        Begin of the window, if one is asked for; else the first day of the export.
    end
        End of the window, if one is asked for; else that of the last day.

    Returns
    -------
    tuple
        Begin and end of the window.

    Raises
    ------
    SourceError
        If no day of the export lies in the window; older days would be read as history, and the run would end well with
        nothing.
    """
    first = min(d.day for d in days)
    last = max(d.day for d in days)
    window = start or midnight(first), end or midnight(last + timedelta(days=1))
    days_inside(days, *window)
    return window


def past_from(start: datetime, past: timedelta) -> datetime:
    """Give the time at which the past of a window begins; from two days on that is a midnight.

    What is told of a subgraph says how much past there is. If that moved each hour, the subgraph would be told again
    each hour.

    Parameters
    ----------
    start
        Begin of the window.
    past
        How much past is asked for.

    Returns
    -------
    datetime
        Aware, in UTC.

    Examples
    --------
    >>> noon = datetime(2026, 3, 20, 12, tzinfo=timezone.utc)
    >>> past_from(noon, timedelta(days=2)).isoformat(), past_from(noon, timedelta(hours=6)).isoformat()
    ('2026-03-18T00:00:00+00:00', '2026-03-20T06:00:00+00:00')
    """
    return midnight((start - past).date()) if past >= timedelta(days=2) else start - past


def days_inside(days: Sequence[DayFolder], start: datetime, end: datetime) -> list[DayFolder]:
    """Choose the folders of the days that the window touches.

    Parameters
    ----------
    days
        The day folders of the export.
    start
        Begin of the window.
    end
        End of the window, not in it.

    Returns
    -------
    list of DayFolder
        One at least.

    Raises
    ------
    SourceError
        If there is none. The message says which days there are.
    """
    first, last = start.date(), (end - timedelta(microseconds=1)).date()
    inside = [d for d in days if first <= d.day <= last]
    if not inside:
        have = sorted({d.day.isoformat() for d in days})
        raise SourceError(
            f"no alerts between {start.isoformat()} and {end.isoformat()}: the export holds {have[0]} to {have[-1]}"
        )
    return inside


_DAYS = "unix_date(try_cast(concat_ws('-', left({path}, 4), substr({path}, 8, 2), substr({path}, 13, 2)) as date))"
_HOURS = "if({path} rlike '^.{{14}}/h=([01][0-9]|2[0-3])/', try_cast(substr({path}, 18, 2) as int), 0)"


def export_hour(file: str) -> str:
    """Spark SQL for the hour since 1970 of the folder that holds a file; without one, the first hour of its day."""
    path = f"substring_index({file}, '/y=', -1)"
    return f"{_DAYS.format(path=path)} * 24L + {_HOURS.format(path=path)}"


def midnight(day: date) -> datetime:
    """First instant of a day, in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=timezone.utc)
