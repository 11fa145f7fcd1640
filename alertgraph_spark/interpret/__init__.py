"""Interpret: what alerts say becomes what it means, in this process: entity keys, zones, ATT&CK's words. No Spark."""

from alertgraph_spark.interpret.asset_list import AssetList, asset_list_of
from alertgraph_spark.interpret.exceptions import exception_keys
from alertgraph_spark.interpret.maintenance import calendar_of
from alertgraph_spark.interpret.rows import interpret, interpret_each

__all__ = ["AssetList", "asset_list_of", "calendar_of", "exception_keys", "interpret", "interpret_each"]
