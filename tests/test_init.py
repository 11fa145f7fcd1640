"""`alertgraph init`: what it says of an export is there, what it writes can be run, and nobody's work is overwritten."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
import yaml
from exported import put_lines, row_line, workspace
from pyspark.sql import SparkSession

from alertgraph_spark.__main__ import main
from alertgraph_spark.commands.init import command
from alertgraph_spark.commands.init.fit import Fit, choices, try_formats
from alertgraph_spark.commands.init.hosts import asset_list, seen_most
from alertgraph_spark.commands.init.sheet import Look, configuration, rounded
from alertgraph_spark.commands.init.survey import ExportedTable, Sample, list_tables, renamed, spread
from alertgraph_spark.config.loading import load_settings
from alertgraph_spark.config.quoted import quoted
from alertgraph_spark.config.source_format import Asset
from alertgraph_spark.errors import ConfigError, SourceError
from alertgraph_spark.interpret.asset_list import AssetList, End
from alertgraph_spark.read.assets import load_assets
from alertgraph_spark.read.export_layout import DayFolder
from jobs import rank_alerts

REPO = Path(__file__).parent.parent

HOSTILE = 'x"\n\u2028post: {mode: file}\x1b[2J\u202e # {[*&!'


@pytest.fixture(autouse=True)
def _levels() -> Iterator[None]:
    """What a console sets, the next test shall not hear of."""
    before = logging.getLogger("alertgraph_spark").level
    yield
    logging.getLogger("alertgraph_spark").setLevel(before)


def folders(table: str, *days: int, site: str = "plant") -> tuple[DayFolder, ...]:
    return tuple(DayFolder(table, site, date(2026, 3, day), f"/lake/{table}/{site}/{day}") for day in days)


def look(name: str, *fits: Fit, container: str | None = None, site: str = "plant") -> Look:
    of = folders(name, 2, 3, site=site)
    return Look(ExportedTable(name, container or f"am-{name.lower()}", of), 1234.0, fits)


def fit(name: str, n_alerts: int, n_rows: int = 100, **filled: int) -> Fit:
    return Fit(name, n_rows, n_alerts, Counter(filled))


SURICATA = look("Suricata_CL", fit("suricata_eve", 40), fit("custom_text", 100))


# ---- what is written


@pytest.mark.parametrize("text", ["/lake", "C:\\lake", 'a"b', HOSTILE, "süd \U0001f3ed\xa0x", "yes", "1", "- a: b", ""])
def test_a_quoted_text_reads_back_as_it_was(text: str) -> None:
    written = quoted(text)

    assert yaml.safe_load(f"key: {written}  # a comment") == {"key": text}
    assert written.isascii()
    assert "\n" not in written


def test_no_name_of_a_folder_adds_a_key(tmp_path: Path) -> None:
    """Who may write a folder of the export is not who may say where alerts are sent."""
    nothing = replace(look("Other_CL", site=HOSTILE), fits=[fit(HOSTILE, 0)])
    text = configuration(f"/lake/{HOSTILE}", Path(HOSTILE), [SURICATA, nothing], "assets.csv", is_platform=False)
    told = yaml.safe_load(text)

    assert told["post"] == {"mode": "none"}
    assert told["export"]["root"] == f"/lake/{HOSTILE}"
    assert told["sources"] == [{"table": "Suricata_CL", "format": "suricata_eve"}]
    assert all(line.isprintable() for line in text.split("\n"))


def test_what_cannot_be_decided_is_a_comment() -> None:
    other = look("Heartbeat", fit("custom_text", 0))

    lines = configuration("/lake", Path("run.yaml"), [SURICATA, other], "assets.csv", is_platform=False).splitlines()

    at = lines.index("  - {table: Suricata_CL, format: suricata_eve}")
    assert lines[at - 3 : at] == [
        "  # Suricata_CL: 1 site: plant; 2026-03-02 to 2026-03-03, 2 days; about 1,200 rows a day",
        "  #   suricata_eve: 40 % of 100 rows are alerts; severity 0 %, source 0 %, target 0 %, tactic 0 %",
        "  #   or custom_text: 100 % of 100 rows are alerts; severity 0 %, source 0 %, target 0 %, tactic 0 %",
    ]
    assert lines[at + 2] == (
        "  #   is not read: no shipped format fits; tried were custom_text. One of your own is a YAML file: docs/formats.md"
    )


def test_a_container_of_another_spelling_is_named() -> None:
    spelled = replace(SURICATA, table=replace(SURICATA.table, container="am-suricata-cl"))

    told = yaml.safe_load(configuration("/lake", Path("run.yaml"), [spelled], "assets.csv", is_platform=False))

    assert told["sources"] == [{"table": "Suricata_CL", "format": "suricata_eve", "container": "am-suricata-cl"}]


def test_a_platform_has_a_session_and_a_tracking_server() -> None:
    there = yaml.safe_load(configuration("/lake", Path("run.yaml"), [SURICATA], "assets.csv", is_platform=True))
    here = yaml.safe_load(configuration("/lake", Path("run.yaml"), [SURICATA], "assets.csv", is_platform=False))

    assert (there["tracking"], "spark" in there) == ({"uri": "default"}, False)
    assert (here["tracking"], here["spark"]["master"]) == ({"uri": "sqlite:///mlflow.db"}, "local[*]")


def test_the_past_of_one_day_is_told() -> None:
    """Nothing is shown before a site has a past: with a day of export that is everything."""
    one = replace(SURICATA, table=replace(SURICATA.table, folders=folders("Suricata_CL", 2)))

    texts = [configuration("/lake", Path("r"), [of], "assets.csv", is_platform=False) for of in (one, SURICATA)]

    assert ["0 shows something of it" in text for text in texts] == [True, False]


@pytest.mark.parametrize(
    ("rows", "told"), [(0.0, 0), (0.2, 1), (7.4, 7), (99, 99), (1234, 1200), (86_512.3, 87_000), (999.7, 1000)]
)
def test_an_estimate_has_two_digits(rows: float, told: int) -> None:
    assert rounded(rows) == told


def write(folder: Path, root: str, kept: list[Asset] | None = None) -> list[str]:
    said: list[str] = []
    command.write_both(root, folder / "run.yaml", [SURICATA], kept, said.append, is_platform=False)
    return said


def test_an_hour_of_filling_in_is_kept(tmp_path: Path) -> None:
    mine = "asset,name,zone\nfs01,,ot\n"
    (tmp_path / "assets.csv").write_text(mine, encoding="utf-8")
    (tmp_path / "run.yaml").write_text("old", encoding="utf-8")

    said = write(tmp_path, "/lake", load_assets(tmp_path / "assets.csv"))

    assert (tmp_path / "assets.csv").read_text(encoding="utf-8") == mine
    assert said[1] == f"assets    {tmp_path}/assets.csv: is there already, with 1 row; it is kept"
    assert load_settings(tmp_path / "run.yaml").assets == "assets.csv"


def test_a_root_that_holds_a_secret_is_not_written_down(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="looks like a secret") as caught:
        write(tmp_path, "abfss://{container}@lake.dfs.core.windows.net/?sv=2026&sig=c2VjcmV0")

    assert "c2VjcmV0" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_beside_both_files(tmp_path: Path) -> None:
    write(tmp_path, "/lake")

    assert sorted(file.name for file in tmp_path.iterdir()) == ["assets.csv", "run.yaml"]


# ---- the asset list


def test_networks_and_machines_come_by_how_often_alerts_name_them() -> None:
    entities = Counter({"ip:10.1.0.5": 2, "ip:10.1.0.6": 2, "host:fs01": 3, "ip:192.168.7.9": 1, "host:büro-pc": 1})

    networks, hosts = seen_most(entities)

    assert networks == ["10.1.0.0/24", "192.168.7.0/24"]
    assert hosts == ["fs01", "10.1.0.5", "10.1.0.6", "192.168.7.9", "büro-pc"]


@pytest.mark.parametrize(
    "key",
    [
        *("ip:198.51.100.7", "ip:8.8.8.8", "ip:224.0.0.251", "ip:2001:db8::5", "ip:10.1.0.300"),  # not the site's own
        *("account:corp\\j.meyer", "mac:00:11:22:33:44:55"),
        *("host:=cmd|calc", "host:-1+1", "host:@sum", "host:a b", "host:a\nb", 'host:a"b', "host:"),
    ],
)
def test_what_is_no_machine_of_the_site_stays_out(key: str) -> None:
    assert seen_most(Counter({key: 99})) == ([], [])


def test_the_list_reads_back_and_changes_nothing_until_somebody_fills_it_in(tmp_path: Path) -> None:
    file = tmp_path / "assets.csv"
    file.write_text(asset_list(["10.1.0.0/24"], ["10.1.0.5", "fs01"]), encoding="utf-8")
    end = End("host:fs01", ("10.1.0.5",), "it", 4.0, None)

    assets = load_assets(file)

    assert [one.asset for one in assets] == ["10.1.0.0/24", "10.1.0.5", "fs01"]
    for one in (end, end._replace(entity="ip:10.1.0.5"), end._replace(entity="ip:10.1.0.9", zone=None)):
        assert AssetList(assets).resolved(one) == AssetList([]).resolved(one)
    filled = file.read_text(encoding="utf-8").replace('"10.1.0.0/24","",""', '"10.1.0.0/24","","ot"')
    file.write_text(filled, encoding="utf-8")
    assert AssetList(load_assets(file)).resolved(end._replace(entity="ip:10.1.0.9")).zone == "ot", "and then it does"


def test_a_list_of_nothing_has_its_header(tmp_path: Path) -> None:
    (tmp_path / "assets.csv").write_text(asset_list([], []), encoding="utf-8")

    assert load_assets(tmp_path / "assets.csv") == []


# ---- which format


def test_a_products_own_format_comes_before_the_general_one() -> None:
    assert [one.format for one in choices(SURICATA.fits)] == ["suricata_eve", "custom_text"]
    assert SURICATA.best and SURICATA.best.format == "suricata_eve"


def test_one_row_of_a_thousand_makes_no_format() -> None:
    assert choices([fit("wazuh", 9, 1000)]) == []
    assert [one.format for one in choices([fit("wazuh", 10, 1000)])] == ["wazuh"]
    assert choices([fit("wazuh", 0, 0)]) == []


def test_folders_are_taken_evenly() -> None:
    found = spread(folders("X_CL", *range(1, 31)), 8)

    assert [one.day.day for one in found] == [1, 4, 8, 12, 16, 19, 23, 27]
    assert len(spread(folders("X_CL", 1, 2), 8)) == 2


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("SuricataEve_CL", "SuricataEve_CL"),
        ("Other_CL", "suricataeve_CL"),  # not the table of this container
        ('SuricataEve_CL", x: "', "suricataeve_CL"),
        (None, "suricataeve_CL"),
    ],
)
def test_a_table_is_called_what_its_rows_say_where_the_container_agrees(said: str | None, name: str) -> None:
    table = ExportedTable("suricataeve_CL", "am-suricataeve-cl", folders("x", 1))

    assert renamed(table, said).name == name


# ---- refused before Spark starts


def never() -> SparkSession:
    raise AssertionError("Spark was started")


Init = Callable[..., list[str]]


@pytest.fixture
def init(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Init:
    """Run the command in an empty folder, as on a laptop; what it says comes back."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command.session, "is_platform", lambda: False)

    def run(
        root: str | Path,
        start: Callable[[], SparkSession] = never,
        *,
        asked: list[str] | None = None,
        yes: bool = False,
    ) -> list[str]:
        said: list[str] = []
        command.init(str(root), Path("run.yaml"), asked or [], said.append, start, may_overwrite=yes)
        return said

    return run


@pytest.mark.parametrize(
    ("root", "words"),
    [
        ("nowhere", "nowhere: no such folder"),
        ("am-securityalert", "is one table of an export; the root is the folder above it: "),
    ],
)
def test_a_root_that_is_none_is_told(init: Init, tmp_path: Path, root: str, words: str) -> None:
    (tmp_path / "am-securityalert").mkdir()

    with pytest.raises(SourceError, match=words):
        init(root)
    assert not (tmp_path / "run.yaml").exists()


def test_an_account_without_a_connector_is_not_looked_at(init: Init) -> None:
    with pytest.raises(ConfigError, match=r"start from conf/local\.yaml"):
        init("https://lake.blob.core.windows.net")


def test_a_file_that_is_there_is_not_overwritten(init: Init, tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text("mine", encoding="utf-8")

    with pytest.raises(
        ConfigError, match=r"run\.yaml is there already: name another by --out, or overwrite it by --yes"
    ):
        init(tmp_path)
    assert (tmp_path / "run.yaml").read_text(encoding="utf-8") == "mine"


def test_an_asset_list_that_is_wrong_is_told_before_the_work(init: Init, tmp_path: Path) -> None:
    (tmp_path / "assets.csv").write_text("host\nfs01\n", encoding="utf-8")

    with pytest.raises(ConfigError, match=r"assets\.csv: header is host"):
        init(tmp_path)


# ---- over a lake


def eve(signature: str | None, source: str, target: str) -> str:
    alert = {"event_type": "alert", "alert": {"signature": signature, "severity": 1}} if signature else {}
    return json.dumps({"event_type": "flow", "src_ip": source, "dest_ip": target, **alert})


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sites: Suricata's own text with traffic in it, alerts of Sentinel, incidents, and what no format is for."""
    root = tmp_path_factory.mktemp("lake")
    for hour in range(4):
        time = f"2026-03-02T{hour:02}:00"
        lines = [row_line(time, Type="Eve_CL", RawData=eve(None, "10.1.0.5", "10.1.0.6")) for _ in range(3)]
        ends = ("10.1.0.6", "=cmd()")
        lines += [row_line(time, Type="Eve_CL", RawData=eve("Port scan", "10.1.0.5", end)) for end in ends]
        put_lines(root, "Eve_CL", time, lines)
    entities = json.dumps([{"$id": "1", "Type": "host", "HostName": "fs01"}])
    alert = {"AlertName": "Sign-in", "AlertSeverity": "High", "Entities": entities, "SystemAlertId": "1"}
    for site in ("plant", "office"):
        for day in ("02", "03"):
            time = f"2026-03-{day}T10:00"
            put_lines(root, "SecurityAlert", time, [row_line(time, Type="SecurityAlert", **alert)] * 5, site=site)
    put_lines(root, "SecurityIncident", "2026-03-03T10:00", [row_line("2026-03-03T10:00", Title="x", Severity="High")])
    put_lines(root, "Heartbeat", "2026-03-03T10:00", [row_line("2026-03-03T10:00", Type="Heartbeat", Computer="fs01")])
    return root


@pytest.mark.slow
def test_everything_that_can_be_found_out_is_written(
    init: Init, spark: SparkSession, lake: Path, tmp_path: Path
) -> None:
    said = init(lake, lambda: spark)

    settings = load_settings(tmp_path / "run.yaml")
    assert settings.export.root == str(lake)
    assert [(one.table, one.format) for one in settings.sources] == [
        ("Eve_CL", "suricata_eve"),
        ("SecurityAlert", "security_alert"),
    ]
    assert settings.export.incidents == "SecurityIncident"
    assert [one.asset for one in load_assets(settings.assets_file or Path())] == [
        *("10.1.0.0/24", "fs01", "10.1.0.5", "10.1.0.6"),
    ]
    assert said == [
        "export    2 sites: office, plant; 2026-03-02 to 2026-03-03, 2 days",
        "table     Eve_CL: 2026-03-02, 1 day; about 20 rows a day",
        "          suricata_eve: 40 % of 20 rows are alerts; severity 100 %, source 50 %, target 100 %, tactic 0 %",
        "          or custom_text: 100 % of 20 rows are alerts; severity 40 %, source 80 %, target 100 %, tactic 0 %",
        "table     Heartbeat: 2026-03-03, 1 day; about 1 row a day",
        "          not read: no shipped format fits",
        "table     SecurityAlert: 2026-03-02 to 2026-03-03, 2 days; about 10 rows a day",
        "          security_alert: 100 % of 20 rows are alerts; severity 100 %, source 0 %, target 100 %, tactic 0 %",
        "table     SecurityIncident: 2026-03-03, 1 day; about 1 row a day",
        "          read as incidents: what analysts say of them comes back as verdicts",
        "config    run.yaml",
        "assets    assets.csv: 1 network and 3 machines that alerts name most; say what you know",
        "next      alertgraph-rank --config run.yaml",
    ]


def test_a_root_that_lists_no_containers_is_asked_for_each_table(spark: SparkSession, lake: Path) -> None:
    root = f"file://{lake}/{{container}}"

    found = list_tables(spark, root, ["Eve_CL"])

    assert [table.name for table in list_tables(spark, root, [])] == ["SecurityAlert", "SecurityIncident"]
    assert [(table.name, table.container) for table in found] == [
        ("Eve_CL", "am-eve_cl"),
        ("SecurityAlert", "am-securityalert"),
        ("SecurityIncident", "am-securityincident"),
    ]


def test_a_folder_without_a_day_is_told(init: Init, spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "lake" / "am-heartbeat" / workspace("plant")).mkdir(parents=True)

    with pytest.raises(SourceError, match=r"no folder of a day, .*, is there; it holds am-heartbeat$"):
        init(tmp_path / "lake", lambda: spark)


def test_tables_that_no_format_fits_are_told_and_nothing_is_written(
    init: Init, spark: SparkSession, tmp_path: Path
) -> None:
    put_lines(tmp_path / "lake", "Heartbeat", "2026-03-03T10:00", [row_line("2026-03-03T10:00", Computer="fs01")])

    with pytest.raises(SourceError, match=r"no shipped format fits a table of .*lake, which has heartbeat; write one"):
        init(tmp_path / "lake", lambda: spark)
    assert [file.name for file in tmp_path.iterdir()] == ["lake"]


def test_torn_and_empty_files_are_no_more_than_rows_that_are_none(spark: SparkSession, tmp_path: Path) -> None:
    put_lines(tmp_path, "Eve_CL", "2026-03-02T10:00", ['{"RawData": "torn', "", "[1]", "\x00"])
    (table,) = list_tables(spark, str(tmp_path), [])
    sample = command.take_sample(spark, table)

    assert sample.called is None
    assert try_formats(spark, Sample(sample.folders, frozenset(), 1.0, None), {}) == []


def test_the_command_line_ends_with_2_and_one_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command.session, "is_platform", lambda: False)

    code = main(["init", "--root", str(tmp_path / "nowhere"), "--out", str(tmp_path / "run.yaml")])

    assert (code, capsys.readouterr().err) == (2, f"SourceError: {tmp_path}/nowhere: no such folder\n")


@pytest.mark.slow
def test_the_job_runs_with_what_was_written(init: Init, spark: SparkSession, tmp_path: Path) -> None:
    """The factory of the demo: all of its rows are read, by the formats that its own configuration names."""
    generate = [sys.executable, str(REPO / "examples/plant/generate.py"), str(tmp_path / "plant")]
    subprocess.run(generate, check=True, stdout=subprocess.DEVNULL)
    init(tmp_path / "plant" / "lake", lambda: spark)
    sources = yaml.safe_load((REPO / "examples" / "plant.yaml").read_text(encoding="utf-8"))["sources"]
    in_lake = json.loads((tmp_path / "plant" / "lake.json").read_text(encoding="utf-8"))["tables"]

    # Spark's own working directory is another here.
    elsewhere = [f"results.path={tmp_path}/results", "tracking.uri=none", "history.path=none"]
    code = rank_alerts.main(["--config", "run.yaml", *(part for one in elsewhere for part in ("--set", one))])

    (record,) = (tmp_path / "results").glob("2*/run.json")
    counts = json.loads(record.read_text(encoding="utf-8"))["counts"]
    written = {one.table: one.format for one in load_settings("run.yaml").sources}
    assert (code, written) == (0, {one["table"]: one["format"] for one in sources})
    assert counts["rows_read"] == sum(table["rows"] for table in in_lake.values())
    assert (counts["rejected"], counts["subgraphs"] > 100) == (0, True)
