"""The intrusions that cross from IT into operations, after public reports, and the parts and phrases they share.

Each story names its report. Where the report leaves a step open, the alternatives are our own reading; times are scaled
into the 14 days that a set can hold, so months of real dwell become days. The stories are models for judging a ranking,
not accounts of what happened at the named victims.
"""

from __future__ import annotations

from plantbench.stories import Step, Story

DESK = {"c2": "external", "entry": "workstation", "srv": "server", "fs": "file_server", "dc": "domain_controller"}
PATH = {
    **DESK,
    "jump": "jump_host",
    "ews": "engineering_workstation",
    "hmi": "hmi",
    "scada": "scada_server",
    "hist": "historian",
}
PHISH = (
    "phish_open:entry> script_exec:entry> c2_http:entry>c2*1-4",
    "phish_open:entry> malware_drop:entry>c2 c2_http:entry>c2*1-3",
)
CREDS = ("cred_dump:entry> cred_use:entry>dc", "kerberoast:entry>dc cred_use:entry>dc", "dcsync:srv>dc")
LOOK = ("host_discovery:entry>dc*1-3", "host_discovery:entry>dc port_sweep:entry>@it*8-25")
HOP = ("rdp:entry>srv", "smb_admin:entry>srv remote_service:entry>srv", "winrm:entry>srv")

CROSSINGS = (
    Story(
        "ukraine_2015",
        "it_to_ot",
        "E-ISAC and SANS ICS, Analysis of the Cyber Attack on the Ukrainian Power Grid, 2016; ATT&CK C0028",
        PATH,
        (
            Step("phish", "T1566.001", PHISH),
            Step("credentials", "T1003", CREDS, 2, steals=True),
            Step("discover", "T1018", LOOK, 2),
            Step(
                "vpn_to_operations", "T0822", ("ext_login:c2> ot_remote:jump>hmi", "rdp:srv>jump ot_remote:jump>hmi"), 4
            ),
            Step("remote_tool", "T0823", ("remote_tool:hmi>c2", "ot_remote:jump>hmi*1-3"), 1, chance=0.7),
            Step("open_breakers", "T0855", ("ot_command:hmi>@plc*3-8",), 3, (5, 40)),
            Step("firmware", "T0857", ("ot_firmware:hmi>@plc*1-3",), 0.2, chance=0.7),
            Step("wipe", "T0809", ("log_clear:hmi> backup_delete:srv>", "log_clear:scada>"), 0.2),
        ),
        (48, 336),
    ),
    Story(
        "industroyer_2016",
        "it_to_ot",
        "Cherepanov (ESET), WIN32/INDUSTROYER, 2017; Dragos, CRASHOVERRIDE, 2017; ATT&CK C0025",
        PATH,
        (
            Step("credentials", "T1078", ("password_spray:c2>dc*2-5 ext_login:c2>", "cred_dump:entry>"), steals=True),
            Step("sql_pivot", "T1505.001", ("db_access:entry>srv*1-3 script_exec:srv>",), 2),
            Step(
                "historian", "T0866", ("ot_remote:srv>hist new_account:srv>dc", "tunnel:srv>hist ot_remote:srv>hist"), 3
            ),
            Step("tool_transfer", "T0867", ("ot_malware:hist>scada*1-2",), 2),
            Step("scan_stations", "T0846", ("ot_scan:scada>@plc*3-10", "ot_identify:scada>@plc*2-6"), 1, chance=0.8),
            Step("commands", "T0855", ("ot_command:scada>@plc*3-9",), 1, (1, 15)),
            Step("relay_denial", "T0814", ("ot_flood:scada>@plc*1-3",), 0.1, chance=0.6),
            Step("wipe", "T0809", ("log_clear:scada> encrypt:scada>",), 0.2),
        ),
        (24, 330),
    ),
    Story(
        "triton_2017",
        "it_to_ot",
        "Johnson et al. (FireEye), Attackers Deploy New ICS Attack Framework TRITON, 2017; ATT&CK C0030",
        PATH,
        (
            Step("foothold", "T1133", ("ext_login:c2> web_shell:c2>srv", "exploit_public:c2>srv web_shell:c2>srv*1-2")),
            Step("credentials", "T1003.001", ("cred_dump:srv> cred_use:srv>dc",), 2, steals=True),
            Step("dmz", "T1021.001", ("rdp:srv>jump", "tunnel:srv>jump rdp:srv>jump"), 3),
            Step("engineering", "T0886", ("ot_remote:jump>ews*1-2", "ot_ssh:jump>ews"), 4),
            Step("read_logic", "T0845", ("ot_read_program:ews>@plc*1-2", "ot_identify:ews>@plc*1-3"), 2),
            Step("safety_program", "T0843", ("ot_program:ews>@plc*1-3",), 3, (10, 90)),
            Step("trip", "T0880", ("ot_stop:ews>@plc*1-2", "ot_disconnect:ews>@plc"), 0.3, chance=0.7),
        ),
        (120, 336),
    ),
    Story(
        "sandworm_2022",
        "it_to_ot",
        "Proska et al. (Mandiant), Sandworm Disrupts Power in Ukraine Using a Novel Attack Against OT, 2023; ATT&CK C0034",
        PATH,
        (
            Step("web_shell", "T1505.003", ("exploit_public:c2>srv web_shell:c2>srv*1-3",)),
            Step("tunnel", "T1572", ("tunnel:srv>c2 c2_http:srv>c2*2-5",), 1),
            Step("supervisory_host", "T0886", ("ot_remote:srv>scada", "smb_admin:srv>scada ot_malware:srv>scada"), 5),
            Step("native_commands", "T0855", ("ot_command:scada>@plc*2-6",), 3, (1, 10)),
            Step("wiper", "T1484.001", ("group_policy:srv>dc encrypt:entry> encrypt:fs>",), 1.5, steals=True),
        ),
        (72, 336),
    ),
    Story(
        "frostygoop_2024",
        "it_to_ot",
        "Dragos, Impact of FrostyGoop ICS Malware on Connected OT Systems, 2024; ATT&CK C0041",
        {"c2": "external", "router": "vpn", "srv": "server", "jump": "dmz_server"},
        (
            Step("router_exploit", "T0819", ("exploit_public:c2>router*1-3",)),
            Step("web_shell", "T1505.003", ("web_shell:c2>srv", "web_shell:c2>srv tunnel:srv>c2"), 2),
            Step("credentials", "T1003.002", ("cred_dump:srv>",), 3, steals=True),
            Step("reach_controllers", "T0883", ("ot_reach:srv>jump*2-5 ot_scan:jump>@plc*1-4",), 4),
            Step(
                "write_registers",
                "T0836",
                ("ot_command:jump>@plc*3-10", "ot_firmware:jump>@plc ot_command:jump>@plc*2-6"),
                3,
            ),
        ),
        (48, 336),
    ),
)
