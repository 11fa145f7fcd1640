"""How much memory there is: a container's limit counts, and what is no limit does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from alertgraph_spark.access import memory
from alertgraph_spark.commands.init.sheet import driver_memory

GIB = 1 << 30


@pytest.fixture
def limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that tells the limit of a container on a machine of 64 GiB."""
    monkeypatch.setattr(memory.os, "sysconf", {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 64 * GIB // 4096}.__getitem__)
    file = tmp_path / "memory.max"
    monkeypatch.setattr(memory, "LIMITS", (file, tmp_path / "of version 1"))
    return file


def test_a_container_of_six_gigabytes_gives_spark_three(limit: Path) -> None:
    limit.write_text(f"{6 * GIB}\n")
    assert memory.memory_bytes() == 6 * GIB
    assert driver_memory() == "3g"


@pytest.mark.parametrize("text", [None, "max\n", f"{1 << 63}\n"], ids=["no file", "no limit", "none of version 1"])
def test_without_a_limit_the_machine_counts(limit: Path, text: str | None) -> None:
    if text:
        limit.write_text(text)
    assert memory.memory_bytes() == 64 * GIB
    assert driver_memory() == "8g"
