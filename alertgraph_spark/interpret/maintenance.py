"""Maintenance: the calendar of what was announced, by the keys that alerts give to machines."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from alertgraph_spark.config.source_format import Asset, MaintenanceWindow
from alertgraph_spark.interpret.entities import key_of
from alertgraph_spark.tables.embedded import arrow_schema
from alertgraph_spark.tables.interim_schemas import CALENDAR


def calendar_of(windows: Sequence[MaintenanceWindow], assets: Sequence[Asset]) -> pa.Table:
    """Lay out the maintenance that was announced.

    Parameters
    ----------
    windows
        Rows of the calendar.
    assets
        The asset list. A row that names an address is about the machine that has it there.

    Returns
    -------
    pa.Table
        One row is one window of one machine (`interim_schemas.CALENDAR`).
    """
    names = {asset.asset.lower(): asset.name for asset in assets if asset.name}
    rows = [
        {"machine": machine, "site": one.site, "begins": one.begins, "ends": one.ends, "ticket": one.ticket}
        for one in windows
        if (machine := key_of("host", names.get(one.asset.lower(), one.asset)))
    ]
    return pa.Table.from_pylist(rows, arrow_schema(CALENDAR))
