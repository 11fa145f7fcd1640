"""Read the asset list: a CSV that says what the machines of a network are."""

from __future__ import annotations

import csv
import ipaddress
from pathlib import Path

from alertgraph_spark.errors import ConfigError
from alertgraph_spark.schemas import ZONES
from alertgraph_spark.source_format import Asset

HEADER = ("asset", "name", "zone", "purdue_level", "criticality", "role")


def load_assets(path: Path) -> list[Asset]:
    """Read the asset list; one row is one host name, address or CIDR block.

    Raises
    ------
    ConfigError
        If the file cannot be read, or with the line number of every row that is wrong.

    Notes
    -----
    UTF-8, with or without the mark that spreadsheets put in front.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            header = reader.fieldnames or []
            if "asset" not in header or set(header) - set(HEADER):
                raise ConfigError(f"{path}: header is {','.join(header)}; legal columns are {','.join(HEADER)}")
            rows = list(enumerate(reader, 2))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"{path}: asset list cannot be read: {reason}") from error
    assets, problems = [], []
    for number, row in rows:
        try:
            if None in row:  # where csv.DictReader puts what has no column
                raise ValueError(f"has more cells than the header, which is {','.join(header)}")
            assets.append(_asset({key: (value or "").strip() for key, value in row.items()}))
        except ValueError as error:
            problems.append(f"{path}:{number}: {error}")
    if problems:
        raise ConfigError("\n".join(problems))
    return assets


def _asset(row: dict[str, str]) -> Asset:
    if not row["asset"]:
        raise ValueError("asset is empty")
    if "/" in row["asset"]:
        _check_block(row["asset"])
    zone = row.get("zone") or None
    if zone and zone not in ZONES:
        raise ValueError(f"zone is {zone!r}; legal are {', '.join(ZONES)}")
    criticality = _number(row, "criticality", 1.0)
    return Asset(
        asset=row["asset"],
        name=row.get("name") or None,
        zone=zone,
        purdue_level=_number(row, "purdue_level", 5.0),
        criticality=criticality,
        role=(row.get("role") or "").lower() or None,
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
