"""The configuration: what is allowed, what is refused and in which words, and that documentation and code are one."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import yaml

import alertgraph_spark
from alertgraph_spark.access.principal import Principal
from alertgraph_spark.config.keys import all_keys, keys_table
from alertgraph_spark.config.loading import load_settings
from alertgraph_spark.config.settings import Graph, Settings
from alertgraph_spark.errors import ConfigError
from alertgraph_spark.graph.choice import GraphOptions

PACKAGE = Path(alertgraph_spark.__file__).parent
CONF = PACKAGE.parent / "conf"

SMALLEST = {
    "export": {"root": "/lake"},
    "sources": [{"table": "SecurityAlert", "format": "security_alert"}],
    "results": {"path": "/results"},
}


def write(folder: Path, *, name: str = "run.yaml", **sections: Any) -> Path:
    """The smallest configuration with some sections replaced, as a file."""
    file = folder / name
    file.write_text(yaml.safe_dump({**SMALLEST, **sections}), encoding="utf-8")
    return file


def refusal(file: Path, *overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load_settings(file, overrides)
    return str(caught.value)


def test_the_smallest_file_takes_every_default(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path))

    assert settings.export.root == "/lake"
    assert settings.export.workspaces == "all"
    assert (settings.export.look_back_hours, settings.export.history_hours) == (48.0, 720.0)
    assert settings.graph.engine == "auto"
    assert (settings.graph.driver_max_links, settings.graph.crossover_links) == (5_000_000, 1_000_000)
    assert (settings.ranking.budget_per_day, settings.ranking.warm_up_hours) == (1, 24.0)
    assert settings.tracking.uri == "sqlite:///mlflow.db"
    assert (settings.post.mode, settings.post.credential) == ("none", "default")
    assert settings.spark.conf == {}


def test_a_section_that_holds_nothing_is_a_section_of_defaults(tmp_path: Path) -> None:
    assert load_settings(write(tmp_path, ranking=None)) == load_settings(write(tmp_path))


@pytest.mark.parametrize("file", sorted(CONF.glob("*.yaml")), ids=lambda file: file.name)
def test_every_file_in_conf_loads(file: Path) -> None:
    settings = load_settings(file)

    assert {source.format for source in settings.sources} <= {
        path.stem for path in (PACKAGE / "formats").glob("*.yaml")
    }
    assert all(source.file.is_file() for source in settings.sources)


def test_platform_files_ask_for_graphframes_and_the_local_one_sends_nothing() -> None:
    assert load_settings(CONF / "synapse.yaml").graph.engine == "graphframes"
    assert load_settings(CONF / "databricks.yaml").graph.engine == "graphframes"
    assert load_settings(CONF / "local.yaml").post.mode == "none"


def test_the_table_in_the_readme_is_the_table_of_the_code() -> None:
    readme = (CONF / "README.md").read_text(encoding="utf-8")
    table = readme.split("<!-- keys -->\n")[1].split("<!-- /keys -->")[0]
    written = {line.split("`")[1] for line in table.splitlines() if line.startswith("| `")}
    declared = {name for name, _ in all_keys(Settings)}

    assert written - declared == set(), "described in conf/README.md, unknown to the code"
    assert declared - written == set(), "declared in the code, missing in conf/README.md"
    assert table == keys_table(Settings)


def test_all_problems_are_reported_at_once(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        export={"workspaces": []},  # root missing, and no workspace to read
        sources=[{"table": "Security Alert", "format": "security_alrt"}],
        graph={"engine": "graphframe", "driver_max_links": 1.5},
        ranking={"chronic_share": 1.5, "budget_per_days": 2},
        post={"mode": "file"},
    )

    text = refusal(file, "tracking.strict=perhaps")

    assert text.startswith(f"{file} has 10 problems:")
    assert f"{file}: export.root: required" in text
    assert "export.workspaces: empty; allowed: `all` or the names of workspaces" in text
    assert "sources.0.table: found 'Security Alert'; allowed: letters, digits, _" in text
    assert "sources.0.format: found 'security_alrt'; no such file" in text
    assert "did you mean security_alert?" in text
    assert (
        "graph.engine: found 'graphframe'; allowed: `auto`, `graphframes`, `driver`; did you mean graphframes?" in text
    )
    assert "graph.driver_max_links: found 1.5; allowed: whole number in [1, 100000000]" in text
    assert "ranking.chronic_share: found 1.5; allowed: number in (0, 1]" in text
    assert "ranking.budget_per_days: no such key; did you mean ranking.budget_per_day?" in text
    assert "post.folder: required where post.mode is file" in text
    assert "--set tracking.strict: found 'perhaps'; allowed: true, false" in text


# Key, values on the allowed side of its bounds, values beyond them.
RANGES: list[tuple[str, list[float], list[float]]] = [
    ("export.look_back_hours", [0, 720], [-0.1, 720.1]),
    ("export.history_hours", [0, 8760], [-1, 8761]),
    ("graph.driver_max_links", [1, 100_000_000], [0, 100_000_001]),
    ("graph.crossover_links", [0, 100_000_000], [-1, 100_000_001]),
    ("ranking.budget_per_day", [1, 1000], [0, 1001]),
    ("ranking.chronic_share", [0.001, 1], [0, 1.001]),
    ("ranking.planned_weight", [-1000, 1000], [-1000.1, 1000.1]),
]


@pytest.mark.parametrize(("key", "inside", "outside"), RANGES, ids=[key for key, _, _ in RANGES])
def test_bounds(tmp_path: Path, key: str, inside: list[float], outside: list[float]) -> None:
    file = write(tmp_path)
    section, name = key.split(".")

    for value in inside:
        assert getattr(getattr(load_settings(file, [f"{key}={value}"]), section), name) == value
    for wrong in [*map(str, outside), ".nan", ".inf", "true", "many", "[1]"]:
        assert f"--set {key}: found " in refusal(file, f"{key}={wrong}")


NUMBERS = {name: key for name, key in all_keys(Settings) if key.rule.within}


def test_every_key_of_a_section_that_is_no_number_of_the_method_is_tested_at_its_bounds() -> None:
    assert {name for name in NUMBERS if not name.startswith("ranking.")} == {
        key for key, _, _ in RANGES if not key.startswith("ranking.")
    }


def bounds(within: str) -> tuple[float, float]:
    low, high = within[1:-1].split(",")
    return float(low), float(high)


@pytest.mark.parametrize("name", [name for name in NUMBERS if name.startswith("ranking.")])
def test_every_number_of_the_method_is_held_to_its_range(name: str) -> None:
    """As text such as `(0, 1]` says it: a bracket lets the bound in, a parenthesis does not; the default lies inside."""
    key = NUMBERS[name]
    low, high = bounds(key.rule.within)
    if key.default is not None:
        assert low <= key.default <= high
        assert key.rule.allows(key.default)
    assert [key.rule.allows(bound) for bound in (low, high)] == [key.rule.within[0] == "[", key.rule.within[-1] == "]"]
    assert not key.rule.allows(low - 0.001)
    assert not key.rule.allows(high + 0.001)


@pytest.mark.parametrize(
    ("assignment", "words"),
    [
        ("export.roott=/x", "export.roott: no such key; did you mean export.root?"),
        ("rankng.coincidence=0.1", "rankng: no such key; did you mean ranking?"),
        ("budget_per_day=2", "budget_per_day: no such key; did you mean ranking.budget_per_day?"),
        (
            "post.zzz=1",
            "post.zzz: no such key; allowed: post.mode, post.endpoint, post.dcr_id, post.tenant_id, post.client_id, "
            "post.credential, post.rule, post.folder",
        ),
        ("post.mode=logs_ingest", "did you mean logs_ingestion?"),
        ("graph.engine=GraphFrames", "did you mean graphframes?"),
        ("tracking.experiment=2026", "tracking.experiment: found 2026; allowed: text; put it in quotes"),
        ("tracking.uri=", "tracking.uri: empty; allowed: text, or leave the key out for its default"),
        ("results.path=", "results.path: empty; allowed: text"),
        ("results.path=' '", "results.path: found ' '; allowed: text"),
        ("export.workspaces=acme", "export.workspaces: found 'acme'; allowed: `all` or list of text"),
        ("export.workspaces=[acme, 7]", "export.workspaces.1: found 7; allowed: text; put it in quotes"),
        ("sources=[]", "sources: empty; a run needs at least one source"),
        ("sources=security_alert", "sources: found 'security_alert'; allowed: list"),
        ("sources=[7]", "sources.0: found 7; allowed: names and values"),
        ("sources.1.table=X", "sources.1.table: no such key, nor a place in a list"),
        ("export.root.x=1", "export.root.x: no such key, nor a place in a list"),
        ("spark.master=yarn", "spark.master: found 'yarn'; allowed: `local`, `local[4]` or `local[*]`"),
        ("spark.driver_memory=8", "spark.driver_memory: found 8; allowed: size such as `8g`; put it in quotes"),
        ("spark.conf.spark.x=[1]", "spark.conf.spark.x: found a list; allowed: text, a number, true or false"),
        ("results.path=[", "results.path: the value is not YAML: line 1, column 2"),
        ("results.path=2026-99-99", "results.path: the value is not YAML: a value that is no date: month"),
        ("results.path", "--set: found 'results.path'; allowed: KEY=VALUE"),
    ],
)
def test_what_an_override_is_told(tmp_path: Path, assignment: str, words: str) -> None:
    text = refusal(write(tmp_path), assignment)

    assert words in text
    assert " has 1 problem:\n  --set" in text


def test_overrides_win_and_are_yaml(tmp_path: Path) -> None:
    file = write(tmp_path, spark={"conf": {"spark.ui.enabled": True}})

    settings = load_settings(
        file,
        [
            "export.root=abfss://alerts@account.dfs.core.windows.net/x",
            "export.workspaces=[acme, globex]",
            "sources.0.format=sigma",
            "ranking.warm_up_hours=0",
            "spark.master=local[*]",
            "spark.conf.spark.sql.shuffle.partitions=8",
            "tracking.uri=none",
        ],
    )

    assert settings.export.root == "abfss://alerts@account.dfs.core.windows.net/x"
    assert settings.export.workspaces == ("acme", "globex")
    assert settings.sources[0].format == "sigma"
    assert settings.ranking.warm_up_hours == 0.0
    assert settings.spark.master == "local[*]"
    assert settings.spark.conf == {"spark.ui.enabled": "true", "spark.sql.shuffle.partitions": "8"}
    assert settings.tracking.uri == "none"


def test_an_override_may_bring_what_the_file_lacks(tmp_path: Path) -> None:
    file = tmp_path / "half.yaml"
    file.write_text("sources: [{table: SecurityAlert, format: security_alert}]\n")

    settings = load_settings(file, ["export.root=/lake", "results.path=/results"])

    assert settings == load_settings(write(tmp_path))


def test_one_format_reads_a_table(tmp_path: Path) -> None:
    both = [{"table": "Suricata_CL", "format": "suricata_eve"}, {"table": "suricata_cl", "format": "sigma"}]

    assert "sources.1.table: found 'suricata_cl' twice; one format reads a table" in refusal(
        write(tmp_path, sources=both)
    )
    # A near miss: two tables through one format.
    both[1] = {"table": "Suricata2_CL", "format": "suricata_eve"}
    assert len(load_settings(write(tmp_path, sources=both)).sources) == 2


# --- digest


def test_digest_knows_neither_order_nor_spelled_out_defaults_nor_place(tmp_path: Path) -> None:
    digest = load_settings(write(tmp_path), ["spark.conf.a=1", "spark.conf.b=2"]).digest
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    backwards = elsewhere / "other.yaml"
    backwards.write_text(
        "results: {path: /results}\n"
        "spark: {conf: {b: 2, a: 1}}\n"
        "ranking: {warm_up_hours: 24.0, budget_per_day: 1}\n"
        "sources: [{format: security_alert, table: SecurityAlert}]\n"
        "export: {root: /lake}\n"
    )

    assert load_settings(backwards).digest == digest
    assert len(digest) == 12
    assert load_settings(backwards, ["ranking.warm_up_hours=25"]).digest != digest


def test_settings_survive_a_round_through_their_own_dict(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path), ["export.workspaces=[acme]", "spark.conf.spark.ui.enabled=false"])
    again = tmp_path / "again.yaml"
    again.write_text(yaml.safe_dump(settings.to_dict()))

    assert load_settings(again) == settings


# --- files


def test_a_format_is_looked_up_beside_the_configuration_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, beside = tmp_path / "work", tmp_path / "conf"
    for folder in (here, beside):
        folder.mkdir()
        (folder / "ours.yaml").write_text("format: ours")
    (here / "assets.csv").write_text("host")
    (beside / "calendar.csv").write_text("asset")
    (beside / "known.yaml").write_text("[]")
    monkeypatch.chdir(here)
    lists = {"assets": "assets.csv", "maintenance": "calendar.csv", "exceptions": "known.yaml"}
    file = write(beside, sources=[{"table": "Ours_CL", "format": "ours.yaml"}], **lists)

    settings = load_settings(file)

    assert settings.sources[0].format == "ours.yaml"
    assert settings.sources[0].file == beside / "ours.yaml"
    assert settings.assets_file is not None and settings.assets_file.resolve() == here / "assets.csv"
    assert settings.maintenance_file == beside / "calendar.csv"
    assert settings.exceptions_file == beside / "known.yaml"


def test_a_missing_file_names_both_places_and_the_shipped_formats(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, beside = tmp_path / "work", tmp_path / "conf"
    here.mkdir()
    beside.mkdir()
    monkeypatch.chdir(here)
    file = write(beside, sources=[{"table": "Ours_CL", "format": "ours.yaml"}], assets="list.csv")

    text = refusal(file)

    assert (
        f"sources.0.format: found 'ours.yaml'; no such file, looked for {beside / 'ours.yaml'} and {here / 'ours.yaml'}"
        in text
    )
    assert "shipped formats: common_security_log, " in text
    assert f"assets: found 'list.csv'; no such file, looked for {beside / 'list.csv'} and {here / 'list.csv'}" in text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("export: {root: /x}\nresults: [", "is not YAML: line 2, column 11"),
        ("export: {root: /x}\n\tpath: /y", "is not YAML: line 2, column 1: found character '\\t'"),
        (
            "export: {root: /x}\nresults: {path: /y}\nexport: {root: /z}",
            "is not YAML: line 3, column 1: key export stands twice",
        ),
        ("- export", "found a list; allowed: keys and values"),
        ("export", "found 'export'; allowed: keys and values"),
        ("results: {path: 2026-02-30}", "a value that is no date"),
        (
            "results: {path: !!python/name:os.system x}",
            "is not YAML: line 1, column 17: could not determine a constructor",
        ),
        ("", "export.root: required"),
    ],
)
def test_a_file_that_is_no_configuration(tmp_path: Path, content: str, words: str) -> None:
    file = tmp_path / "broken.yaml"
    file.write_text(content)

    assert str(file) in refusal(file)
    assert words in refusal(file)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    latin = tmp_path / "latin.yaml"
    latin.write_bytes("results: {path: /é}".encode("latin-1"))

    assert "absent.yaml cannot be read from " in refusal(tmp_path / "absent.yaml")
    assert "No such file" in refusal(tmp_path / "absent.yaml")
    assert "Is a directory" in refusal(tmp_path)
    assert "utf-8" in refusal(latin)


# --- posting and secrets


def test_posting_wants_endpoint_and_rule(tmp_path: Path) -> None:
    text = refusal(write(tmp_path, post={"mode": "logs_ingestion"}))

    assert "post.endpoint: required where post.mode is logs_ingestion" in text
    assert "post.dcr_id: required where post.mode is logs_ingestion" in text


@pytest.mark.parametrize(
    ("endpoint", "is_allowed"),
    [
        ("https://x.westeurope-1.ingest.monitor.azure.com", True),
        ("http://127.0.0.1:8080", True),
        ("http://localhost:8080", True),
        ("http://[::1]:8080", True),
        ("http://x.westeurope-1.ingest.monitor.azure.com", False),
        ("http://localhost.example.com", False),  # only looks like loopback
        ("https://", False),
        ("http://[::1", False),
        ("x.ingest.monitor.azure.com", False),
        ("https://soc-rule-ab12-westeurope.logs.z1.ingest.monitor.azure.com", True),  # a rule's own address
        ("https://x.usgovvirginia-1.ingest.monitor.azure.us/", True),
        ("https://x.chinaeast2-1.ingest.monitor.azure.cn:443", True),
        ("https://collector.evil.example", False),  # it would be shown the token
        ("https://x.ingest.monitor.azure.com.evil.example", False),
        ("https://evil.example/x.ingest.monitor.azure.com", False),
        ("https://x.ingest.monitor.azure.com@evil.example", False),
        ("https://evil.example#.ingest.monitor.azure.com", False),
        ("https://xingest.monitor.azure.com", False),
        ("https://ingest.monitor.azure.com", False),
        ("https://x.westeurope-1.ingest.monitor.azure.com:8443", False),
        ("https://x.westeurope-1.ingest.monitor.azure.com/path", False),
        ("https://0a1b2c3d-0000-0000-0000-000000000000.ods.opinsights.azure.com", False),  # of the other API
    ],
)
def test_a_token_goes_to_the_service_alone_and_never_in_the_clear(
    tmp_path: Path, endpoint: str, is_allowed: bool
) -> None:
    post = {"mode": "logs_ingestion", "endpoint": endpoint, "dcr_id": "dcr-0"}
    file, told = write(tmp_path, post=post), f"post.endpoint: found {endpoint!r}; allowed: https://….ingest.monitor"

    if is_allowed:
        assert load_settings(file).post.endpoint == endpoint
        return
    assert told in refusal(file)
    good = write(tmp_path, post=post | {"endpoint": "https://x.westeurope-1.ingest.monitor.azure.com"})
    with pytest.raises(ConfigError) as caught:
        load_settings(good, [f"post.endpoint={json.dumps(endpoint)}"])
    assert f"--set {told}" in str(caught.value), "an override is held to the same hosts"


@pytest.mark.parametrize(
    ("endpoint", "is_allowed"),
    [
        ("https://0a1b2c3d-0000-0000-0000-000000000000.ods.opinsights.azure.com", True),
        ("http://127.0.0.1:8080", True),
        ("https://x.westeurope-1.ingest.monitor.azure.com", False),
        ("https://0a1b2c3d-0000-0000-0000-000000000000.ods.opinsights.evil.example", False),
    ],
)
def test_a_workspace_key_signs_for_the_service_alone(tmp_path: Path, endpoint: str, is_allowed: bool) -> None:
    file = write(tmp_path, post={"mode": "data_collector", "endpoint": endpoint, "credential": "env:KEY"})

    if is_allowed:
        assert load_settings(file).post.endpoint == endpoint
    else:
        assert "allowed: https://WORKSPACE_ID.ods.opinsights.azure.com" in refusal(file)


TENANT, CLIENT = "11111111-2222-3333-4444-555555555555", "66666666-7777-8888-9999-aaaaaaaaaaaa"
PRINCIPAL = {"tenant_id": TENANT, "client_id": CLIENT, "credential": "keyvault://soc/poster"}


def test_a_service_principal_is_two_ids_and_where_its_secret_is_kept(tmp_path: Path) -> None:
    assert load_settings(write(tmp_path, post=PRINCIPAL)).post.principal == Principal(TENANT, CLIENT)
    assert load_settings(write(tmp_path)).post.principal is None


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"client_id": None}, "post.client_id: required with the other"),
        ({"tenant_id": None}, "post.tenant_id: required with the other"),
        (
            {"credential": "default"},
            "post.credential: with tenant_id and client_id name where the client secret is kept",
        ),
        ({"tenant_id": "contoso"}, "post.tenant_id: found 'contoso'; allowed: id as Entra shows it"),
        ({"mode": "data_collector"}, "post.tenant_id: post.mode data_collector signs with the workspace's key"),
    ],
    ids=["no client", "no tenant", "no secret", "no id", "the other API"],
)
def test_half_a_service_principal_is_refused(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    assert told in refusal(write(tmp_path, post={k: v for k, v in (PRINCIPAL | change).items() if v is not None}))


def test_a_client_secret_in_place_of_its_reference_is_refused_and_not_repeated(tmp_path: Path) -> None:
    pasted = "abc8Q~" + "x" * 34
    told = refusal(write(tmp_path, post=PRINCIPAL | {"credential": pasted}))

    assert "post.credential: looks like a secret" in told
    assert pasted not in told


@pytest.mark.parametrize(
    ("root", "is_allowed"),
    [
        ("https://plantexport.blob.core.windows.net", True),
        ("https://PlantExport.Blob.core.windows.net/", True),
        ("https://plantexport.blob.core.usgovcloudapi.net", True),
        ("https://plantexport.blob.core.chinacloudapi.cn", True),
        ("https://plantexport.z01.blob.storage.azure.net", True),
        ("http://127.0.0.1:10000/devstoreaccount1", True),
        ("https://localhost:10000/devstoreaccount1", True),
        ("http://plantexport.blob.core.windows.net", False),  # the credential would travel in clear text
        ("https://plantexport.blob.core.windows.net.evil.example", False),
        ("https://evil.example/plantexport.blob.core.windows.net", False),
        ("https://plantexport.dfs.core.windows.net", False),  # abfss reads that
        ("https://plantexport.blob.core.windows.net/am-securityalert", False),
        ("http://127.0.0.1:10000", False),
        ("http://127.0.0.1.evil.example/devstoreaccount1", False),
        ("https://user@plantexport.blob.core.windows.net", False),
    ],
)
def test_a_credential_is_shown_to_a_storage_account_only(tmp_path: Path, root: str, is_allowed: bool) -> None:
    file, override = write(tmp_path), f"export.root={root}"

    if is_allowed:
        assert load_settings(file, [override, "export.credential=dbx://soc/key"]).export.root == root
    else:
        assert f"export.root: found {root!r}; allowed: https://ACCOUNT.blob.core.windows.net" in refusal(file, override)


@pytest.mark.parametrize("key", ["export.credential=env:EXPORT_KEY", "export.staging=/mnt/staging"])
def test_what_is_for_an_account_is_refused_for_a_folder(tmp_path: Path, key: str) -> None:
    assert "export.root: credential and staging are for an https root" in refusal(write(tmp_path), key)


LONG_BASE64 = "Zm9vYmFyMTIzNDU2Nzg5MEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFla/+abcdefgh=="


@pytest.mark.parametrize(
    ("key", "secret"),
    [
        ("post.credential", "hunter2"),
        ("post.credential", LONG_BASE64),
        ("post.credential", "env:NOT A NAME"),
        ("export.root", "DefaultEndpointsProtocol=https;AccountName=x;AccountKey=abc"),
        ("export.root", "https://x.blob.core.windows.net/y?sv=2022&sig=abc%3D"),
        ("results.path", LONG_BASE64),
        ("tracking.uri", "https://user:hunter2@mlflow.example.com"),
        ("tracking.uri", "dapi0123456789abcdef0123456789abcdef"),
        ("post.dcr_id", "abc8Q~0123456789abcdefghijklmnopqrstuv"),
        ("post.folder", "eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJ4In0.c2ln"),
        ("spark.conf.spark.hadoop.x", "AccountKey=abc"),
        ("spark.conf.fs.azure.account.key.x.dfs.core.windows.net", "short"),
        ("graph.engine", "SharedAccessKey=abc"),
        ("sources.0.format", "Bearer abcdefghijk"),
        ("post.client_secret", "hunter2"),
        ("export.credential", "sig=abc%3D&sv=2026-02-06"),
        ("export.credential", "keyvault://vault.evil.example/name"),
        ("export.credential", f"dbx://scope/{LONG_BASE64}"),
        ("export.root", "https://plant.blob.core.windows.net/?sv=2026-02-06&sig=abc%3D"),
    ],
)
def test_a_secret_is_refused_and_never_repeated(tmp_path: Path, key: str, secret: str) -> None:
    text = refusal(write(tmp_path), f"{key}={secret}")

    assert f"--set {key}: " in text
    assert secret not in text


def test_a_secret_is_not_repeated_by_a_mistake_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "broken.yaml"
    file.write_text("post: {credential: hunter2, mode: [}\n")
    assert "hunter2" not in refusal(file)

    assert "hunter2" not in refusal(write(tmp_path, post={"credential": {"value": "hunter2"}}))
    assert "hunter2" not in refusal(write(tmp_path), "password=hunter2 =x", "AccountKey=hunter2")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("post.credential", "env:INGESTION_TOKEN"),
        ("post.credential", "KeyVault://Plant.vault.azure.net/ingestion-token"),
        ("post.credential", "dbx://soc/ingestion-token"),
        (
            "export.root",
            "abfss://alerts@account.dfs.core.windows.net/Exported2026/Alerts0123456789/WithALongFolderName",
        ),
        ("results.path", "/Volumes/main/security/AlertGraphResults20261124WithALongName0123456789"),
        (
            "tracking.uri",
            "azureml://westeurope.api.azureml.ms/mlflow/v1.0/subscriptions/00000000-0000-0000-0000-000000000000",
        ),
        ("post.dcr_id", "dcr-0123456789abcdef0123456789abcdef"),
        ("spark.conf.spark.hadoop.fs.azure.account.auth.type", "OAuth"),
    ],
)
def test_what_only_looks_like_a_secret_is_allowed(tmp_path: Path, key: str, value: str) -> None:
    assert value in str(load_settings(write(tmp_path), [f"{key}={value}"]))


# --- where it runs


def test_settings_load_without_spark_and_out_of_a_zip(tmp_path: Path) -> None:
    archive = tmp_path / "alertgraph_spark.zip"
    with zipfile.ZipFile(archive, "w") as zipped:
        for file in [*PACKAGE.rglob("*.py"), *PACKAGE.glob("formats/*.yaml")]:
            zipped.write(file, Path("alertgraph_spark") / file.relative_to(PACKAGE))
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from alertgraph_spark.config import loading as config\n"
        "source = config.load_settings(sys.argv[2]).sources[0]\n"
        "assert '.zip' in config.__file__, config.__file__\n"
        "assert source.file.read_text(encoding='utf-8').strip(), source.file\n"
        "heavy = {'pyspark', 'mlflow', 'pandas', 'azure', 'requests', 'graphframes'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", code, str(archive), str(write(tmp_path))],
        capture_output=True, text=True, timeout=60, cwd=tmp_path, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr


def test_the_analysis_by_itself_has_the_defaults_of_the_file() -> None:
    graph = {key: value for key, value in asdict(Graph()).items() if key != "jars"}
    assert asdict(GraphOptions()) == graph
