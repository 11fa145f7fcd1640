"""MITRE ATT&CK tactics and techniques, Enterprise (v13 to v19) and ICS, in one vocabulary.

Names drift: v19 retired Defense Evasion and split it into Stealth and Defense Impairment, Sentinel still says PreAttack.
So a name in any spelling is reduced to its letters and looked up; a revoked technique is the one that took its place; an
unknown word is counted, never an error.

References
----------
https://attack.mitre.org/tactics/enterprise/, https://attack.mitre.org/tactics/ics/
https://learn.microsoft.com/azure/sentinel/security-alert-schema (the spellings of Sentinel)
"""

from __future__ import annotations

STAGES = ("get in", "establish", "spread", "act")
"""Super-stages in causal order. The matrix's own column order is not causal: tactics repeat on each host."""

TACTICS: dict[str, str] = {
    "reconnaissance": "get in",
    "resource-development": "get in",
    "initial-access": "get in",
    "execution": "establish",
    "persistence": "establish",
    "privilege-escalation": "establish",
    "stealth": "establish",
    "evasion": "establish",
    "defense-impairment": "establish",
    "credential-access": "establish",
    "discovery": "spread",
    "lateral-movement": "spread",
    "collection": "act",
    "command-and-control": "act",
    "exfiltration": "act",
    "inhibit-response-function": "act",
    "impair-process-control": "act",
    "impact": "act",
}
"""Tactic, canonical short name, to super-stage; the order is the order of the matrix."""

OT_ACTS = ("inhibit-response-function", "impair-process-control", "impact")
"""Tactics by which an attacker acts on the process itself (ATT&CK for ICS)."""

_OT_ACTS_SQL = ", ".join(f"'{tactic}'" for tactic in OT_ACTS)
ACTS_ON_PROCESS = f"coalesce(target_zone = 'ot' AND list_has_any(tactics, [{_OT_ACTS_SQL}]), false)"
"""Whether an episode acts on the process, in SQL."""

_ALIASES = {
    "defenseevasion": "stealth",  # Enterprise to v18
    "defenceevasion": "stealth",
    "preattack": "reconnaissance",  # Sentinel and Defender for Cloud, and the next two
    "probing": "reconnaissance",
    "exploitation": "initial-access",
    "commandcontrol": "command-and-control",
    "commandncontrol": "command-and-control",
    "c2": "command-and-control",
    **{"recon": "reconnaissance", "resdev": "resource-development", "initaccess": "initial-access"},  # Hayabusa
    **{"exec": "execution", "persis": "persistence", "privesc": "privilege-escalation", "evas": "stealth"},
    **{"credaccess": "credential-access", "disc": "discovery", "latmov": "lateral-movement", "collect": "collection"},
    **{"exfil": "exfiltration"},
    "cc": "command-and-control",
}

_IDS = {
    **{"ta0043": "reconnaissance", "ta0042": "resource-development", "ta0001": "initial-access", "ta0002": "execution"},
    **{"ta0003": "persistence", "ta0004": "privilege-escalation", "ta0005": "stealth", "ta0112": "defense-impairment"},
    **{"ta0006": "credential-access", "ta0007": "discovery", "ta0008": "lateral-movement", "ta0009": "collection"},
    **{"ta0011": "command-and-control", "ta0010": "exfiltration", "ta0040": "impact"},
    **{"ta0108": "initial-access", "ta0104": "execution", "ta0110": "persistence", "ta0111": "privilege-escalation"},
    **{"ta0103": "evasion", "ta0102": "discovery", "ta0109": "lateral-movement", "ta0100": "collection"},
    **{"ta0101": "command-and-control", "ta0107": "inhibit-response-function"},
    **{"ta0106": "impair-process-control", "ta0105": "impact"},
}

NO_TACTIC = ("", "none", "null", "na", "unknown", "other", "unspecified")
"""Words, reduced likewise, by which products say that they name no tactic."""


TACTIC_SPELLINGS: dict[str, str] = {t.replace("-", ""): t for t in TACTICS} | _ALIASES | _IDS
"""Name or id of a tactic, reduced to letters and digits in lower case, to the canonical short name."""

REVOKED_TECHNIQUES: dict[str, str] = dict(
    pair.split(":")
    for pair in """
    T1002:T1560 T1004:T1547.004 T1009:T1027.001 T1013:T1547.010 T1015:T1546.008 T1017:T1072 T1019:T1542.001
    T1022:T1560 T1023:T1547.009 T1024:T1573 T1028:T1021.006 T1031:T1543.003 T1032:T1573 T1035:T1569.002
    T1038:T1574.001 T1042:T1546.001 T1044:T1574.010 T1045:T1027.002 T1050:T1543.003 T1053.001:T1053.002 T1054:T1685
    T1058:T1574.011 T1060:T1547.001 T1063:T1518.001 T1065:T1571 T1066:T1027.005 T1067:T1542.003 T1070.001:T1685.005
    T1070.002:T1685.006 T1073:T1574.001 T1075:T1550.002 T1076:T1021.001 T1077:T1021.002 T1079:T1573 T1081:T1552.001
    T1084:T1546.003 T1085:T1218.011 T1086:T1059.001 T1088:T1548.002 T1089:T1685 T1093:T1055.012 T1094:T1095
    T1096:T1564.004 T1097:T1550.003 T1099:T1070.006 T1100:T1505.003 T1101:T1547.005 T1103:T1546.010 T1107:T1070.004
    T1109:T1542.002 T1116:T1553.002 T1117:T1218.010 T1118:T1218.004 T1121:T1218.009 T1122:T1546.015 T1126:T1070.005
    T1128:T1546.007 T1130:T1553.004 T1131:T1547.002 T1138:T1546.011 T1139:T1552.003 T1141:T1056.002 T1142:T1555.001
    T1143:T1564.003 T1144:T1553.001 T1145:T1552.004 T1146:T1070.003 T1147:T1564.002 T1148:T1562.003 T1150:T1647
    T1151:T1036.006 T1152:T1569.001 T1154:T1546.005 T1155:T1059.002 T1156:T1546.004 T1157:T1574.004 T1158:T1564.001
    T1159:T1543.001 T1160:T1543.004 T1161:T1546.006 T1162:T1647 T1163:T1037.004 T1164:T1547.007 T1165:T1037.005
    T1166:T1548.001 T1167:T1555.002 T1168:T1053 T1169:T1548.003 T1170:T1218.005 T1171:T1557.001 T1172:T1090.004
    T1173:T1559.002 T1174:T1556.002 T1177:T1547.008 T1178:T1134.005 T1179:T1056.004 T1180:T1546.002 T1181:T1055.011
    T1182:T1546.009 T1183:T1546.012 T1184:T1563.001 T1186:T1055.013 T1188:T1090.003 T1191:T1218.003 T1192:T1566.002
    T1193:T1566.001 T1194:T1566.003 T1196:T1218.002 T1198:T1553.003 T1206:T1548.003 T1208:T1558.003 T1209:T1547.003
    T1214:T1552.002 T1215:T1547.006 T1223:T1218.001 T1483:T1568.002 T1487:T1561.002 T1488:T1561.001 T1492:T1565.001
    T1493:T1565.002 T1494:T1565.003 T1500:T1027.004 T1501:T1543.002 T1502:T1134.004 T1503:T1555.003 T1504:T1546.013
    T1506:T1550.004 T1514:T1548.004 T1519:T1546.014 T1522:T1552.005 T1527:T1550.001 T1536:T1578.004 T1547.011:T1647
    T1562:T1685 T1562.001:T1685 T1562.002:T1685.001 T1562.004:T1686 T1562.006:T1685 T1562.007:T1686.001
    T1562.008:T1685.002 T1562.010:T1689 T1574.002:T1574.001 T1656:T1684.001
    """.split()  # noqa: SIM905  # one id a line would be a page
)
"""Revoked technique to the one in its place, to v19 (`revoked-by` of the STIX data; v19 gave T1562 new numbers)."""
