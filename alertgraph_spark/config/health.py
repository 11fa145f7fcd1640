"""Every number by which the health of a source is judged: what it means, which values it may take, where it comes from."""

from __future__ import annotations

from dataclasses import dataclass

from alertgraph_spark.config.parameters import parameter

FEW = "twenty sources judged each hour make 500 judgements a day: a false alarm in three weeks"


@dataclass(frozen=True)
class HealthParameters:
    """The numbers of the rule. Hours, days, weeks and minutes as named; shares and chances in [0, 1]."""

    judged_hours: int = parameter(24, "hours at the end of the window that are judged, at most", "[1, 168]")
    most_weeks: int = parameter(8, "weeks of past that are looked at, at most", "[2, 52]")
    least_past_hours: int = parameter(24, "hours of past below which a source is new", "[1, 168]")
    least_days: int = parameter(2, "days of past from which an hour is compared with its hour of the day", "[2, 14]")
    least_weeks: int = parameter(2, "weeks of past from which an hour is compared with its hour of the week", "[2, 8]")
    chance: float = parameter(1e-4, "how likely by chance what is called an alarm may be, at most", "(0, 0.05]", FEW)
    usual_weeks: float = parameter(2.0, "what the past brought oftener than once in so many weeks is usual", "(0, 52]")
    flood_times: float = parameter(3.0, "a flood has so many times the usual alerts of its hour, at least", "[1, 1000]")
    flood_alerts: int = parameter(100, "a flood has so many alerts in an hour, at least", "[1, 1000000]")
    slow_share: float = parameter(0.95, "share of the past hours whose delay was lower than a slow one", "[0.5, 1]")
    slow_times: float = parameter(2.0, "a slow source has so many times that delay, at least", "[1, 100]")
    slow_minutes: float = parameter(
        30.0,
        "minutes by which its median delay is above the usual one, at least; an export writes every five",
        "[0, 10080]",
    )
    slow_alerts: int = parameter(3, "alerts whose delay is judged, at least", "[1, 1000]")
    refused_points: float = parameter(0.05, "a refusing source is above its usual refused share by this", "(0, 1]")
    refused_lines: int = parameter(10, "lines that a refusing source refuses, at least", "[1, 1000000]")
