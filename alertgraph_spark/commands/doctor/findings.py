"""What a check found, and how it is run: apart from all others, for a limited time."""

from __future__ import annotations

import logging
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator
from threading import Thread
from typing import NamedTuple

from alertgraph_spark.clean_text import printed
from alertgraph_spark.errors import AlertGraphError, at_root
from alertgraph_spark.short_text import CELL, SENTENCE, short

OK, WARN, FAIL = "ok", "warn", "fail"

_LEVEL, _WHAT = 6, 27
"""Columns of the first two words of a line."""


class Finding(NamedTuple):
    """One line of the table: `level` is ok, warn or fail, `what` was looked at, `said` is how it is, `todo` what to do."""

    level: str
    what: str
    said: str
    todo: str = ""


Check = Callable[[], Iterable[Finding]]


class _Heard(logging.Handler):
    """Keeps what our own code warns of: it belongs into the table. What libraries say besides is for nobody here."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.warnings: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.startswith("alertgraph_spark"):
            self.warnings.append(record.getMessage())


def run_check(what: str, check: Check, seconds: float) -> list[Finding]:
    """Run one check for so long at most; what it raises is a finding, what it warns of, and that it gave no answer.

    A check that hangs is left behind in a thread that holds up nothing, with what it had found by then.
    """
    found: list[Finding] = []

    def work() -> None:
        try:
            for one in check():  # one by one: what is found before an error, or before the time is over, stays
                found.append(one)
        except AlertGraphError as error:
            found.append(Finding(FAIL, what, str(error)))
        except Exception as error:  # noqa: BLE001 - whatever a library or a service raises is told, and the next check runs
            found.append(Finding(FAIL, what, reason_of(error), "see the reason; where it says nothing, report it"))

    thread = Thread(target=work, name=f"doctor {what}", daemon=True)
    heard, log = _Heard(), logging.getLogger()
    log.addHandler(heard)
    try:
        thread.start()
        thread.join(seconds)
    finally:
        log.removeHandler(heard)
    told = found + [Finding(WARN, what, warning) for warning in heard.warnings]
    if thread.is_alive():
        todo = "check the network, or give it more by --timeout"
        told.append(Finding(FAIL, what, f"no answer within {seconds:g} s", todo))
    return told


def reason_of(error: BaseException) -> str:
    """The kind of an error and its first line, without what may be a password in an address or a signature in a query.

    Of a network that fails it is the refused connection, and not what each layer above it says.
    """
    said = at_root(error)
    java = getattr(said, "java_exception", None)  # what Java says is not in the first line of what py4j says
    line = str(said if java is None else java.toString()).partition("\n")[0]
    bare = re.sub(r"//[^/@\s]+@", "//", re.sub(r"\?\S+", "?…", line))
    return f"{type(said).__name__}: {short(printed(bare), CELL)}"


def lines_of(finding: Finding, width: int) -> Iterator[str]:
    """A finding as lines of a table within `width` columns; what to do stands below what was found."""
    what = printed(finding.what)
    what = what if len(what) < _WHAT else f"{what[: _WHAT - 2]}…"
    head = f"{finding.level:<{_LEVEL}}{what:<{_WHAT}}"
    indent = " " * (_LEVEL + _WHAT)
    for first, text in ((head, finding.said), (indent, f"do: {finding.todo}" if finding.todo else "")):
        shown = printed(text) if len(text) <= SENTENCE else f"{printed(text[:SENTENCE])}…"
        yield from textwrap.wrap(shown, width, initial_indent=first, subsequent_indent=indent, break_on_hyphens=False)


def summary_of(findings: Iterable[Finding]) -> str:
    """How many are of each level.

    Examples
    --------
    >>> summary_of([Finding("ok", "Java", "17"), Finding("warn", "Spark", "4.0")])
    '1 ok, 1 warn, 0 fail'
    """
    levels = [one.level for one in findings]
    return ", ".join(f"{levels.count(level)} {level}" for level in (OK, WARN, FAIL))
