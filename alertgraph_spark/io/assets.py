"""Read the asset list: a CSV that says what the machines of a network are."""

from __future__ import annotations

import csv
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
        With the line number of every row that is wrong.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            header = reader.fieldnames or []
            if "asset" not in header or set(header) - set(HEADER):
                raise ConfigError(f"{path}: header is {','.join(header)}; legal columns are {','.join(HEADER)}")
            rows = list(enumerate(reader, 2))
    except OSError as error:
        raise ConfigError(f"{path}: asset list cannot be read: {error.strerror}") from error
    assets, problems = [], []
    for number, row in rows:
        try:
            assets.append(_asset({key: (value or "").strip() for key, value in row.items()}))
        except ValueError as error:
            problems.append(f"{path}:{number}: {error}")
    if problems:
        raise ConfigError("\n".join(problems))
    return assets


def _asset(row: dict[str, str]) -> Asset:
    if not row["asset"]:
        raise ValueError("asset is empty")
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


def _number(row: dict[str, str], key: str, highest: float) -> float | None:
    text = row.get(key, "")
    if not text:
        return None
    value = float(text)
    if not 0 <= value <= highest:
        raise ValueError(f"{key} is {text}; legal are 0 to {highest:g}")
    return value
