"""All intrusions: those that cross into operations, and here those that stay where they began, come from inside or drip.

The same caution as in `crossings` holds: models after public reports, not accounts of what happened.
"""

from __future__ import annotations

from plantbench.crossings import CREDS, CROSSINGS, DESK, HOP, LOOK, PATH, PHISH
from plantbench.stories import Step, Story

INTRUSIONS = (
    *CROSSINGS,
    Story(
        "volt_typhoon_2024",
        "slow_drip",
        "CISA, NSA and FBI, PRC State-Sponsored Actors Compromise US Critical Infrastructure, AA24-038A; ATT&CK G1017",
        PATH,
        (
            Step("edge_exploit", "T1190", ("exploit_public:c2>srv",)),
            Step("valid_account", "T1078", ("ext_login:c2> rdp:srv>dc", "rdp:srv>dc"), 3, steals=True),
            Step("directory_copy", "T1003.003", ("ntds_dump:dc>",), 4),
            Step("port_proxy", "T1090", ("tunnel:srv>jump",), 3),
            Step("quiet_look", "T1654", ("host_discovery:srv>dc*1-2", "log_clear:srv>"), 4, (60, 900)),
            Step("near_operations", "T1021.001", ("ot_remote:jump>scada", "ot_remote:jump>hist"), 4),
            Step("collect", "T1560.001", ("archive_data:srv> exfil:srv>c2",), 3),
        ),
        (168, 336),
    ),
    Story(
        "solarwinds_2020",
        "slow_drip",
        "CISA, Advanced Persistent Threat Compromise, AA20-352A; FireEye, SUNBURST, 2020; ATT&CK C0024",
        {**DESK, "mgmt": "deployment"},
        (
            Step("trojaned_update", "T1195.002", ("software_update:c2>mgmt",)),
            Step("dns_beacon", "T1071.004", ("c2_dns:mgmt>dc*6-16",), 3, (1440, 8000)),
            Step("second_stage", "T1071.001", ("c2_http:mgmt>c2*2-6",), 1),
            Step("directory", "T1003.006", ("dcsync:mgmt>dc", "kerberoast:mgmt>dc cred_use:mgmt>dc"), 2, steals=True),
            Step("cloud_token", "T1528", ("token:c2>*1-3",), 2),
            Step("mail", "T1114", ("token:c2> exfil:srv>c2",), 1, chance=0.7),
        ),
        (168, 336),
    ),
    Story(
        "colonial_2021",
        "it_only",
        "CISA and FBI, DarkSide Ransomware, AA21-131A; US Senate hearing, 8 June 2021 (one VPN password, no second factor)",
        DESK,
        (
            Step("vpn_password", "T1133", ("ext_login:c2>",)),
            Step("discover", "T1087.002", LOOK, 2),
            Step("move", "T1021", HOP, 1),
            Step("credentials", "T1003", CREDS, 1, steals=True),
            Step("exfiltrate", "T1567.002", ("archive_data:fs> exfil:fs>c2*1-3",), 2),
            Step("impair", "T1562.001", ("disable_av:srv> backup_delete:srv>", "backup_delete:fs>"), 0.5),
            Step("encrypt", "T1486", ("encrypt:@srv>*4-12",), 0.2, (5, 60)),
        ),
        (6, 192),
    ),
    Story(
        "norsk_hydro_2019",
        "it_only",
        "Norsk Hydro, press conferences March 2019; Beaumont, How LockerGoga took down Hydro, 2019; ATT&CK S0372",
        DESK,
        (
            Step("trojaned_mail", "T1566.001", PHISH),
            Step(
                "directory",
                "T1078.002",
                ("dcsync:entry>dc cred_use:entry>dc", "cred_dump:entry> rdp:entry>dc"),
                5,
                steals=True,
            ),
            Step("impair", "T1562.001", ("disable_av:@it>*2-6",), 3),
            Step(
                "roll_out",
                "T1570",
                ("group_policy:dc> smb_admin:dc>@it*4-12", "remote_service:dc>@it*4-10"),
                0.5,
                (5, 50),
            ),
            Step("encrypt", "T1486", ("encrypt:@it>*5-15 encrypt:@ot_win>*0-2",), 0.2, (5, 60)),
        ),
        (24, 330),
    ),
    Story(
        "notpetya_2017",
        "worm",
        "Cherepanov (ESET), Analysis of TeleBots' cunning backdoor, 2017; Microsoft, New ransomware, old techniques, 2017; "
        "ATT&CK S0368",
        {**DESK, "ot": "ot_win"},
        (
            Step("update", "T1195.002", ("software_update:c2>srv script_exec:srv>",)),
            Step("credentials", "T1003.001", ("cred_dump:srv>",), 0.3, steals=True),
            Step("spread", "T1210", ("smb_exploit:srv>@it*4-14 remote_service:srv>@it*2-8",), 0.5, (5, 45)),
            Step("operations", "T0866", ("smb_exploit:entry>ot ot_malware:entry>@ot_win*1-3",), 0.3, chance=0.7),
            Step("wipe", "T1486", ("encrypt:@it>*4-12 log_clear:@srv>*1-4",), 0.5, (5, 60)),
        ),
        (1, 30),
    ),
    Story(
        "wannacry_2018",
        "worm",
        "TSMC, Details on Computer Virus Incident, August 2018 (a new tool brought it in unscanned); ATT&CK S0366",
        {"tool": "hmi", "scada": "scada_server"},
        (
            Step("new_tool", "T0864", ("ot_new_device:tool> smb_exploit:tool>scada", "usb_malware:tool>")),
            Step(
                "spread",
                "T0866",
                ("smb_exploit:tool>@ot_win*3-9", "smb_exploit:scada>@ot_win*3-9 smb_exploit:scada>@it*1-4"),
                1,
            ),
            Step("stop", "T0826", ("ot_disconnect:scada>@plc*1-4", "encrypt:@ot_win>*1-3"), 1),
        ),
        (0.5, 20),
    ),
    Story(
        "stuxnet_2010",
        "worm",
        "Falliere, O Murchu and Chien (Symantec), W32.Stuxnet Dossier, 2011; ATT&CK S0603",
        {"entry": "workstation", "ews": "engineering_workstation", "srv": "server", "c2": "external"},
        (
            Step("usb", "T0847", ("usb_malware:entry>",)),
            Step("spread", "T1210", ("smb_exploit:entry>@ws*2-6 db_access:entry>srv",), 2),
            Step("project_files", "T0873", ("ot_malware:entry>ews", "usb_malware:ews>"), 3),
            Step("read_blocks", "T0845", ("ot_read_program:ews>@plc*1-3",), 1),
            Step("write_blocks", "T0889", ("ot_program:ews>@plc*1-2",), 2),
            Step("drive", "T0831", ("ot_command:ews>@plc*2-6",), 5, (60, 1000)),
        ),
        (72, 336),
    ),
    Story(
        "oldsmar_2021",
        "ot_only",
        "CISA, Compromise of US Water Treatment Facility, AA21-042A; with caution: officials later doubted an outside attack",
        {"c2": "external", "hmi": "hmi"},
        (
            Step("remote_tool", "T0823", ("ot_internet:hmi>c2 remote_tool:hmi>c2", "ot_remote:c2>hmi*1-2")),
            Step("look", "T0861", ("ot_identify:hmi>@plc*1-2",), 1, chance=0.5),
            Step("set_point", "T0836", ("ot_command:hmi>@plc*1-3",), 2, (1, 6)),
        ),
        (1, 12),
    ),
    Story(
        "unitronics_2023",
        "ot_only",
        "CISA et al., IRGC-Affiliated Cyber Actors Exploit PLCs, AA23-335A; ATT&CK C0031",
        {"c2": "external", "plc": "plc"},
        (
            Step("exposed_controller", "T0883", ("ot_internet:plc>c2 ot_login_fail:c2>plc*1-3",)),
            Step("default_password", "T0812", ("ot_identify:c2>plc",), 1),
            Step("reprogram", "T0843", ("ot_program:c2>plc", "ot_stop:c2>plc ot_program:c2>plc"), 2),
            Step("others", "T0846", ("ot_scan:plc>@plc*2-6",), 1, chance=0.5),
        ),
        (0.5, 48),
    ),
    Story(
        "pipedream_2022",
        "ot_only",
        "CISA et al., APT Cyber Tools Targeting ICS/SCADA Devices, AA22-103A; Dragos, PIPEDREAM, 2022; never seen in use",
        {"ews": "engineering_workstation", "hmi": "hmi"},
        (
            Step("foothold", "T0867", ("ot_malware:ews>hmi", "usb_malware:ews>")),
            Step("scan", "T0846", ("ot_scan:ews>@plc*5-14",), 1),
            Step("log_in", "T0859", ("ot_login_fail:ews>@plc*2-6",), 1),
            Step("read", "T0845", ("ot_read_program:ews>@plc*1-3 ot_identify:ews>@plc*1-4",), 2),
            Step("manipulate", "T0831", ("ot_command:ews>@plc*2-6", "ot_program:ews>@plc*1-2"), 2),
            Step("crash", "T0814", ("ot_flood:ews>@plc*1-3",), 1, chance=0.5),
        ),
        (4, 120),
    ),
    Story(
        "maroochy_2000",
        "insider",
        "Abrams and Weiss (MITRE), Malicious Control System Cyber Security Attack Case Study: Maroochy, 2008; ATT&CK C0020",
        {"device": "engineering_workstation", "scada": "scada_server"},
        (
            Step("stolen_device", "T0860", ("ot_new_device:device> ot_remote:device>scada",)),
            Step("try_commands", "T0855", ("ot_command:device>@plc*1-3",), 2),
            Step("alarms_off", "T0878", ("ot_program:device>@plc*1-2", "ot_stop:device>@plc"), 2, chance=0.8),
            Step("spill", "T0831", ("ot_command:device>@plc*2-6 ot_disconnect:device>@plc*1-3",), 3, (30, 300)),
            Step("again", "T0831", ("ot_command:device>@plc*2-5",), 3, (30, 300)),
        ),
        (48, 336),
        (17, 23),
    ),
    Story(
        "insider_theft",
        "insider",
        "CISA, Insider Threat Mitigation Guide, 2020; Cappelli, Moore and Trzeciak (CERT), Guide to Insider Threats, 2012",
        {"c2": "external", "entry": "workstation", "fs": "file_server", "srv": "server"},
        (
            Step("browse", "T1083", ("smb_admin:entry>fs*1-3 db_access:entry>srv*1-2",)),
            Step("usb", "T1052.001", ("usb_malware:entry>",), 2, chance=0.7),
            Step("pack", "T1560.001", ("archive_data:entry>*1-3",), 2),
            Step("upload", "T1567.002", ("exfil:entry>c2*2-5",), 2, (10, 200)),
        ),
        (8, 240),
        (7, 19),
    ),
)
