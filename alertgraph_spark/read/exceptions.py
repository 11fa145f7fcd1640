"""Read a list of exceptions as it stands: a CSV, a YAML file, or a watchlist of Microsoft Sentinel in either form.

What a row means, and whether it is right, `interpret.exceptions` knows.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from alertgraph_spark.config.alert_exception import COLUMNS, ListedRow
from alertgraph_spark.errors import ConfigError

MAX_BYTES = 16 * 1024 * 1024
"""Of a list: some ten thousand exceptions; Sentinel takes watchlists of 3.8 MB in the portal."""

ITEM = "watchlistitem"
"""The column of the table `Watchlist` that holds an item's own columns as JSON."""

WATCHLIST = frozenset(
    {
        *("_dtitemid", "_dtitemstatus", "_dtitemtype", "_dttimestamp", "_itemid", "_resourceid", "_billedsize"),
        *("_isbillable", "_subscriptionid", "azuretenantid", "correlationid", "createdby", "createdtimeutc"),
        *("defaultduration", "entitymapping", "lastupdatedtimeutc", "notes", "provider", "searchkey", "sourcesystem"),
        *("tags", "tenantid", "timegenerated", "timegenerated [utc]", "timetolive", "type", "updatedby"),
        *("watchlistalias", "watchlistcategory", "watchlistid", "watchlistitemid", "watchlistname"),
    }
)
"""The columns of the table `Watchlist` and of `_GetWatchlist()` that are no item's own, in lower case: not read as such.

References
----------
https://learn.microsoft.com/azure/azure-monitor/reference/tables/watchlist
"""


def load_exceptions(path: Path) -> list[ListedRow]:
    """Read a list of exceptions.

    By the end of its name: `.yaml` or `.yml` is a list of mappings, also below a key `exceptions`; `.json` or `.jsonl`
    has rows of the table `Watchlist`, a line or an array; anything else is CSV. A CSV may be what the portal exports of
    a watchlist, whose own columns are left out, or rows of the table `Watchlist`. Of each item the latest row counts,
    and none that was deleted.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    list of ListedRow
        One item is one exception, with its columns in lower case.

    Raises
    ------
    ConfigError
        If the file cannot be read at all. A row that is wrong is told by `interpret.exceptions.understand`.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError(f"{path}: has more than {MAX_BYTES // 2**20} MiB: no list of exceptions")
        text = path.read_text(encoding="utf-8-sig")
        kind = path.suffix.lower()
        if kind in (".yaml", ".yml"):
            return list(_of_yaml(path, text))
        rows = list(_of_json(path, text) if kind in (".json", ".jsonl") else _of_csv(path, text))
    except (OSError, ValueError, csv.Error, yaml.YAMLError, RecursionError) as error:
        raise ConfigError(f"{path}: list of exceptions cannot be read: {_reason(error)}") from error
    return list(_items(rows))


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "nested too deep"
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    if mark:
        return f"line {mark.line + 1}, column {mark.column + 1}: {problem}"
    return str(error.strerror if isinstance(error, OSError) else error)


def _of_csv(path: Path, text: str) -> Iterator[ListedRow]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header = [name.strip().lower() for name in next(reader, [])]
    if not {ITEM, *COLUMNS} & set(header):
        raise ValueError(f"line 1: no column is one of {', '.join(COLUMNS)}")
    line = reader.line_num + 1
    for cells in reader:
        place, line = f"{path}:{line}", reader.line_num + 1
        if not any(cell.strip() for cell in cells):
            continue
        # What has no column stands under a name that no column has.
        named = dict(zip(header, cells, strict=False)) | ({"": "…"} if len(cells) > len(header) else {})
        yield ListedRow(place, named)


def _of_json(path: Path, text: str) -> Iterator[ListedRow]:
    is_array = text.lstrip().startswith("[")
    lines = [(1, text)] if is_array else [(n, line) for n, line in enumerate(text.split("\n"), 1) if line.strip()]
    for number, line in lines:
        found = _parsed(number, line)
        yield from _rows(path, number, found if is_array else [found])


def _parsed(number: int, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        at = number + error.lineno - 1 if isinstance(error, json.JSONDecodeError) else number
        raise ValueError(f"line {at}: is no JSON") from error


def _rows(path: Path, number: int, found: list[Any]) -> Iterator[ListedRow]:
    for row in found:
        if not isinstance(row, dict):
            raise ValueError(f"line {number}: is no JSON object")
        yield ListedRow(f"{path}:{number}", {name.strip().lower(): _text(value) for name, value in row.items()})


def _text(value: Any) -> str:
    """A JSON value as a cell: text as it is, nothing where it is null."""
    return value if isinstance(value, str) else "" if value is None else json.dumps(value)


def _of_yaml(path: Path, text: str) -> Iterator[ListedRow]:
    node = yaml.compose(text, yaml.SafeLoader)
    if isinstance(node, yaml.MappingNode):
        inner = [value for name, value in node.value if name.value == "exceptions"]
        node = inner[0] if len(inner) == len(node.value) == 1 else node
    if node is None:
        return
    if not isinstance(node, yaml.SequenceNode):
        raise ValueError(f"line {node.start_mark.line + 1}: wanted is a list, each with a `- ` before it")
    for item in node.value:
        yield ListedRow(f"{path}:{item.start_mark.line + 1}", _mapping(item))


def _mapping(item: yaml.Node) -> dict[str, str]:
    line = item.start_mark.line + 1
    if not isinstance(item, yaml.MappingNode):
        raise ValueError(f"line {line}: wanted are names and values, such as `owner: soc`")
    cells: dict[str, str] = {}
    for name, value in item.value:
        if not isinstance(name, yaml.ScalarNode) or not isinstance(value, yaml.ScalarNode):
            raise ValueError(f"line {value.start_mark.line + 1}: a value is one text; a list is several exceptions")
        key = name.value.strip().lower()
        if key in cells:
            raise ValueError(f"line {name.start_mark.line + 1}: {key} stands twice")
        cells[key] = "" if value.tag == "tag:yaml.org,2002:null" else value.value
    return cells


def _items(rows: Iterable[ListedRow]) -> Iterator[ListedRow]:
    """Rows without what a watchlist says of itself; of several rows of one item the latest, as `_GetWatchlist()` does."""
    latest: dict[str, ListedRow] = {}
    for number, row in enumerate(rows):
        item = row.cells.get("_dtitemid") or f"\n{number}"
        known = latest.get(item)
        if known is None or row.cells.get("_dttimestamp", "") >= known.cells.get("_dttimestamp", ""):
            latest[item] = row
    alive = [row for row in latest.values() if row.cells.get("_dtitemstatus", "").lower() not in ("delete", "deleted")]
    alive = [row for row in alive if row.cells.get("_dtitemtype", "watchlist-item").lower() != "watchlist"]
    if len(names := sorted({row.cells.get("watchlistalias", "") for row in alive})) > 1:
        raise ConfigError(f"{alive[0].place}: holds the watchlists {', '.join(names)}; export the one with exceptions")
    return (ListedRow(row.place, _own(row)) for row in alive)


def _own(row: ListedRow) -> Mapping[str, str]:
    """The cells that are an exception's; its id is that of the watchlist's item, where it has none of its own."""
    own = {name: cell for name, cell in row.cells.items() if name not in WATCHLIST and name != ITEM}
    if item := row.cells.get(ITEM, "").strip():
        try:
            found = json.loads(item)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise ConfigError(f"{row.place}: WatchlistItem is no JSON object")
        own |= {name.strip().lower(): _text(value) for name, value in found.items()}
        own = {name: cell for name, cell in own.items() if name not in WATCHLIST}
    given = row.cells.get("_dtitemid", "").strip()
    return own if own.get("id", "").strip() or not given else {**own, "id": given}
