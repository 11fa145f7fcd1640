"""The whole line on the example plant: make up a factory's alerts, rank them, post the result to an emulator on loopback."""

from __future__ import annotations

import os
import secrets
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from emulator.server import LogsIngestionEmulator

REPO = Path(__file__).resolve().parent.parent
DEMO = REPO / ".demo"
ROWS = "SELECT count(*), sum(IsShown) FROM AlertGraphSubgraphs_CL"


def main() -> int:
    """Run the demo; what it leaves stays in `.demo/` until the next one."""
    os.chdir(REPO)
    shutil.rmtree(DEMO / "plant", ignore_errors=True)
    DEMO.mkdir(exist_ok=True)
    (DEMO / "posted.sqlite").unlink(missing_ok=True)
    for ledger in ("posted", "notified"):  # what that one has had
        shutil.rmtree(DEMO / "results" / ledger, ignore_errors=True)
    subprocess.run(
        [sys.executable, "examples/plant/generate.py", str(DEMO / "plant")], check=True, stdout=subprocess.DEVNULL
    )
    token = secrets.token_urlsafe(24)
    with LogsIngestionEmulator(DEMO / "posted.sqlite", token) as emulator:
        job = subprocess.run(
            [
                *(sys.executable, "jobs/rank_alerts.py", "--config", "examples/plant.yaml"),
                *("--set", f"post.endpoint={emulator.url}"),
                *("--set", "notify.url=env:ALERTGRAPH_DEMO_WEBHOOK"),
            ],
            env=os.environ | {"ALERTGRAPH_DEMO_TOKEN": token, "ALERTGRAPH_DEMO_WEBHOOK": emulator.webhook("teams")},
            check=False,
        )
    if job.returncode == 0:
        with closing(sqlite3.connect(DEMO / "posted.sqlite")) as workspace:
            posted, shown = workspace.execute(ROWS).fetchone()
        print(f"rows      .demo/posted.sqlite has them: {ROWS} gives {posted}, {shown}")
    return job.returncode


if __name__ == "__main__":
    sys.exit(main())
