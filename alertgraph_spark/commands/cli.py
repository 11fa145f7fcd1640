"""What a person sees: a line a stage, the ranked subgraphs as a table, and exit codes."""

from __future__ import annotations

import logging
import shutil
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timezone
from typing import Any, TextIO

from alertgraph_spark.clean_text import printed, printed_lines
from alertgraph_spark.errors import AlertGraphError, PublishError
from alertgraph_spark.short_text import LINE, WORD, short

EDGES = ("alertgraph_spark.access", "alertgraph_spark.read", "alertgraph_spark.publish")
"""Where the storage, the network and the session are: their loggers."""


class _OneLine(logging.Formatter):
    """A message as one line, whatever text of an alert or a file stands in it."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        return printed(super().formatMessage(record))


class Console:
    """Prints what happens: a line a stage, then the top subgraphs and where to look next."""

    ROWS = 10

    def __init__(self, out: TextIO | None = None) -> None:
        """Print to `out`, or to the standard output."""
        self._out = out or sys.stdout
        to_stderr = logging.StreamHandler()
        to_stderr.setFormatter(_OneLine("%(levelname)s %(name)s: %(message)s"))
        logging.basicConfig(level=logging.WARNING, handlers=[to_stderr])
        logging.getLogger("alertgraph_spark").setLevel(logging.INFO)
        for edge in EDGES:  # their stages are lines of their own
            logging.getLogger(edge).setLevel(logging.WARNING)
        logging.getLogger("py4j").setLevel(logging.WARNING)

    def say(self, text: str = "") -> None:
        """Print a line at once: a scheduler's log shows where a run is. Text of alerts makes no second one."""
        self._out.write(printed(text) + "\n")
        self._out.flush()

    def on_stage(self, stage: str, rows: int | None, seconds: float) -> None:
        """Print one finished stage."""
        count = "" if rows is None else f"{rows:>12,} rows"
        self.say(f"  {stage:<10}{count:<18}{seconds:>7.1f} s")

    def on_part(self, unit: Any) -> None:
        """Say which day was folded; hours come too fast to be told."""
        if unit.hour is None:
            self.say(f"folded    {unit.site} {unit.day}")

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage that has no row count of its own."""
        begin = time.perf_counter()
        yield
        self.on_stage(name, None, time.perf_counter() - begin)

    def end(
        self,
        top: Sequence[Mapping[str, Any]],
        counts: Mapping[str, int],
        told: Iterable[tuple[str, str]],
        seconds: float,
    ) -> None:
        """Print the ranked subgraphs with their sentences, the balance of rows, and where everything is.

        Parameters
        ----------
        top
            Rows of `schemas.SUBGRAPHS`, best first; times are aware.
        told
            A head and what is said under it: remarks, then what to look at and where it is.
        """
        self.say()
        sites = [short(row["site"], WORD) for row in top]
        width = max([14, *map(len, sites)])
        self.say(f"{'rank':>4}  {'score':>5}  {'P':>4}  {'shown':<5}  {'site':<{width}} {'first seen (UTC)':<16}  what")
        for row, site in zip(top, sites, strict=True):
            shown = "yes" if row["is_shown"] else ""
            seen = f"{row['first_seen'].astimezone(timezone.utc):%Y-%m-%d %H:%M}"
            said = short(row["summary"], LINE)
            numbers = f"{row['rank']:>4}  {row['score']:>5.3f}  {row['probability']:>4.2f}"
            self.say(f"{numbers}  {shown:<5}  {site:<{width}} {seen:<16}  {said}")
        if not top:
            self.say("      no subgraph: nothing in the window was out of the ordinary")
        self.say()
        if not counts["rows_read"]:
            self.say("WARNING   not one row was read: the folders of the window are empty")
        read = (
            "{rows_read:,} rows read = {alerts:,} alerts + {duplicates:,} duplicates"
            " + {out_of_window:,} out of window + {rejected:,} rejected"
        )
        self.say(f"{read.format(**counts)}; {counts['subgraphs']:,} subgraphs in {seconds:.1f} s")
        for what, where in told:
            self.say(f"{what:<10}{where}")


def posted_words(posted: Mapping[str, Any], target: str | None) -> str:
    """Say in words how many rows of which table went where; `posted` is table to `PostCounts`."""
    if not posted:
        return "nothing (post.mode: none)"
    said = ", ".join(f"{counts.n_sent:,} {table}" for table, counts in posted.items()) + f" to {target}"
    told = ((c.n_unchanged, c.n_before, _missing(c)) for c in posted.values())
    unchanged, before, missing = (sum(n) for n in zip(*told, strict=True))
    said += f"; {unchanged:,} unchanged" if unchanged else ""
    said += f"; {before:,} had been before" if before else ""
    return said + (f"; {missing:,} NOT delivered" if missing else "")


def check_posted(posted: Mapping[str, Any], run_id: str, folder: str) -> None:
    """End the run where a row was not delivered.

    Raises
    ------
    PublishError
        With the reason, the number of rows, and what to do.
    """
    missing = sum(map(_missing, posted.values()))
    errors = [f"table {table}: {counts.error}" for table, counts in posted.items() if counts.error]
    n_refused = sum(counts.n_refused for counts in posted.values())
    if n_refused:
        errors.append(
            f"{n_refused:,} rows are refused as they are; each with the answer in {folder}/posted/dead_letters"
        )
    if missing or errors:
        rest = f"the results are saved; --post-only {run_id} sends the rest"
        raise PublishError(f"{missing:,} rows were not delivered: {errors[0]}; {'; '.join([*errors[1:2], rest])}")


def notified_words(told: Any, form: str) -> str:
    """Say in words how many subgraphs were told in which form; `told` is `NotifyCounts`."""
    said = f"{told.n_told:,} of {told.n_shown:,} shown, by {form}"
    said += f"; {told.n_before:,} had been before" if told.n_before else ""
    return said + (f"; {told.n_missing:,} NOT told: {told.error}" if told.n_missing else "")


def check_notified(told: Any, run_id: str, is_strict: bool) -> None:
    """End the run where a subgraph was not told and `notify.strict` makes that an error; `told` is None without a webhook.

    Raises
    ------
    PublishError
        With the number of subgraphs, the reason, and what to do.
    """
    if is_strict and told is not None and told.n_missing:
        raise PublishError(
            f"{told.n_missing:,} subgraphs were not told: {told.error}; notify.strict makes that an error; "
            f"--post-only {run_id} tells the rest"
        )


def _missing(counts: Any) -> int:
    return int(counts.n_rows - counts.n_sent - counts.n_before)


_PLAIN, _NARROWEST = 100, 60
"""Columns where there is no terminal; and those that a narrower one is taken to have: it wraps by itself."""


def terminal_width() -> int:
    """Columns of the terminal."""
    return max(_NARROWEST, shutil.get_terminal_size((_PLAIN, 24)).columns)


def exit_code(main: Callable[[], int]) -> int:
    """Run `main` and turn its outcome into an exit code: 0 done, 2 what an operator can fix, 1 anything else.

    An operator's own mistake is told in one message, without a stack trace.
    """
    try:
        return main()
    except AlertGraphError as error:
        sys.stderr.write(printed_lines(f"{type(error).__name__}: {error}") + "\n")
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; what was saved is incomplete and is replaced by the next run\n")
        return 1
    except Exception:  # noqa: BLE001  # the outermost frame: a defect ends with its trace and exit code 1
        sys.stderr.write(printed_lines(traceback.format_exc()))
        return 1
