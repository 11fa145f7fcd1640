"""What goes wrong on the way to the service, request by request: a plan that a seed or a test has written."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat


@dataclass(frozen=True)
class Fault:
    """One fault.

    Attributes
    ----------
    name
        What it is called in a report.
    is_stored
        The rows are stored before it strikes.
    status, code, headers
        What is answered; status 0 answers nothing.
    ends
        How a request without an answer ends: `cut` closes the connection, `torn` in the middle of an answer, `hang` waits
        until the client gives up, `kill` calls the plan's `kill` first.
    seconds
        Wait before anything else.
    """

    name: str
    is_stored: bool = False
    status: int = 0
    code: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    ends: str = ""
    seconds: float = 0.0


FAULTS = (
    Fault("429", status=429, code="Throttled"),
    Fault("429 with Retry-After", status=429, code="Throttled", headers=(("Retry-After", "2"),)),
    Fault("408", status=408, code="RequestTimeout"),
    Fault("413", status=413, code="ContentLengthLimitExceeded"),
    Fault("401", status=401, code="InvalidToken"),
    Fault("403", status=403, code="OperationFailed"),
    Fault("500", status=500, code="InternalServerError"),
    Fault("502", status=502),
    Fault("503", status=503, code="ServiceUnavailable"),
    Fault("503 after storing", is_stored=True, status=503, code="ServiceUnavailable"),
    Fault("slow", seconds=0.03),
    Fault("hang", ends="hang"),
    Fault("hang after storing", is_stored=True, ends="hang"),
    Fault("cut", ends="cut"),
    Fault("answer torn after storing", is_stored=True, ends="torn"),
    Fault("answer lost after storing", is_stored=True, ends="cut"),
)

KILLS = (
    Fault("killed before storing", ends="kill"),
    Fault("killed after storing", is_stored=True, ends="kill"),
)


class FaultPlan:
    """Hands out the next request's fault and counts what struck; `kill` is called for a fault that kills the client."""

    def __init__(self, faults: Iterable[Fault | None] = (), kill: Callable[[], None] = lambda: None) -> None:
        """Take the faults in the order of the requests; None, and every request after the last, goes through."""
        self._faults: Iterator[Fault | None] = iter(faults)
        self._lock = threading.Lock()
        self.kill = kill
        self.struck: Counter[str] = Counter()

    @classmethod
    def seeded(cls, seed: int, share: float, faults: Sequence[Fault] = FAULTS, *, most: int | None = None) -> FaultPlan:
        """Let each request meet one of `faults` with the chance `share`, `most` in all; a seed is a plan."""
        rng = random.Random(seed)

        def drawn() -> Iterator[Fault | None]:
            left = most
            for _ in repeat(None):
                fault = rng.choice(faults) if left != 0 and rng.random() < share else None
                left = left - 1 if left is not None and fault else left
                yield fault

        return cls(drawn())

    def next(self) -> Fault | None:
        """Return the fault of one request, and count it."""
        with self._lock:
            fault = next(self._faults, None)
            if fault:
                self.struck[fault.name] += 1
            return fault
