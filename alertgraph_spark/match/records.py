"""The catalogue of motifs: patterns of attack as records, each with what it is blind to and two small graphs.

To add a motif, add a record; the tests run its graphs and `docs/motifs.md` is made from it.
"""

from __future__ import annotations

from dataclasses import dataclass

from alertgraph_spark.graph.pattern import read_pattern
from alertgraph_spark.tables.attack import OT_ACTS

FACTS = ("source", "name", "tactics", "origin", "destination", "origin_zone", "destination_zone", "victims", "t0")
"""What a condition may ask of a vertex."""

LINK_FACTS = ("kind", "entity", "gap_minutes", "weight")
"""What a condition may ask of an edge."""


@dataclass(frozen=True)
class Motif:
    """One named pattern.

    Attributes
    ----------
    pattern
        One way through the graph, as GraphFrames writes it: `(a)`, `(a)-[e]->(b)`, `(a)-[e]->(b); (b)-[f]->(c)` and so on.
    where
        SQL predicate over the named vertices (`FACTS`) and edges (`LINK_FACTS`). Spark and DuckDB both run it, so it is
        held to what they share: comparisons, `and`, `or`, `not`, `in`, `is null`, arithmetic, `array_contains(list, value)`.
    fewest_stops
        Fewest entities on the path of a match, each counted once; for a motif without a hub.
    hub, spokes
        Where many episodes are one match: the columns of the first vertex that they share, and its column, one value or a
        list, whose distinct values count.
    at_least
        Fewest distinct `spokes` for a match.
    regularity
        Least regularity of the episodes' starts, `1 - MAD(gaps) / median(gaps)`; 0 asks for none.
    technique, why, check, blind_spot
        ATT&CK technique, what it means for the analyst, what to look at next (`{first}` and `{last}` stand for the ends of
        the path), and what escapes it.
    match, near_miss
        Two small graphs, one episode a line: `minute source/zone -> target/zone name #tactic @account`; a line without an
        arrow is an alert about one host, `#` and `@` may be left out or come more than once.
    """

    id: str
    title: str
    pattern: str
    where: str
    technique: str
    why: str
    check: str
    blind_spot: str
    match: tuple[str, ...]
    near_miss: tuple[str, ...]
    fewest_stops: int = 0
    hub: tuple[str, ...] = ()
    spokes: str = ""
    at_least: int = 0
    regularity: float = 0.0

    @property
    def chain(self) -> tuple[str, ...]:
        """The vertices of the pattern in the order of time."""
        return read_pattern(self.pattern).vertices


def _has(vertex: str, *tactics: str) -> str:
    any_of = " or ".join(f"array_contains({vertex}.tactics, '{tactic}')" for tactic in tactics)
    return f"({any_of})" if len(tactics) > 1 else any_of


_CROSSES = """e.kind = 'pivot' and a.origin_zone in ('it', 'external')
            and b.destination_zone = 'ot' and b.origin <> b.destination"""

MOTIFS: tuple[Motif, ...] = (
    Motif(
        id="ot_act_after_crossing",
        title="OT action after crossing",
        pattern="(a)-[e]->(b); (b)-[f]->(c)",
        where=f"""{_CROSSES}
            and f.kind in ('pivot', 'same_pair') and c.destination_zone = 'ot' and {_has("c", *OT_ACTS)}""",
        technique="T0831 Manipulation of Control (ICS)",
        why="Who came over from the office network acts on the process: call the control room before anybody else.",
        check="Call the control room: was {last} to be worked on? Compare its program with the last good one.",
        blind_spot="A crossing that is itself the act, or an act further hops away: the score's `ot_action` counts both.",
        match=(
            "0 ws1/it -> jump/dmz rdp logon",
            "20 jump/dmz -> ews/ot rdp logon",
            "40 ews/ot -> plc/ot controller stopped #impair-process-control",
        ),
        near_miss=(
            "0 ws1/it -> jump/dmz rdp logon",
            "20 jump/dmz -> ews/ot rdp logon",
            "40 ews/ot -> plc/ot program read #collection",
        ),
    ),
    Motif(
        id="it_ot_pivot",
        title="IT→OT pivot",
        pattern="(a)-[e]->(b)",
        where=_CROSSES,
        technique="T0886 Remote Services (ICS)",
        why="What was reached from the office network reaches into the process network: now it is a matter of safety.",
        check="Who was logged on at each host on the way to {last}, and may that account go into OT?",
        blind_spot="A dual-homed machine that only the OT side reports; an entry by USB or by a supplier's remote access.",
        match=("0 ws1/it -> jump/dmz rdp logon", "20 jump/dmz -> ews/ot rdp logon"),
        near_miss=("20 ws1/it -> jump/dmz rdp logon", "0 jump/dmz -> ews/ot rdp logon"),
    ),
    Motif(
        id="dmz_skip",
        title="DMZ skip",
        pattern="(a)",
        where="a.origin_zone in ('it', 'external') and a.destination_zone = 'ot' and a.origin <> a.destination",
        hub=("origin",),
        spokes="destination",
        at_least=1,
        technique="T0822 External Remote Services (ICS)",
        why="A machine outside reaches the process network with no DMZ host between: the conduit should not exist.",
        check="Find the firewall rule that lets a machine outside reach OT without the DMZ, and close it.",
        blind_spot="A DMZ host that the asset list calls IT or OT; a translated address of the DMZ that hides who comes.",
        match=("0 ws1/it -> fs1/it smb", "20 fs1/it -> ews/ot rdp logon"),
        near_miss=("0 ws1/it -> jump/dmz rdp logon", "20 jump/dmz -> ews/ot rdp logon"),
    ),
    Motif(
        id="staged_exfiltration",
        title="Exfiltration after staging",
        pattern="(a)-[e]->(b)",
        where=f"""e.kind = 'pivot' and {_has("a", "collection")} and b.destination_zone = 'external'
            and {_has("b", "exfiltration", "command-and-control")}""",
        technique="T1041 Exfiltration Over C2 Channel",
        why="A host on which data was gathered speaks to the outside: what is missing may be on its way.",
        check="How much left {first}, and where to? Block the destination; keep the files gathered.",
        blind_spot="Products that name no tactic; data gathered on one host and sent from another; an upload to a cloud that"
        " the asset list counts as IT.",
        match=("0 fs1/it archive created #collection", "30 fs1/it -> drop/external large upload #exfiltration"),
        near_miss=("0 fs1/it archive created #collection", "30 fs1/it -> nas/it large upload #exfiltration"),
    ),
    Motif(
        id="lateral_chain",
        title="Lateral movement",
        pattern="(a)-[e]->(b); (b)-[f]->(c)",
        where="e.kind = 'pivot' and f.kind = 'pivot'",
        fewest_stops=3,
        technique="T1021 Remote Services",
        why="Each host is acted upon and then acts: somebody moves through the network.",
        check="Which account went from {first} to {last}, and where else was it used in that time?",
        blind_spot="A hop that no sensor sees, or one that waits longer than the busy host in the middle allows.",
        match=("0 ws1/it -> fs1/it smb", "10 fs1/it new service", "20 fs1/it -> dc1/it rdp"),
        near_miss=("0 ws1/it -> fs1/it smb", "10 fs1/it new service", "20 fs1/it log cleared"),
    ),
    Motif(
        id="relay",
        title="Relay",
        pattern="(a)-[e]->(b)",
        where="""e.kind = 'pivot' and a.name = b.name and a.source = b.source and a.origin <> a.destination
            and b.origin <> b.destination and a.origin <> b.destination and b.t0 - a.t0 < 60000000""",
        technique="T1090.001 Internal Proxy",
        why="The same alert is handed on within a minute: a proxy, a tunnel or a worm.",
        check="Which process passes this on at the host in the middle? A proxy has an owner, a worm has none.",
        blind_spot="A relay that changes protocol on the way, or waits more than a minute.",
        match=("0 ws1/it -> fs1/it beacon", "0.5 fs1/it -> srv/it beacon"),
        near_miss=("0 ws1/it -> fs1/it beacon", "2 fs1/it -> srv/it beacon"),
    ),
    Motif(
        id="spray",
        title="Spray",
        pattern="(a)",
        where=_has("a", "credential-access"),
        hub=("origin", "source", "name"),
        spokes="victims",
        at_least=5,
        technique="T1110.003 Password Spraying",
        why="One host tries many accounts with one and the same method; look for the one that let it in.",
        check="Did any of the accounts tried log on afterwards? Reset it, and end its sessions.",
        blind_spot="Guesses from many addresses, against fewer than five accounts, or slower than the links allow; products"
        " that name no tactic.",
        match=tuple(f"{i} ws1/it -> dc1/it failed logon #credential-access @user{i}" for i in range(5)),
        near_miss=tuple(f"{i} ws1/it -> dc1/it failed logon #credential-access @user0" for i in range(5)),
    ),
    Motif(
        id="beacon",
        title="Beacon",
        pattern="(a)",
        where="a.origin <> a.destination",
        hub=("origin", "destination", "source", "name"),
        spokes="t0",
        at_least=8,
        regularity=0.8,
        technique="T1071 Application Layer Protocol",
        why="One host calls another as if by a clock: an implant that asks for orders, or a job that nobody told you of.",
        check="Which process makes the regular calls, since when, and who knows the address they go to?",
        blind_spot="A beat faster than `ranking.episode_gap_seconds`, which is one episode, or with more than about 30 %"
        " jitter. Of eight calls that come by chance 4 in 100 are as regular.",
        match=tuple(f"{t} ws1/it -> c2/external odd request" for t in (0, 8, 16, 25, 33, 41, 48, 56)),
        near_miss=tuple(f"{t} ws1/it -> c2/external odd request" for t in (0, 2, 11, 14, 24, 25, 34, 39)),
    ),
    Motif(
        id="fan_out",
        title="Fan-out",
        pattern="(a)",
        where="a.origin <> a.destination",
        hub=("origin",),
        spokes="destination",
        at_least=5,
        technique="T1046 Network Service Discovery",
        why="One host turns to many: discovery, spraying or a worm's next step.",
        check="Which of the hosts that were turned to answered, and is the one that asked a scanner you know?",
        blind_spot="A sweep slower than the links allow; fewer than five targets.",
        match=tuple(f"{i} ws1/it -> srv{i}/it smb" for i in range(5)),
        near_miss=tuple(f"{i} ws1/it -> srv{i}/it smb" for i in range(4)),
    ),
    Motif(
        id="convergence",
        title="Convergence",
        pattern="(a)-[e]->(b)",
        where="e.kind = 'pivot' and a.origin <> a.destination",
        hub=("destination",),
        spokes="origin",
        at_least=3,
        technique="T1074.002 Remote Data Staging",
        why="Many hosts turn to one, which then acts: staging, a shared drop, or one prey of several footholds.",
        check="What was put on the host that all turned to, and where did it go from there?",
        blind_spot="Sources behind one translated address count as one.",
        match=(
            "0 ws1/it -> fs1/it smb",
            "1 ws2/it -> fs1/it smb",
            "2 ws3/it -> fs1/it smb",
            "9 fs1/it archive created",
        ),
        near_miss=(
            "0 ws1/it -> fs1/it smb",
            "1 ws2/it -> fs1/it smb",
            "2 ws3/it -> fs2/it smb",
            "9 fs1/it archive created",
        ),
    ),
)
"""The most telling first: that is the order of the summary's words."""

CHAINS = tuple(motif.id for motif in MOTIFS if not motif.hub)
"""Motifs that are one way through a few episodes; the others count what meets at a hub."""

TITLES, CHECKS = ({motif.id: getattr(motif, name) for motif in MOTIFS} for name in ("title", "check"))
"""What people call a motif, and what to check next where it is found; the most telling first."""
