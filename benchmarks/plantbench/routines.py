"""Benign chains in the same grammar: what a site does every week, and what happens to it without any attacker.

They are the red herrings: fan-out of scanners and patch nights, crossings into operations by maintenance, chains by
administrators, an engineer's new controller, a device that fails.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from plantbench.stories import Step, Story

if TYPE_CHECKING:
    from typing_extensions import Unpack

OWN = "own experience of what such networks do; no source"
WORKDAYS = (0, 1, 2, 3, 4)


class _When(TypedDict, total=False):
    clock: tuple[float, float]
    weekdays: tuple[int, ...]
    announced: bool
    passing: tuple[str, ...]


def _routine(
    name: str,
    per_week: float,
    cast: dict[str, str],
    steps: tuple[Step, ...],
    hours: tuple[float, float],
    **more: Unpack[_When],
) -> Story:
    return Story(name, "routine", OWN, cast, steps, hours, per_week=per_week, **more)


ROUTINES = (
    _routine(
        "vulnerability_scan",
        2.0,
        {"scan": "scanner"},
        (
            Step("sweep", "-", ("port_sweep:scan>@it*30-200 ot_scan:scan>@plc*0-3",), 1, (60, 300)),
            Step("login_checks", "-", ("password_spray:scan>@srv*2-8 smb_admin:scan>@it*2-10",), 1, (30, 120), 0.7),
        ),
        (1, 4),
        clock=(0, 5),
    ),
    _routine(
        "patch_night",
        1.0,
        {"dep": "deployment", "patch": "patch_server"},
        (
            Step("push", "-", ("software_update:dep>@it*10-60 remote_service:dep>@it*5-30",), 1, (60, 240)),
            Step("restarts", "-", ("disable_av:@it>*1-5 schtask:@srv>*2-8 cred_use:dep>@srv*2-8",), 1, (60, 180)),
            Step("operations", "-", ("ot_remote:patch>@ot_win*1-4 ot_malware:patch>@ot_win*0-2",), 1, (30, 120), 0.4),
        ),
        (2, 6),
        clock=(20, 24),
        announced=True,
    ),
    _routine(
        "controller_maintenance",
        2.5,
        {"mnt": "maintenance", "ews": "engineering_workstation", "desk": "workstation"},
        (
            Step("way_in", "-", ("ext_login:@external> rdp:desk>mnt ot_remote:mnt>ews", "ot_remote:mnt>ews*1-2")),
            Step("read", "-", ("ot_read_program:ews>@plc*1-4 ot_identify:ews>@plc*0-3",), 1),
            Step(
                "change",
                "-",
                ("ot_program:ews>@plc*1-4", "ot_command:ews>@plc*1-5", "ot_firmware:ews>@plc*1-2"),
                1,
                (10, 120),
            ),
            Step("restart", "-", ("ot_stop:ews>@plc*1-3 ot_disconnect:ews>@plc*0-2",), 0.5, (5, 40), 0.6),
        ),
        (1, 7),
        clock=(6, 16),
        announced=True,
        weekdays=WORKDAYS,
    ),
    _routine(
        "engineer_from_the_desk",
        1.5,
        {"desk": "workstation", "jump": "jump_host", "ews": "engineering_workstation", "hmi": "hmi"},
        (
            Step("hop", "-", ("rdp:desk>jump ot_remote:jump>ews", "rdp:desk>jump ot_ssh:jump>hmi")),
            Step(
                "work", "-", ("ot_identify:ews>@plc*1-3", "ot_command:hmi>@plc*1-3", "ot_read_program:ews>@plc*1-2"), 1
            ),
        ),
        (0.2, 5),
        clock=(6, 18),
        weekdays=WORKDAYS,
    ),
    _routine(
        "administrator_round",
        5.0,
        {"desk": "workstation", "dc": "domain_controller"},
        (
            Step("look", "-", ("host_discovery:desk>dc*1-2 cred_use:desk>@srv*1-4", "script_exec:desk>"), 1),
            Step("hops", "-", ("rdp:desk>@srv*1-5", "winrm:desk>@srv*1-5 script_exec:@srv>*0-2"), 1),
            Step(
                "change",
                "-",
                ("schtask:@srv>", "new_account:desk>dc", "group_policy:desk>dc", "disable_av:@srv>"),
                1,
                chance=0.5,
            ),
        ),
        (0.5, 8),
        clock=(6, 17),
        weekdays=WORKDAYS,
    ),
    _routine(
        "backup_trouble",
        1.0,
        {"bkp": "backup"},
        (
            Step(
                "jobs",
                "-",
                ("smb_admin:bkp>@srv*2-8 backup_delete:@srv>*0-2 archive_data:@srv>*0-2 exfil:bkp>@external*0-2",),
            ),
        ),
        (0.2, 3),
        clock=(0, 5),
    ),
    _routine(
        "employee_travels",
        1.5,
        {"far": "external", "desk": "workstation", "srv": "server"},
        (
            Step("sign_in", "-", ("ext_login:far>*1-3 token:far>*0-1",)),
            Step("work", "-", ("rdp:desk>srv exfil:desk>@external*0-2",), 1, chance=0.6),
        ),
        (1, 20),
        passing=("far",),
    ),
    _routine(
        "false_positive_wave",
        0.5,
        {"far": "external"},
        (Step("bad_signature", "-", ("malware_drop:@ws>far*4-20 c2_http:@ws>far*1-6",), 1, (30, 400)),),
        (0.5, 6),
        clock=(5, 15),
        passing=("far",),
    ),
    _routine(
        "blocked_malware",
        2.0,
        {"far": "external", "desk": "workstation"},
        (
            Step(
                "opened",
                "-",
                ("phish_open:desk> malware_drop:desk>far c2_http:desk>far*0-2", "usb_malware:desk> malware_drop:desk>"),
            ),
        ),
        (0.1, 1),
        clock=(6, 18),
        passing=("far", "desk"),
    ),
    _routine(
        "internet_probes",
        5.0,
        {"far": "external"},
        (
            Step(
                "probes",
                "-",
                ("exploit_public:far>@srv*2-12 password_spray:far>@vpn*0-4 port_sweep:far>@srv*2-20",),
                1,
                (5, 120),
            ),
        ),
        (0.1, 3),
        passing=("far",),
    ),
    _routine(
        "commissioning",
        0.6,
        {"ews": "engineering_workstation", "new": "plc"},
        (
            Step("connect", "-", ("ot_new_device:new> ot_scan:ews>@plc*1-4",)),
            Step("load", "-", ("ot_identify:ews>new ot_firmware:ews>new ot_program:ews>new*1-3",), 1),
            Step("trial", "-", ("ot_command:ews>new*2-5 ot_stop:ews>new*1-2 ot_disconnect:ews>new",), 1),
        ),
        (2, 30),
        clock=(7, 15),
        passing=("new",),
        weekdays=WORKDAYS,
    ),
    _routine(
        "failing_device",
        1.0,
        {"scada": "scada_server", "plc": "plc"},
        (
            Step(
                "drops",
                "-",
                ("ot_disconnect:scada>plc*2-8 ot_flood:scada>plc*0-3 ot_stop:scada>plc*0-2",),
                1,
                (30, 900),
            ),
        ),
        (1, 30),
    ),
    _routine(
        "vendor_in_the_plant",
        0.7,
        {"far": "external", "hmi": "hmi", "ews": "engineering_workstation"},
        (
            Step(
                "remote_help", "-", ("remote_tool:hmi>far ot_internet:hmi>far", "ot_internet:ews>far usb_malware:ews>")
            ),
            Step("fix", "-", ("ot_command:hmi>@plc*0-3", "ot_login_fail:hmi>@plc*1-3", "ot_malware:ews>hmi"), 1),
        ),
        (0.5, 6),
        clock=(7, 18),
    ),
)

STANDING = (
    _routine(
        "directory_sync",
        2.0,
        {"sync": "server", "dc": "domain_controller"},
        (Step("replicate", "-", ("dcsync:sync>dc*1-2",), 1, (1, 20)),),
        (0.1, 0.5),
    ),
    _routine(
        "monitoring_account",
        4.0,
        {"mon": "server"},
        (Step("log_in", "-", ("cred_use:mon>@srv*1-4 smb_admin:mon>@srv*0-3",), 1, (5, 60)),),
        (0.1, 1),
    ),
)
"""Machines that do by design what rules are written against, each always the same: at all levels but `hard`."""
