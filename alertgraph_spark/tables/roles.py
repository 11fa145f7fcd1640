"""Roles of the asset list, and what they say of an episode."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

PLANNED_ROLES = ("scanner", "maintenance")
"""Roles whose activity is planned: it links among itself, and speaks against a subgraph."""

CONTROLLER_ROLES = ("plc", "rtu", "ied", "controller", "safety_controller")
"""Roles of what controls the process: to act on one is to act on the process."""

CONTROLLER_LEVEL = 1.0
"""Purdue level of controllers: whatever stands at it or below is one, whatever its role (ISA-95, IEC 62443)."""


def acts_as_planned(episodes: pa.Table) -> pa.ChunkedArray:
    """Whether an episode is planned activity, by the role of the end that acts: the source, else the host it is about."""
    about = pc.if_else(pc.is_null(episodes["source_entity"]), episodes["target_role"], None)
    return pc.is_in(pc.coalesce(episodes["source_role"], about), pa.array(PLANNED_ROLES))
