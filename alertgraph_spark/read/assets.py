"""Read what a site says of itself: the asset list, which machines it has, and the calendar of announced maintenance."""

from __future__ import annotations

import csv
import ipaddress
import logging
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from alertgraph_spark.clean_text import clean
from alertgraph_spark.config.source_format import Asset, MaintenanceWindow
from alertgraph_spark.errors import ConfigError
from alertgraph_spark.tables.schemas import ZONES

log = logging.getLogger(__name__)

HEADER = ("asset", "name", "zone", "purdue_level", "role", "owner", "runbook")
CALENDAR = ("asset", "from", "to", "site", "what", "ticket")

RUNBOOK_LIMIT = 1024
"""Characters of a runbook: an address with a query behind it, or a few sentences."""

_Row = TypeVar("_Row")


def load_assets(path: Path) -> list[Asset]:
    """Read the asset list.

    Parameters
    ----------
    path
        A CSV in UTF-8, with or without the mark that spreadsheets put in front. A column that is not read is told in
        the log: a list may have more, and a name may be mistyped.

    Returns
    -------
    list of Asset
        One item is one host name, address or CIDR block.

    Raises
    ------
    ConfigError
        If the file cannot be read, or with the line number of every row that is wrong.
    """
    return rows_of_list(path, "asset list", HEADER, ("asset",), _asset)


def load_maintenance(path: Path) -> list[MaintenanceWindow]:
    """Read the maintenance calendar.

    Parameters
    ----------
    path
        A CSV in UTF-8. Times are ISO 8601 with an offset or Z, `site` may be left out, and `what` is for people.

    Returns
    -------
    list of MaintenanceWindow
        One item is one machine in one window, from `from` until before `to`.

    Raises
    ------
    ConfigError
        If the file cannot be read, or with the line number of every row that is wrong.
    """
    return rows_of_list(path, "maintenance calendar", CALENDAR, CALENDAR[:3], _window)


def rows_of_list(
    path: Path, what: str, legal: tuple[str, ...], needed: tuple[str, ...], parse: Callable[[dict[str, str]], _Row]
) -> list[_Row]:
    """Read a CSV whose rows `parse` understands: it raises a `ValueError` for one that is wrong, and all are told at once."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            header = reader.fieldnames or []
            if set(needed) - set(header):
                raise ConfigError(f"{path}: header is {','.join(header)}; legal columns are {','.join(legal)}")
            if other := [name for name in header if name not in legal]:
                log.warning("%s: not read: the columns %s; read are %s", path, ", ".join(other), ", ".join(legal))
            rows = list(enumerate(reader, 2))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"{path}: {what} cannot be read: {reason}") from error
    parsed, problems = [], []
    for number, row in rows:
        try:
            if None in row:  # where csv.DictReader puts what has no column
                raise ValueError(f"has more cells than the header, which is {','.join(header)}")
            parsed.append(parse({key: (value or "").strip() for key, value in row.items()}))
        except ValueError as error:
            problems.append(f"{path}:{number}: {error}")
    if problems:
        raise ConfigError("\n".join(problems))
    return parsed


def _asset(row: dict[str, str]) -> Asset:
    if not row["asset"]:
        raise ValueError("asset is empty")
    if "/" in row["asset"]:
        _check_block(row["asset"])
    zone = row.get("zone") or None
    if zone and zone not in ZONES:
        raise ValueError(f"zone is {zone!r}; legal are {', '.join(ZONES)}")
    return Asset(
        asset=row["asset"],
        name=row.get("name") or None,
        zone=zone,
        purdue_level=_number(row, "purdue_level", 5.0),
        role=(row.get("role") or "").lower() or None,
        owner=clean(row.get("owner") or ""),
        runbook=clean(row.get("runbook") or "", RUNBOOK_LIMIT),
    )


def _check_block(asset: str) -> None:
    try:
        ipaddress.IPv4Network(asset, strict=False)
    except ValueError as error:
        raise ValueError(f"asset is {asset!r}, no IPv4 block such as 10.1.0.0/16") from error


def _number(row: dict[str, str], key: str, highest: float) -> float | None:
    text = row.get(key, "")
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0 <= value <= highest:
        raise ValueError(f"{key} is {text!r}; legal are 0 to {highest:g}")
    return value


def _window(row: dict[str, str]) -> MaintenanceWindow:
    if not row["asset"] or "/" in row["asset"]:
        raise ValueError(f"asset is {row['asset']!r}; a window is of one host name or address")
    begins, ends = time_of(row, "from"), time_of(row, "to")
    if begins >= ends:
        raise ValueError(f"from {row['from']} is not before to {row['to']}")
    return MaintenanceWindow(row["asset"], begins, ends, row.get("site") or None, clean(row.get("ticket") or ""))


def time_of(row: dict[str, str], key: str) -> datetime:
    """The time in a cell, which must have an offset; raises a `ValueError` that says so."""
    try:
        when = datetime.fromisoformat(row[key].replace("Z", "+00:00"))
    except ValueError:
        when = datetime.min
    if when.tzinfo is None:
        raise ValueError(f"{key} is {row[key]!r}, no ISO 8601 time with an offset, such as 2026-03-02T22:00:00Z")
    return when
