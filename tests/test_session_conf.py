"""Settings for a while: what was set before is set again, what was not set is unset, also after a failure."""

from __future__ import annotations

import pytest
from pyspark.sql import SparkSession

from alertgraph_spark.access.session_conf import session_conf

SET, UNSET = "spark.alertgraph.set", "spark.alertgraph.unset"


def settings(spark: SparkSession) -> list[str | None]:
    return [spark.conf.get(key, None) for key in (SET, UNSET)]


@pytest.mark.parametrize("error", [None, ZeroDivisionError])
def test_settings_are_put_back(spark: SparkSession, error: type[Exception] | None) -> None:
    spark.conf.set(SET, "before")
    try:
        with session_conf(spark, {SET: "within", UNSET: "within"}):
            assert settings(spark) == ["within", "within"]
            if error:
                raise error
    except ZeroDivisionError:
        assert error
    assert settings(spark) == ["before", None]
    spark.conf.unset(SET)


def test_of_settings_that_spark_refuses_none_stays(spark: SparkSession) -> None:
    refused = {UNSET: "within", "spark.sql.shuffle.partitions": "no number"}
    before = spark.conf.get("spark.sql.shuffle.partitions")

    with pytest.raises(Exception, match="shuffle"), session_conf(spark, refused):
        pass

    assert settings(spark) == [None, None]
    assert spark.conf.get("spark.sql.shuffle.partitions") == before
