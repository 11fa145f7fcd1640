"""Ticks: one session that ranks again and again, on time, until it is asked to end."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from types import FrameType

from alertgraph_spark.commands.cli import Console
from alertgraph_spark.errors import AlertGraphError

log = logging.getLogger("alertgraph_spark.ticks")

MOST_FAILED = 3
"""Ticks in a row that may fail, as where the storage is away, before the process ends: a scheduler then starts it anew."""


def keep_ticking(every: timedelta, console: Console, tick: Callable[[], object]) -> int:
    """Run again and again at a fixed interval, until SIGTERM or SIGINT.

    The first tick comes at once. The next one is on time however long the last one took; one whose time passed
    meanwhile is left out. A signal ends the loop after the tick. A tick that fails with what an operator can fix is
    told, and tried again at the next.

    Parameters
    ----------
    every
        The interval.
    console
        Tells of ticks that fail.
    tick
        One run.

    Returns
    -------
    int
        How many ticks there were.

    Raises
    ------
    AlertGraphError
        That of the last tick, where `MOST_FAILED` in a row have failed.
    """
    asked_to_end = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        console.say(f"{signal.Signals(number).name}: ends after this tick")
        asked_to_end.set()

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        return _ticks(every.total_seconds(), console, tick, asked_to_end)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _ticks(every: float, console: Console, tick: Callable[[], object], asked_to_end: threading.Event) -> int:
    first, n_ticks, n_failed = time.monotonic(), 0, 0
    while not asked_to_end.is_set():
        try:
            tick()
            n_failed = 0
        except AlertGraphError as error:
            n_failed += 1
            if n_failed >= MOST_FAILED:
                raise
            log.warning("this tick failed, the next tries again: %s: %s", type(error).__name__, error)
        n_ticks += 1
        passed = time.monotonic() - first
        n_next = int(passed // every) + 1
        asked_to_end.wait(first + n_next * every - time.monotonic())
    return n_ticks
