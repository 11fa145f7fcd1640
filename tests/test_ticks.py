"""Ticks: on time however long one took, told where one failed, and ended after the one that runs when asked to."""

from __future__ import annotations

import io
import os
import signal
import threading
import time
from datetime import timedelta

import pytest

from alertgraph_spark.commands import ticks
from alertgraph_spark.commands.cli import Console
from alertgraph_spark.errors import SourceError

EVERY = timedelta(minutes=5)


class Clock:
    """A clock that stands still but where a tick works or the loop waits; each wait is noted."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.waits: list[float] = []
        monkeypatch.setattr(ticks.time, "monotonic", lambda: self.now)

        def wait(event: threading.Event, seconds: float) -> bool:
            self.waits.append(seconds)
            self.now += max(seconds, 0)
            return event.is_set()

        monkeypatch.setattr(threading.Event, "wait", wait)


def run(clock: Clock, lasts: list[float | Exception], end_after: int | None = None) -> list[float]:
    """When each tick began, of ticks that last so many seconds or fail; SIGTERM comes in the last of them."""
    began: list[float] = []
    after = end_after or len(lasts)

    def tick() -> None:
        began.append(clock.now - 1000)
        done = lasts[len(began) - 1]
        if len(began) == after:
            os.kill(os.getpid(), signal.SIGTERM)
        if isinstance(done, Exception):
            raise done
        clock.now += done

    assert ticks.keep_ticking(EVERY, Console(io.StringIO()), tick) == after
    return began


def test_the_next_tick_is_on_time_however_long_one_took(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    assert run(clock, [8, 299, 12]) == [0, 300, 600]
    assert clock.waits[:2] == [292, 1]


@pytest.mark.parametrize(("lasts", "next_at"), [(299.0, 300), (300.0, 600), (301.0, 600), (899.0, 900)])
def test_a_tick_whose_time_passed_meanwhile_is_left_out(
    monkeypatch: pytest.MonkeyPatch, lasts: float, next_at: int
) -> None:
    assert run(Clock(monkeypatch), [lasts, 1]) == [0, next_at]


def test_a_tick_that_fails_is_told_and_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    away = SourceError("cannot list the export")
    assert run(Clock(monkeypatch), [1, away, away, 1, away, away, 1]) == [300 * n for n in range(7)]
    assert caplog.messages == ["this tick failed, the next tries again: SourceError: cannot list the export"] * 4


def test_three_in_a_row_end_it_and_so_does_a_defect_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    away = SourceError("cannot list the export")
    with pytest.raises(SourceError):
        run(Clock(monkeypatch), [1, away, away, away, 1])
    with pytest.raises(ZeroDivisionError):
        run(Clock(monkeypatch), [1, ZeroDivisionError(), 1])


def test_a_signal_ends_the_loop_after_the_tick_and_is_what_it_was_before() -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    done: list[str] = []

    def tick() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.01)
        done.append("whole")

    console = io.StringIO()
    assert ticks.keep_ticking(EVERY, Console(console), tick) == 1
    assert done == ["whole"]
    assert console.getvalue() == "SIGTERM: ends after this tick\n"
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


def test_a_signal_while_it_waits_ends_it_at_once() -> None:
    timer = threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGTERM))
    begin = time.monotonic()
    assert ticks.keep_ticking(EVERY, Console(io.StringIO()), timer.start) == 1
    assert time.monotonic() - begin < 60
