"""Which alerts are judged: each lake is made once into a folder, with its truth kept apart from its rows."""

from __future__ import annotations

import csv
import gzip
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from plantbench.generate import generate

from quality import hubs

REPO = Path(__file__).resolve().parents[2]
SHARED = REPO.parent / "shared"
LAKES = REPO / ".lakes"
AIT = ("fox", "russellmitchell", "santos", "wheeler")
CPTC = ("team01", "team02", "team05", "team07", "team09")
MODBUS = ("CnC", "characterization")
MIX_DAY = "2026-03-02"
SEEDS = tuple(range(1001, 1021))
"""For reporting alone; seeds 1 to 100 are for choosing, those between are free."""
LEVEL_SEEDS = SEEDS[:10]
"""Of `usual` and `calm`: networks and intrusions of the first ten hard ones, so that all that differs is what is benign."""
CROSSING_SEEDS = tuple(range(1101, 1121))
SPARSE_SEEDS = tuple(range(1201, 1211))
ALERTS, DAYS = 30_000, 21
EVE = ("SuricataEve_CL=suricata_eve",)
PLANT = (
    "SecurityAlert=security_alert",
    "CommonSecurityLog=common_security_log",
    "SuricataEve_CL=suricata_eve",
    "SigmaAlerts_CL=sigma",
)


@dataclass(frozen=True)
class Lake:
    """One lake: `make` writes it into a new folder, `warm_up_hours` is what the judge leaves out at a network's start."""

    name: str
    sources: tuple[str, ...]
    make: Callable[[Path], None]
    is_shared: bool = False
    warm_up_hours: float = 24.0

    @property
    def folder(self) -> Path:
        """Where it lies, or will."""
        return LAKES / self.name

    @property
    def lists(self) -> dict[str, Path]:
        """What the sites believe of their hosts and announce of their work, where the lake has such lists, by setting."""
        files = {name: self.folder / f"{name}.csv" for name in ("assets", "maintenance")}
        return {name: file for name, file in files.items() if file.exists()}

    def is_there(self) -> bool:
        """Whether it can be judged: a real set needs the folder beside the repository."""
        return not self.is_shared or (SHARED / "tools" / "make_lake.py").exists()

    def ensure(self) -> Path:
        """Return its folder; make it where it is not there yet, in a part folder that a broken run cannot pass off."""
        if not (self.folder / "lake.json").exists():
            part = self.folder.with_name(f"{self.name}.part")
            shutil.rmtree(part, ignore_errors=True)
            part.parent.mkdir(parents=True, exist_ok=True)
            self.make(part)
            part.rename(self.folder)
        return self.folder


def shared_lake(*sources: str, options: Sequence[str] = ()) -> Callable[[Path], None]:
    """Lay real sets out by the shared tool; each is a site of its own."""

    def make(folder: Path) -> None:
        command = [sys.executable, str(SHARED / "tools" / "make_lake.py"), str(folder), *sources, *options]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    return make


def make_mix(folder: Path) -> None:
    """One red team hidden among benign industrial captures of one day, as one site that sees them all."""
    data = folder.with_name("mix.data")
    shutil.rmtree(data, ignore_errors=True)
    captures, found = data / "pcap_eve", SHARED / "data" / "pcap_eve"
    captures.mkdir(parents=True)
    (data / "cptc2017").symlink_to(SHARED / "data" / "cptc2017")
    shutil.copy(found / "pcap_catalog.csv", captures)
    with (found / "pcap_catalog.csv").open(encoding="utf-8") as file:
        benign = {row["pcap"] for row in csv.DictReader(file) if row["label"] == "benign"}
    with (
        gzip.open(found / "iti.eve.json.gz", "rt", encoding="utf-8") as alerts,
        gzip.open(captures / "iti.eve.json.gz", "wt", encoding="utf-8") as kept,
    ):
        kept.writelines(line for line in alerts if json.loads(line).get("pcap_filename") in benign)
    options = ["--merge", "mix", "--to-day", MIX_DAY, "--data", str(data)]
    shared_lake("cptc2017/team01", "pcap_eve/iti", options=options)(folder)
    shutil.rmtree(data)


def generated(
    seeds: Sequence[int],
    families: Sequence[str] = (),
    first: int = 0,
    level: str = "hard",
    size: tuple[int, int] = (ALERTS, DAYS),
) -> Callable[[Path], None]:
    """One network a seed, side by side in one lake: each is a site with names and addresses of its own, from `first` on.

    `size` is alerts and days of each.
    """
    alerts, days = (None, None) if level == "sparse" else size  # which decides both itself

    def make(folder: Path) -> None:
        for number, seed in enumerate(seeds, first):
            part = folder / f"seed-{seed}"
            generate(part, seed, alerts=alerts, days=days, sites=1, first=number, families=families, level=level)
            join_days(part / "lake", folder / "lake")
            shutil.rmtree(part / "lake")
        parts = [folder / f"seed-{seed}" for seed in seeds]
        for name in ("truth.csv.gz", "routines.csv.gz", "assets.csv", "maintenance.csv"):
            join_tables([part / name for part in parts], folder / name)
        told = [json.loads((part / "campaigns.json").read_text(encoding="utf-8")) for part in parts]
        joined = {key: [one for campaigns in told for one in campaigns[key]] for key in ("campaigns", "sites")}
        (folder / "campaigns.json").write_text(json.dumps(joined, indent=1), encoding="utf-8")
        notes = [json.loads((part / "lake.json").read_text(encoding="utf-8")) for part in parts]
        (folder / "lake.json").write_text(json.dumps({"parts": notes}, indent=1), encoding="utf-8")
        for part in parts:
            shutil.rmtree(part)

    return make


def join_days(lake: Path, into: Path) -> None:
    """Join the five-minute files of a day in one file: a ranking does not see files, and few are read faster than many."""
    for day in sorted(lake.glob("am-*/**/d=*")):
        target = into / day.relative_to(lake) / "h=00" / "m=00" / "PT05M.json"
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as file:
            for blob in sorted(day.rglob("PT05M.json")):
                file.write(blob.read_bytes())


def in_fives(name: str, seeds: Sequence[int], families: Sequence[str] = (), level: str = "hard") -> list[Lake]:
    """Lakes of five networks: the job's plan grows with the address blocks of the asset list."""
    places = range(0, len(seeds), 5)
    return [Lake(f"{name}-{n // 5 + 1}", PLANT, generated(seeds[n : n + 5], families, n, level)) for n in places]


def join_tables(parts: Sequence[Path], into: Path) -> None:
    """Join CSV files of one header; a line that several have alike, as the asset list's outside blocks, is kept once."""

    def rows() -> Iterator[str]:
        for part in parts:
            with _open(part, "rt") as file:
                yield from file

    with _open(into, "wt") as file:
        file.writelines(dict.fromkeys(rows()))


def _open(path: Path, mode: str):  # type: ignore[no-untyped-def]
    return (gzip.open if path.suffix == ".gz" else open)(path, mode, encoding="utf-8", newline="")


ALL = {
    lake.name: lake
    for lake in (
        Lake(
            "ait_ads",
            ("AitAds_CL=benchmarks/formats/ait_ads.yaml",),
            shared_lake(*(f"ait_ads/{network}" for network in AIT)),
            is_shared=True,
        ),
        Lake("cptc", EVE, shared_lake(*(f"cptc2017/{team}" for team in CPTC)), is_shared=True, warm_up_hours=0),
        Lake("modbus", EVE, shared_lake(*(f"modbus_lemay/{one}" for one in MODBUS)), is_shared=True, warm_up_hours=0),
        Lake("mix", EVE, make_mix, is_shared=True, warm_up_hours=0),
        *in_fives("generated", SEEDS),
        *in_fives("usual", LEVEL_SEEDS, level="usual"),
        *in_fives("calm", LEVEL_SEEDS, level="calm"),
        *in_fives("sparse", SPARSE_SEEDS, level="sparse"),
        *in_fives("crossings", CROSSING_SEEDS, ("it_to_ot",)),
        Lake("hubs", EVE, hubs.make, warm_up_hours=0),
    )
}
