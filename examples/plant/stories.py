"""The steps of each story: what is done to whom, and which rules it sets off.

The way from the office to the controllers goes over a person's account and the jump host, with a night in between; the
ransom story stays in the office; the fault is a dying controller that looks like sabotage.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Act:
    """One rule set off `times` times, `every` minutes, `after` minutes into its step."""

    after: float
    rule: str
    target: str
    source: str = ""
    account: str = ""
    times: int = 1
    every: float = 1.0


@dataclass(frozen=True)
class Step:
    """One step of a story: it opens on a day (the first is 1) at a time of day, UTC."""

    name: str
    day: int
    hour: int
    minute: int
    acts: tuple[Act, ...]


# The stories stay unformatted: one act a line reads as the story does.
PIVOT: tuple[Step, ...] = (
    Step("phish", 2, 9, 40, (
        Act(0, "edr.word", "patient", "", "user"),
        Act(2, "edr.powershell", "patient", "", "user"),
        Act(2.5, "sigma.encoded_powershell", "patient", "", "user"),
        Act(5, "ids.exe_bare_ip", "attacker", "patient"),
    )),
    Step("credentials", 2, 10, 6, (
        Act(0, "sigma.whoami", "patient", "", "user"),
        Act(1, "sigma.net_recon", "patient", "", "user"),
        Act(9, "edr.lsass", "patient", "", "user"),
        Act(9.2, "sigma.comsvcs", "patient", "", "user"),
    )),
    Step("account", 2, 10, 48, (
        Act(0, "identity.overpass", "patient", "", "stolen"),
    )),
    Step("file_server", 2, 11, 16, (
        Act(0, "ids.ipc_share", "files", "patient"),
        Act(0.2, "ids.admin_share", "files", "patient", "", 2, 0.5),
        Act(1.4, "ids.smb_executable", "files", "patient"),
        Act(1.6, "sigma.admin_share_file", "files", "patient", "stolen"),
        Act(2.1, "ids.svcctl", "files", "patient"),
        Act(2.4, "sigma.service_installed", "files", "", "stolen"),
        Act(4, "edr.remote_service", "files", "patient", "stolen"),
    )),
    Step("collection", 2, 13, 34, (
        Act(0, "sigma.rar_password", "files", "", "stolen"),
        Act(1, "edr.staging", "files", "", "stolen"),
    )),
    Step("jump_host", 2, 16, 22, (
        Act(0, "fw.rdp_to_dmz", "jump", "files", "stolen"),
        Act(0.1, "ids.rdp_admin", "jump", "files"),
        Act(0.8, "sigma.rdp_operations", "jump", "files", "stolen"),
        Act(11, "sigma.net_recon", "jump", "", "stolen"),
    )),
    Step("engineering", 3, 7, 5, (
        Act(0, "ids.rdp_admin", "station", "jump", "", 2, 3),
        Act(0.8, "sigma.rdp_operations", "station", "jump", "stolen"),
        Act(12, "d4iot.remote_service", "station", "jump"),
        Act(12.5, "sigma.service_installed", "station", "", "stolen"),
    )),
    Step("survey", 3, 9, 25, (
        Act(0, "d4iot.address_scan", "controller", "station"),
        Act(4, "ids.modbus_identify", "controller", "station"),
        Act(5, "ids.modbus_identify", "second controller", "station"),
        Act(16, "d4iot.config_read", "controller", "station"),
        Act(18, "d4iot.config_read", "second controller", "station"),
    )),
    Step("controllers", 3, 14, 8, (
        Act(0, "d4iot.programming", "controller", "station"),
        Act(1, "ids.modbus_write", "controller", "station", "", 3, 2),
        Act(7, "d4iot.function_code", "controller", "station"),
        Act(18, "d4iot.programming", "second controller", "station"),
        Act(19, "ids.modbus_write", "second controller", "station", "", 2, 2),
        Act(31, "d4iot.mode_changed", "controller", "station"),
        Act(47, "d4iot.controller_stop", "controller", "station"),
    )),
)  # fmt: skip

RANSOM: tuple[Step, ...] = (
    Step("vpn", 3, 2, 4, (
        Act(0, "fw.vpn_fail", "gateway", "attacker", "user", 3, 0.4),
        Act(2, "fw.vpn_location", "gateway", "attacker", "user"),
        Act(6, "sigma.rdp_public", "entry", "attacker", "user"),
    )),
    Step("foothold", 3, 2, 27, (
        Act(0, "edr.discovery", "entry", "", "user"),
        Act(3, "sigma.encoded_powershell", "entry", "", "user"),
        Act(11, "edr.tampering", "entry", "", "user"),
    )),
    Step("spread", 3, 3, 8, (
        Act(0, "ids.admin_share", "application", "entry"),
        Act(0.7, "sigma.admin_share_file", "application", "entry", "user"),
        Act(1.5, "ids.svcctl", "application", "entry"),
        Act(1.8, "sigma.service_installed", "application", "", "user"),
        Act(13, "ids.admin_share", "database", "application"),
        Act(13.6, "sigma.admin_share_file", "database", "application", "user"),
        Act(14, "sigma.service_installed", "database", "", "user"),
    )),
    Step("encryption", 3, 3, 51, (
        Act(0, "sigma.shadow_copies", "application", "", "user"),
        Act(1, "edr.backups", "application", "", "user"),
        Act(4, "edr.encryption", "application", "", "user", 2, 9),
        Act(8, "sigma.shadow_copies", "database", "", "user"),
        Act(9, "edr.backups", "database", "", "user"),
        Act(12, "edr.encryption", "database", "", "user", 2, 11),
    )),
)  # fmt: skip

FAULT: tuple[Step, ...] = (
    Step("flapping", 3, 10, 18, (
        Act(0, "d4iot.exception", "scada", "controller", "", 4, 2),
        Act(1, "ids.modbus_busy", "scada", "controller", "", 6, 1.5),
        Act(3, "d4iot.unresponsive", "controller", "scada"),
        Act(4, "d4iot.unresponsive", "controller", "hmi"),
        Act(6, "ids.modbus_flood", "controller", "scada", "", 3, 2),
        Act(9, "d4iot.hardware", "scada", "controller"),
    )),
    Step("failure", 3, 10, 47, (
        Act(0, "d4iot.unrecoverable", "scada", "controller"),
        Act(1, "d4iot.exception", "hmi", "controller", "", 3, 3),
        Act(2, "ids.modbus_length", "scada", "controller", "", 4, 1.5),
        Act(8, "d4iot.restarts", "scada", "controller"),
        Act(14, "d4iot.disconnected", "controller", "scada"),
        Act(16, "d4iot.disconnected", "controller", "hmi"),
        Act(31, "d4iot.controller_stop", "controller", "scada"),
    )),
)  # fmt: skip
