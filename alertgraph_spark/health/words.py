"""Words: what is wrong with a source, in one plain sentence each. Numbers and times alone stand in them, no text of a row."""

from __future__ import annotations

from datetime import datetime

_TIMES = {168: "at this time of the week ", 24: "at this time of the day "}


def silent_words(hours: float, usual: float, period: int, n_lines: int) -> str:
    """Since when no alert has come, and what is usual; with the lines that came all the same.

    Examples
    --------
    >>> silent_words(7, 287, 168, 0)
    'silent for 7 h; at this time of the week 41 alerts an hour are usual'
    """
    others = f" though {n_lines:,} other {_lines(n_lines)} came" if n_lines else ""
    return f"silent for {hours:,.0f} h{others}; {_usual(usual / hours, period)}"


def flood_words(n: int, begins: datetime, usual: float, period: int, n_hours: int) -> str:
    """How many alerts came in the worst hour, which began then, one of so many; and what is usual."""
    others = f", one of {n_hours} such hours" if n_hours > 1 else ""
    return f"{n:,} alerts in the hour from {begins:%Y-%m-%d %H:%M} UTC{others}; {_usual(usual, period)}"


def slow_words(delay: float, usual: float) -> str:
    """How late alerts come after they happened, and what is usual; both in minutes."""
    return f"half of the alerts come {delay:,.0f} min or more after they happened; {max(usual, 0):,.0f} min are usual"


def refused_words(n_refused: int, n_lines: int, usual: float | None) -> str:
    """How many lines were refused, and what share is usual; None where there is no past."""
    past = "there is no past to compare with" if usual is None else f"{usual:.1%} are usual"
    return f"{n_refused:,} of {n_lines:,} lines were refused, {n_refused / n_lines:.1%}; {past}"


def new_words(heard_hours: float, least: int) -> str:
    """How long a source has been heard of, and how much past it takes to judge it."""
    heard = f"first heard of {heard_hours:,.0f} h before the window's end"
    return f"too little past to judge by: {heard}; it takes {least} h of past"


def ok_words(n: int, usual: float | None, hours: float) -> str:
    """How many alerts came in the judged hours, and what is usual in them."""
    return f"{n:,} alert{'' if n == 1 else 's'} in {hours:,.0f} h; {usual or 0:,.0f} usual"


def _lines(n: int) -> str:
    return "line" if n == 1 else "lines"


def _usual(an_hour: float, period: int) -> str:
    """What is usual, by the shortest unit of which there is at least one: 41 alerts an hour, 3 a day."""
    for unit, hours in (("an hour", 1), ("a day", 24), ("a week", 168)):
        n = round(an_hour * hours)
        if n:
            return (
                f"{_TIMES.get(period, '')}{n:,} alert{'' if n == 1 else 's'} {unit} {'is' if n == 1 else 'are'} usual"
            )
    return f"{_TIMES.get(period, '')}fewer than one alert a week is usual"
