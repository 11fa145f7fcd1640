"""How much memory there is."""

from __future__ import annotations

import os
from pathlib import Path

LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
"""Where Linux tells a container's limit, in version 2 of control groups and in 1
(docs.kernel.org/admin-guide/cgroup-v2.html, cgroup-v1/memory.html); what is no number is no limit."""


def memory_bytes() -> int:
    """Bytes of memory of this machine, or of its container where that has less."""
    told = [limit.read_text(encoding="ascii").strip() for limit in LIMITS if limit.is_file()]
    limits = [int(text) for text in told if text.isdigit()]
    return min([os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), *limits])
