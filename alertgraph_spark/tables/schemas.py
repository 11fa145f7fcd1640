"""Every table of the line: its grain, its columns and what they mean, in one place.

Vocabulary: `n_` counts, `is_` flags, `_at`, `first_seen` and `last_seen` UTC timestamps, `_id` keys, the unit in the name
(`span_minutes`), scores, shares and severities in [0, 1], tactics as MITRE ATT&CK short names (`lateral-movement`).
An entity key is `kind:value` in lower case (`host:web01`, `ip:10.0.0.5`, `account:corp\\svc_sql`).
"""

from __future__ import annotations

from alertgraph_spark.tables.health_schemas import HEALTH
from alertgraph_spark.tables.learn_schemas import SIGNATURES
from alertgraph_spark.tables.network_schemas import EDGES, NODES
from alertgraph_spark.tables.run_schemas import EXCEPTIONS, EXPLAINED_BY
from alertgraph_spark.tables.table import table
from alertgraph_spark.tables.verdict_schemas import VERDICTS

ZONES = ("it", "dmz", "ot", "external", "unknown")
_PAST = "struct<name:string,seen_hours:bigint,history_hours:double>"
_STORY = "array<struct<sentence:string,alert_ids:array<string>>>"
_RELATED = "array<struct<subgraph_id:string,fact:string>>"
_KINDS = "same_pair, pivot, account, same_source, same_target, answer, or coincidence; meeting, absorbed: of groups"
CONTACTS_OF = "array<struct<entity:string,owner:string,runbook:string>>"
_LEFT_OUT = "array<struct<source:string,name:string,n_alerts:bigint,alert_ids:array<string>>>"
_COUNTERFACTUAL = f"struct<cut:double,score:double,types:{_LEFT_OUT},fact:string>"

ALERT_ENDS = (
    ("source_entity", "string", "entity that acts, or null where the alert names only the host it is about"),
    ("target_entity", "string", "entity that is acted upon, or the host that the alert is about"),
    ("source_zone", "string", f"zone of the source: one of {', '.join(ZONES)}"),
    ("target_zone", "string", "zone of the target"),
    ("source_level", "double", "Purdue level of the source, 0 (process) to 5 (enterprise), by asset list or product"),
    ("target_level", "double", "Purdue level of the target"),
    ("source_role", "string", "role of the source in the asset list (scanner, jump_host, domain_controller, plc ...)"),
    ("target_role", "string", "role of the target in the asset list"),
)

ALERTS = table(
    "alerts",
    "one alert, duplicates folded",
    ("alert_id", "string", "SystemAlertId, else `_ItemId`, else a hash of the raw line", False),
    ("item_id", "string", "the exported row's `_ItemId`, unchanged"),
    ("site", "string", "workspace that exported the row; entities of two sites never meet", False),
    ("source", "string", "name of the format that read the row", False),
    ("product", "string", "product that raised the alert"),
    ("name", "string", "what the product calls the alert", False),
    ("rule_id", "string", "the product's id of the rule"),
    ("severity", "double", "severity in [0, 1], or null where the product gives none"),
    ("tactics", "array<string>", "ATT&CK tactics, canonical short names"),
    ("techniques", "array<string>", "ATT&CK technique ids"),
    ("observed_at", "timestamp", "when it happened", False),
    ("received_at", "timestamp", "TimeGenerated of the exported row", False),
    *ALERT_ENDS,
    ("entities", "array<struct<kind:string,key:string,role:string>>", "all entities; role is source, target or other"),
)

REJECTED = table(
    "rejected",
    "one exported line that was refused",
    ("file", "string", "file that holds the line", False),
    (
        "line",
        "string",
        "the line's text, at most 2,000 characters; of a row that parsed its `_ItemId`, of our own alert its details",
    ),
    ("reason", "string", "why it was refused", False),
    ("site", "string", "workspace"),
    ("table", "string", "exported table"),
)

TORN = "torn line"
UNFINISHED = "not yet: the file's last line is half-written"
"""The two reasons of one line that breaks off: lines follow it and it will never be whole, or none does and it may be."""

OWN = "own incident"
"""The reason of a row that this project's own incident rule raised."""

EPISODES = table(
    "episodes",
    "a run of alerts of one type between the same entities without a pause",
    ("episode", "bigint", "id made of its key and first time: stays when the episode grows", False),
    ("site", "string", "workspace", False),
    ("source", "string", "format", False),
    ("name", "string", "alert name", False),
    ("severity", "double", "highest severity"),
    ("tactics", "array<string>", "tactics of its alerts"),
    ("techniques", "array<string>", "techniques of its alerts"),
    ("started_at", "timestamp", "first alert", False),
    ("ended_at", "timestamp", "last alert", False),
    ("received_at", "timestamp", "latest receipt of one of its alerts: what came late is known from then on", False),
    ("n_alerts", "bigint", "alerts in it", False),
    *ALERT_ENDS,
    ("accounts", "array<string>", "account entities of its alerts, the first 50"),
    ("fleet_share", "double", "share of past hours in which the site saw this type, (seen + 1) / (hours + 2)", False),
    ("actor_share", "double", "the same for this type by whoever acts; all that is outside is one actor", False),
    ("history_hours", "double", "hours of history that the site had before it", False),
    ("surprise", "double", "-1/2 ln fleet_share - 1/2 ln actor_share, in nats", False),
    ("is_chronic", "boolean", "everyday noise of the site, or a routine: kept out of links and subgraphs", False),
)

LINKS = table(
    "links",
    "one time-respecting link from an earlier episode to a later one",
    ("site", "string", "workspace", False),
    ("src", "bigint", "earlier episode", False),
    ("dst", "bigint", "later episode", False),
    ("kind", "string", _KINDS, False),
    ("entity", "string", "the entity both have in common; where there is none the later host", False),
    ("gap_minutes", "double", "end of the earlier to start of the later, not below 0", False),
    ("weight", "double", "probability that the earlier led to the later, by its log-odds, in (0, 1]", False),
    ("chance", "double", "that such an alert would have come there so soon anyway, by what the past knew", False),
    ("log_odds", "double", "log-odds that the earlier led to the later, in nats", False),
)

CUTS = table(
    "cuts",
    "one likely link between two subgraphs",
    *((c.name, c.type, c.meaning, c.nullable) for c in LINKS.columns),
    ("reason", "string", "why it joins nothing: another cause is likelier, the warm-up's end, or the size cap", False),
)

CAUSES = table(
    "causes",
    "one episode of a subgraph and the earlier one that led to it, with the odds that it did",
    ("subgraph_id", "string", "subgraph", False),
    ("cause_id", "string", "earlier episode, as 16 hexadecimal digits", False),
    ("episode_id", "string", "later episode, as 16 hexadecimal digits", False),
    *((c.name, c.type, c.meaning, c.nullable) for c in LINKS.columns if c.name not in ("site", "src", "dst")),
)

MEMBERS = table(
    "members",
    "one alert and the subgraph that it belongs to",
    ("subgraph_id", "string", "subgraph", False),
    ("alert_id", "string", "alert", False),
    ("item_id", "string", "the exported row's `_ItemId`"),
    ("site", "string", "workspace", False),
    ("episode_id", "string", "episode, as 16 hexadecimal digits", False),
    ("role", "string", "core: linked; absorbed: in a strong group's span; context: nearly everyday; single", False),
)

MOTIF_HITS = table(
    "motif_hits",
    "one match of a named pattern inside a subgraph",
    ("subgraph_id", "string", "subgraph", False),
    ("motif", "string", "id of the motif", False),
    ("episodes", "array<string>", "matched episodes in time order", False),
    ("path", "array<string>", "entities along the match; of a hub motif the hub and its spokes, by name", False),
    ("started_at", "timestamp", "start of the first episode", False),
    ("ended_at", "timestamp", "start of the last episode", False),
)

FEATURES = table(
    "features",
    "one subgraph, its measurable facts",
    ("subgraph_id", "string", "`sg-` and its earliest episode: stays when the subgraph grows", False),
    ("site", "string", "workspace", False),
    ("first_seen", "timestamp", "start of its first episode", False),
    ("last_seen", "timestamp", "end of its last episode", False),
    ("last_received", "timestamp", "latest receipt of one of its alerts", False),
    ("n_alerts", "bigint", "alerts", False),
    ("n_episodes", "bigint", "episodes", False),
    ("n_hosts", "bigint", "distinct source and target entities", False),
    ("n_types", "bigint", "distinct alert types", False),
    ("tactics", "array<string>", "distinct tactics in order of first appearance", False),
    ("motifs", "array<string>", "ids of the motifs found", False),
    ("path", "array<string>", "entities along its longest time-respecting path", False),
    ("rarest", f"array<{_PAST}>", "its three rarest alert names, and the past hours in which each was seen", False),
    ("act_name", "string", "its rarest alert that acts on the process after the crossing; null where none does"),
    ("quietest", _PAST, "the host least heard of and in how many past hours; null where none is named"),
    ("is_warm_up", "boolean", "it began before the site had enough history to judge", False),
    ("rarity_nats", "double", "surprise of its types by severity, less on a known pair: sum of w_i / i^0.85", False),
    ("quiet_nats", "double", "-ln of the lowest past hourly rate of its hosts: one that never speaks is news", False),
    ("severity", "double", "highest severity, 0 where none is given", False),
    ("n_stages", "double", "distinct super-stages of the kill chain (get in, establish, spread, act), 0 to 4", False),
    ("chain_hops", "double", "hops of its longest time-respecting path, 0 where no motif of a chain matched", False),
    ("level_drop", "double", "Purdue levels from outermost to innermost end; 0 without an IT to OT pivot", False),
    ("ot_action", "double", "1 if an OT target is acted on (impair, inhibit, impact) after a crossing, else 0", False),
    ("planned_share", "double", "share of its episodes that were announced, or planned and not into OT", False),
    ("ln_hosts", "double", "natural logarithm of its hosts", False),
    ("outside_share", "double", "share of its episodes whose source lies outside", False),
    (
        "memory_nats",
        "double",
        "what analysts judged of subgraphs like it adds or takes; 0 where nothing is known",
        False,
    ),
)

SUBGRAPHS = table(
    "subgraphs",
    "one subgraph: score, rank, contributions that sum to the score, words",
    ("subgraph_id", "string", "`sg-` and its earliest episode", False),
    ("site", "string", "workspace", False),
    ("score", "double", "[0, 1): sum of the contributions", False),
    ("probability", "double", "that it is an attack, by a curve fitted on other networks; (0, 1)", False),
    ("rank", "bigint", "1 is the first to look at, over all sites of the run", False),
    ("is_shown", "boolean", "strong enough, within the budget of its site and day, after the warm-up", False),
    ("suppressed_by", EXPLAINED_BY, "the exceptions that hide it; empty where it is not hidden", False),
    ("first_seen", "timestamp", "start of its first episode", False),
    ("last_seen", "timestamp", "end of its last episode", False),
    ("n_alerts", "bigint", "alerts", False),
    ("n_episodes", "bigint", "episodes", False),
    ("n_hosts", "bigint", "distinct source and target entities", False),
    ("tactics", "array<string>", "distinct tactics", False),
    ("motifs", "array<string>", "ids of the motifs found", False),
    ("severity", "double", "highest severity, 0 where none is given", False),
    ("contributions", "array<struct<term:string,value:double,fact:string>>", "its parts, largest first", False),
    ("title", "string", "what happened, along which hosts, and its most telling alert", False),
    ("path", "array<string>", "entities along its longest time-respecting path", False),
    ("summary", "string", "one sentence for the analyst", False),
    ("reasons", "array<string>", "why it stands at its rank: the facts of its contributions, largest first", False),
    ("unusual", "array<string>", "what of it the site had rarely or never seen before", False),
    ("checks", "array<string>", "what to check next", False),
    ("owners", CONTACTS_OF, "hosts of which the asset list says it, those late on its path first; five at most", False),
    ("tickets", "array<string>", "changes under which work of its hosts was announced for the time", False),
    ("ties", "array<string>", "if shown, what followed what, after how long, where, and how rarely by chance", False),
    ("related", _RELATED, "if shown, other subgraphs with a rare entity in common, and which; else empty", False),
    (
        "story",
        _STORY,
        "if shown, three to six sentences in time order with alerts behind each, and who owns what",
        False,
    ),
    ("counterfactual", _COUNTERFACTUAL, "if shown, fewest alerts without which its score is below cut; else null"),
)

EVIDENCE = table(
    "evidence",
    "one episode of one subgraph",
    ("subgraph_id", "string", "subgraph", False),
    ("episode_id", "string", "episode, as 16 hexadecimal digits", False),
    *((c.name, c.type, c.meaning, c.nullable) for c in EPISODES.columns if c.name not in ("episode", "is_chronic")),
)

RESULTS = (
    *(SUBGRAPHS, MEMBERS, EVIDENCE, NODES, EDGES, CAUSES, MOTIF_HITS, FEATURES, CUTS, REJECTED, HEALTH, EXCEPTIONS),
    *(VERDICTS, SIGNATURES),
)
