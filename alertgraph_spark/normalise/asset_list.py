"""What the asset list knows of the ends of an alert: which host an address is, its zone, Purdue level and role."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from alertgraph_spark.config.source_format import Asset
from alertgraph_spark.normalise.columns import NO_TEXTS, sql_text
from alertgraph_spark.normalise.entities import cidr_bounds, entity_keys, ipv4_number, zone_of
from alertgraph_spark.tables.schemas import ALERTS

_BOTH = ("source", "target")

WITH_LINE = ("named", "file", "table", "line", "reason", "file_id", "unknown", "n_left_out", "done")
"""What a normalised line carries beside the alert: addresses and whose they are, where it stands, why it was refused, what
was not understood, and how many of its entities are more than an alert keeps."""

MOST_OTHERS = 50
"""Accounts, and other entities beside its two ends, that an alert keeps. An alert of Sentinel names a handful, and 500 at the
most of all kinds (learn.microsoft.com/azure/sentinel/map-data-fields-to-entities); one forged line names thousands, each of
which would be asked for links."""


def with_assets(lines: DataFrame, assets: Sequence[Asset]) -> DataFrame:
    """Resolve both ends by the asset list, settle their zones and put all entities in one array.

    Row grain is unchanged. An alert whose two ends are one machine is about that machine: it has no source. A name with an
    address that the list gives another machine has no role: whoever raises an alert writes the name, and a scanner's may
    speak from anywhere.
    """
    lines = lines.withColumns({f"{end}_addresses": F.expr(_addresses(end)) for end in _BOTH})
    if assets:
        lines = lines.withColumns({f"{end}_number": ipv4_number(F.col(f"{end}_entity")) for end in _BOTH})
        listed = _listed(lines.sparkSession, assets)
        for end in _BOTH:
            lines = _join_assets(lines, end, assets, listed)
            if any(asset.role for asset in assets):
                lines = _without_role_of_others(lines, end, listed)
    else:
        lines = lines.withColumns({f"{end}_role": F.lit(None).cast("string") for end in _BOTH})
    is_loop = "coalesce(source_entity = target_entity, false)"
    moved = {
        "source_entity": f"if(target_entity is null and not acts or {is_loop}, null, source_entity)",
        "target_entity": (
            "coalesce(target_entity, if(acts and source_entity is not null, null, coalesce(source_entity,"
            " try_element_at(others, 1).key)))"
        ),
        **{
            f"target_{what}": f"if(target_entity is not null or acts, target_{what}, source_{what})"
            for what in ("zone", "level", "role")
        },
        "named": f"concat({_named('source')}, {_named('target')})",
    }
    lines = lines.withColumns({name: F.expr(text) for name, text in moved.items()})
    zones = {
        f"{end}_zone": zone_of(F.col(f"{end}_entity"), F.col(f"{end}_zone"), F.col(f"{other}_entity"))
        for end, other in (_BOTH, _BOTH[::-1])
    }
    ends = f"concat({_entity('source')}, {_entity('target')})"
    is_end = "coalesce(o.key = source_entity, false) or coalesce(o.key = target_entity, false)"
    entities = F.expr(f"concat({ends}, filter({_FIRST_OTHERS}, o -> not ({is_end})))")
    n_left_out = F.expr(f"size(others) - size({_FIRST_OTHERS})")
    return lines.withColumns({**zones, "entities": entities, "n_left_out": n_left_out}).select(
        *ALERTS.names, *WITH_LINE
    )


_FIRST_OTHERS = (
    f"if(size(others) <= {MOST_OTHERS}, others, concat(slice(filter(others, o -> o.kind = 'account'), 1, {MOST_OTHERS}),"
    f" slice(filter(others, o -> o.kind <> 'account'), 1, {MOST_OTHERS})))"
)


def _entity(end: str) -> str:
    """An end, if there is one, as `array<struct<kind,key,role>>`."""
    key = f"{end}_entity"
    entity = f"named_struct('kind', substring_index({key}, ':', 1), 'key', {key}, 'role', '{end}')"
    return f"if({key} is null, cast(array() as array<struct<kind:string,key:string,role:string>>), array({entity}))"


def _addresses(end: str) -> str:
    """Addresses that the row gives an end beside its name: they tell whose address it is in rows that name no host."""
    is_named = f"{end}_entity like 'host:%' or {end}_entity like 'device:%'"
    return f"if({is_named}, {end}_addresses, {NO_TEXTS})"


def _named(end: str) -> str:
    """Addresses of an end with the host they belong to, as `array<struct<address,host>>`."""
    named = f"transform({end}_addresses, a -> named_struct('address', a, 'host', {end}_entity))"
    # Where no format names addresses, Spark leaves all of it out.
    return f"if(size({end}_addresses) = 0, cast(array() as array<struct<address:string,host:string>>), {named})"


def _join_assets(lines: DataFrame, end: str, assets: Sequence[Asset], listed: DataFrame) -> DataFrame:
    """Replace the key of one end by its host's, and add its `_zone` (if listed), `_level` and `_role`."""
    # The narrowest block speaks first, wherever it stands in the list.
    blocks = sorted((a for a in assets if "/" in a.asset), key=lambda a: -int(a.asset.rpartition("/")[2]))

    def fact(what: str, field: str, said: str) -> str:
        known = [(cidr_bounds(block.asset), getattr(block, field)) for block in blocks]
        inside = [
            f"when {end}_number between {first} and {last}"
            f" then {sql_text(value) if isinstance(value, str) else f'{float(value)!r}D'}"
            for (first, last), value in known
            if value is not None
        ]
        of_block = f"case {' '.join(inside)} end" if inside else "null"
        return f"coalesce(listed_{what}, {of_block}, {said}) as {end}_{what}"

    joined = lines.join(F.broadcast(listed.withColumnRenamed("key", f"{end}_entity")), on=f"{end}_entity", how="left")
    return joined.selectExpr(
        *[c for c in lines.columns if c not in {f"{end}_{what}" for what in ("entity", "zone", "level", "number")}],
        f"coalesce(host, {end}_entity) as {end}_entity",
        fact("zone", "zone", f"{end}_zone"),
        fact("level", "purdue_level", f"{end}_level"),
        fact("role", "role", "cast(null as string)"),
    )


def _without_role_of_others(lines: DataFrame, end: str, listed: DataFrame) -> DataFrame:
    """Take the role from an end that has a name, and an address that the list gives a machine of another name."""
    owners = F.broadcast(listed.filter("host like 'host:%'").select("key", F.col("host").alias("owner")))
    role, is_other = f"{end}_role", F.lit(False)
    columns = lines.columns
    for place in (1, 2):  # ip and mac
        owner = owners.toDF(f"key_{place}", f"owner_{place}")
        address = F.expr(f"try_element_at({end}_addresses, {place})")
        lines = lines.join(owner, on=address == F.col(f"key_{place}"), how="left")
        is_other |= F.coalesce(F.col(f"owner_{place}") != F.col(f"{end}_entity"), F.lit(False))
    return lines.withColumn(role, F.when(~is_other, F.col(role))).select(columns)


def _listed(spark: SparkSession, assets: Sequence[Asset]) -> DataFrame:
    """The names and addresses of the list; one row is one entity key."""
    rows = [(a.asset, a.name or a.asset, a.zone, a.purdue_level, a.role) for a in assets if "/" not in a.asset]
    named = spark.createDataFrame(rows, "asset string, name string, zone string, level double, role string")
    return (
        entity_keys(named, {"asset": "host", "name": "host"})
        .select(
            F.col("asset").alias("key"),
            F.col("name").alias("host"),
            *[F.col(what).alias(f"listed_{what}") for what in ("zone", "level", "role")],
        )
        .dropDuplicates(["key"])
    )  # FS01 and fs01.corp.example are two rows of a list but one key
