"""What a run leaves on a host that others use too is for its user alone, whatever the shell's umask is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from exported import put_lines, row_line

from alertgraph_spark.read.blob_mirror.copies import open_own, write_whole

REPO = Path(__file__).parent.parent


@pytest.mark.slow
def test_results_store_and_copies_of_a_run_can_be_read_by_nobody_else(tmp_path: Path) -> None:
    match = json.dumps({"timestamp": "2026-03-02T10:00:00", "rule_title": "Admin Share", "event": {"Hostname": "fs01"}})
    put_lines(tmp_path / "lake", "SigmaAlerts_CL", "2026-03-02T10:01", [row_line("2026-03-02T10:01", RawData=match)])
    out = tmp_path / "out"
    config = {
        "export": {"root": str(tmp_path / "lake")},
        "sources": [{"table": "SigmaAlerts_CL", "format": "sigma"}],
        "results": {"path": str(out / "results")},
        "tracking": {"uri": f"sqlite:///{out}/tracked/mlflow.db"},
        "post": {"mode": "file", "folder": str(out / "posted")},
        "spark": {"master": "local[1]", "driver_memory": "1g"},
    }
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    command = [sys.executable, str(REPO / "jobs" / "rank_alerts.py"), "--config", str(tmp_path / "run.yaml")]

    done = subprocess.run(
        [*command, "--compile", str(out / "compiled")],
        check=False, capture_output=True, text=True, umask=0o022, env=os.environ | {"PYTHONPATH": str(REPO)}, timeout=900,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    left = [path for path in out.rglob("*") if path.is_file()]
    kinds = {path.suffix for path in left} | {path.name for path in left}
    assert kinds >= {".parquet", "run.json", "mlflow.db", "alerts.jsonl", "alerts.parquet", ".json", "report.html"}
    open_to_others = {
        str(path.relative_to(out)): oct(path.stat().st_mode)
        for path in (*left, *(p for p in out.rglob("*") if p.is_dir()))
        if path.stat().st_mode & 0o077
    }
    assert open_to_others == {}


def test_a_copy_is_never_written_through_a_link(tmp_path: Path) -> None:
    """In a folder that others may write to, a link under the name that is to come would have the job overwrite its target."""
    target, link = tmp_path / "crontab", tmp_path / ".lock"
    target.write_text("kept", encoding="utf-8")
    link.symlink_to(target)
    (tmp_path / ".copy.json.part").symlink_to(target)

    with pytest.raises(OSError, match="symbolic link"):
        open_own(link)
    with pytest.raises(OSError, match="symbolic link"):
        write_whole(tmp_path / "copy.json", [b"{}"])
    assert target.read_text(encoding="utf-8") == "kept"
    write_whole(tmp_path / "copy.json", [b"{}"])  # the link is gone, and was not followed
    assert (tmp_path / "copy.json").stat().st_mode & 0o077 == 0
    assert target.read_text(encoding="utf-8") == "kept"
