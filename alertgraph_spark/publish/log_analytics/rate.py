"""Keeps one process under what a data collection rule takes: 12,000 requests and 2 GB a minute, both soft limits."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

# A tenth below the limits (Azure Monitor service limits, "Logs Ingestion API"): the service counts by its own clock.
REQUESTS_A_MINUTE = 0.9 * 12_000
BYTES_A_MINUTE = 0.9 * 2_000_000_000


@dataclass
class RateLimiter:
    """Spaces requests so that no minute holds more than a share of either limit; a sender waits, no request is refused."""

    share: float = 1.0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _free_at: float = float("-inf")
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def wait(self, n_bytes: int) -> None:
        """Wait until a request of so many bytes, before compression, may be sent."""
        costs = 60 * max(1 / REQUESTS_A_MINUTE, n_bytes / BYTES_A_MINUTE) / self.share
        with self._lock:
            now = self.clock()
            begins = max(now, self._free_at)
            self._free_at = begins + costs
        if begins > now:
            self.sleep(begins - now)


@lru_cache(maxsize=4)
def process_limiter(share: float) -> RateLimiter:
    """Return the one limiter of this process: a reused Python worker goes on where its last task ended."""
    return RateLimiter(share)
