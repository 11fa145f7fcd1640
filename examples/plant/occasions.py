"""Single events of a normal week, as records: benign, rare, and often of the types that an attack would cause too."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Occasion:
    """A benign event that happens `times` in three days, not before day `from_day` (0 is the first)."""

    rule: str
    times: int
    target: str
    source: str = ""
    account: str = ""
    from_day: int = 0
    rhythm: str = "office"


ADMIN = "corp\\adm.fuchs"
BACKUP = "corp\\svc_backup"
DEPLOY = "corp\\svc_deploy"

OCCASIONS: tuple[Occasion, ...] = (
    # administrators and software distribution use what attackers use
    Occasion("ids.c_share", 3, "srv-app1", "ws-003"),
    Occasion("ids.svcctl", 2, "srv-app1", "ws-003"),
    Occasion("ids.admin_share", 2, "srv-mon1", "ws-003"),
    Occasion("ids.rdp_admin", 2, "dc02", "ws-003"),
    Occasion("sigma.service_installed", 2, "srv-app1", "", ADMIN),
    Occasion("sigma.admin_share_file", 1, "srv-mon1", "ws-003", ADMIN),
    Occasion("sigma.winrm_session", 3, "role:server", "", ADMIN),
    Occasion("ids.smb_executable", 4, "role:workstation", "srv-dep1"),
    Occasion("sigma.schtasks_system", 2, "role:workstation", "", DEPLOY, from_day=1),
    Occasion("sigma.netsh_rule", 2, "role:workstation", "", DEPLOY),
    Occasion("sigma.lsass_access", 2, "role:server", "", BACKUP, rhythm="steady"),
    Occasion("sigma.shadow_copies", 1, "bkp01", "", BACKUP, rhythm="steady"),
    Occasion("ids.port_445", 2, "role:server", "bkp01", rhythm="steady"),
    Occasion("sigma.kerberoast", 1, "dc01", "srv-mon1", "corp\\svc_mon"),
    Occasion("sigma.new_user", 1, "dc01", "", ADMIN),
    Occasion("identity.groups", 1, "dc01", "", ADMIN, from_day=2),
    Occasion("identity.ldap", 1, "ws-003", "", ADMIN),
    Occasion("fw.admin_fail", 2, "fw-edge", "ws-003", ADMIN),
    # ordinary ways into the operations zone: an engineer's desk, an administrator who patches
    Occasion("sigma.rdp_operations", 1, "jmp01", "ws-021", "corp\\j.meyer"),
    Occasion("ids.rdp_admin", 1, "patch01", "ws-003"),
    Occasion("fw.rdp_to_dmz", 1, "patch01", "ws-003", ADMIN),
    # people at work
    Occasion("edr.word", 1, "ws-011", "", "owner"),
    Occasion("edr.powershell", 2, "role:workstation", "", "owner"),
    Occasion("edr.wacatac", 2, "role:workstation", "", "owner"),
    Occasion("edr.task", 1, "role:workstation", "", "owner", from_day=1),
    Occasion("edr.discovery", 1, "ws-003", "", ADMIN),
    Occasion("av.quarantine", 3, "role:workstation"),
    Occasion("sigma.encoded_powershell", 2, "role:workstation", "", "owner"),
    Occasion("sigma.whoami", 2, "role:workstation", "", "owner"),
    Occasion("sigma.net_recon", 2, "role:workstation", "", "owner"),
    Occasion("sigma.gpresult", 2, "role:workstation", "", "owner"),
    Occasion("sigma.iso_mounted", 2, "role:workstation", "", "owner", from_day=1),
    Occasion("sigma.rar_password", 1, "ws-009", "", "owner"),
    Occasion("ids.exe_download", 3, "internet", "role:workstation"),
    Occasion("ids.exe_bare_ip", 1, "internet", "role:workstation"),
    Occasion("ids.basic_auth", 2, "srv-app1", "role:workstation"),
    Occasion("ids.rustdesk", 1, "dc01", "role:workstation", from_day=2),
    Occasion("ids.ssh_scan", 1, "srv-mon1", "guest"),
    Occasion("ids.bind_version", 1, "dc01", "guest"),
    Occasion("fw.remote_tool", 2, "internet", "role:workstation", "owner"),
    Occasion("fw.vpn_location", 2, "vpn01", "internet", "anyone"),
    Occasion("fw.ips", 3, "mail01", "internet", from_day=1, rhythm="steady"),
    Occasion("signin.travel", 1, "", "internet", "anyone", from_day=2),
    Occasion("signin.spray", 1, "", "internet", "anyone", from_day=1, rhythm="steady"),
    # the operations side
    Occasion("d4iot.new_asset", 2, "10.30.1.77", "", rhythm="shifts"),
    Occasion("d4iot.field_device", 1, "10.30.1.78", "", from_day=1, rhythm="shifts"),
    Occasion("d4iot.firmware", 1, "plc-2", "ews-1", from_day=2),
    Occasion("d4iot.programming", 1, "plc-2", "ews-1"),
    Occasion("d4iot.mode_changed", 1, "plc-6", "ews-1", rhythm="shifts"),
    Occasion("d4iot.ssh", 1, "hist01", "ews-1", from_day=2),
    Occasion("d4iot.internet", 2, "internet", "hist-mir", rhythm="steady"),
    Occasion("d4iot.logins", 2, "scada01", "hmi-3", rhythm="shifts"),
    Occasion("d4iot.sessions", 2, "scada01", "hmi-1", from_day=1, rhythm="shifts"),
    Occasion("d4iot.dhcp", 2, "10.30.1.79", "", from_day=1, rhythm="shifts"),
    Occasion("d4iot.port_scan", 1, "hist01", "patch01", from_day=1),
    Occasion("d4iot.address_range", 1, "plc-1", "hmi-1", rhythm="shifts"),
    Occasion("ids.modbus_identify", 2, "role:plc", "hist01", rhythm="steady"),
    Occasion("ids.modbus_report", 2, "role:plc", "hist01", from_day=1, rhythm="steady"),
    Occasion("ids.modbus_flood", 1, "plc-4", "scada01", from_day=1, rhythm="steady"),
    Occasion("sigma.rdp_operations", 1, "hist01", "ews-1", "corp\\ot.schicht"),
)
