"""One run of the job on one lake, in a process of its own, as a user runs it; a finished one is taken again."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from quality.lakes import LAKES, REPO, Lake

DECIDING = ("alertgraph_spark/**/*.py", "alertgraph_spark/**/*.yaml", "jobs/*.py", "benchmarks/formats/ait_ads.yaml")
RESULTS = LAKES / "quality"


def digest(patterns: Iterable[str], *more: str) -> str:
    """Twelve hexadecimal digits of the files that the patterns mean, and of the texts given."""
    total = hashlib.sha256()
    for file in sorted({file for pattern in patterns for file in REPO.glob(pattern)}):
        total.update(file.relative_to(REPO).as_posix().encode() + b"\0" + file.read_bytes())
    total.update("\0".join(more).encode())
    return total.hexdigest()[:12]


def run_job(
    lake: Lake,
    settings: Sequence[str] = (),
    results: Path = RESULTS,
    *,
    with_alerts: bool = True,
    version: str | None = None,
) -> tuple[Path, Path]:
    """Rank a lake; return its results folder and, `with_alerts`, all its normalised alerts as a Parquet file.

    Parameters
    ----------
    version
        What decides, beside lake and settings, the tables that the caller reads; the digest of all the code if not given.

    Raises
    ------
    RuntimeError
        With the job's last words, if it failed.
    """
    root = lake.ensure()
    told = (root / "lake.json").read_text(encoding="utf-8")
    decides = () if version else DECIDING
    more = (version,) if version else ()
    folder = results / lake.name / digest(decides, *more, told, *sorted(settings))
    alerts = results / lake.name / f"alerts-{digest(DECIDING, told)}.parquet"
    if done := finished(folder, alerts, with_alerts):
        return done, alerts
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "run.yaml"
    config.write_text(json.dumps(configuration(lake, folder), indent=1), encoding="utf-8")  # JSON is YAML
    command = [sys.executable, str(REPO / "jobs" / "rank_alerts.py"), "--config", str(config)]
    command += [word for setting in settings for word in ("--set", setting)]
    command += [] if alerts.exists() or not with_alerts else ["--compile", str(alerts)]
    begin = time.perf_counter()
    print(f"running {lake.name} {' '.join(settings)}", file=sys.stderr, flush=True)
    with (folder / "log.txt").open("w", encoding="utf-8") as log:
        # The code that the digest is of, whatever checkout is installed.
        env = os.environ | {"PYTHONPATH": str(REPO)}
        code = subprocess.run(command, cwd=REPO, env=env, stdout=log, stderr=subprocess.STDOUT, check=False).returncode
    done = finished(folder, alerts, with_alerts)
    if code or not done:
        raise RuntimeError(f"{' '.join(command)}: exit {code}\n{(folder / 'log.txt').read_text()[-2000:]}")
    alerts.with_suffix(".jsonl").unlink(missing_ok=True)
    print(f"  {time.perf_counter() - begin:.0f} s", file=sys.stderr, flush=True)
    return done, alerts


def finished(folder: Path, alerts: Path, with_alerts: bool = True) -> Path | None:
    """The results of a whole run: `run.json` is written after its tables."""
    runs = sorted(folder.glob("*/run.json"))
    return runs[-1].parent if runs and (alerts.exists() or not with_alerts) else None


def configuration(lake: Lake, folder: Path) -> dict[str, object]:
    """What a user would write for this lake: only what is his to say, no parameter of the method."""
    pairs = [source.split("=", 1) for source in lake.sources]
    named: dict[str, object] = {name: str(file) for name, file in lake.lists.items()}
    return named | {
        "export": {"root": str(lake.folder / "lake")},
        "sources": [{"table": t, "format": str(REPO / f) if f.endswith(".yaml") else f} for t, f in pairs],
        "results": {"path": str(folder)},
        "tracking": {"uri": "none"},
        "spark": {"master": "local[2]", "driver_memory": "6g"},
    }
