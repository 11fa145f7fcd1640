"""A reference leads to a secret wherever the platform keeps one, and the secret ends in nothing that a run leaves behind."""

from __future__ import annotations

import json
import logging
import os
import pickle
import secrets as stdlib_secrets
import sys
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest
from azurite import KEY, Emulated, running
from exported import row_line
from pyspark.serializers import CloudPickleSerializer
from pyspark.sql import DataFrame, SparkSession
from test_job import JOB, REPO

from alertgraph_spark.access.secret import Reference, Secret, parse_reference
from alertgraph_spark.access.secrets import resolve
from alertgraph_spark.commands.cli import EDGES, exit_code
from alertgraph_spark.errors import ConfigError, PublishError
from alertgraph_spark.history import reader as folding
from alertgraph_spark.publish.log_analytics.credentials import StoredToken, check_credential, token_provider

sys.path.insert(0, str(REPO / "examples"))  # the examples are no part of the wheel

from emulator.server import LogsIngestionEmulator

TOKEN_VARIABLE = "ALERTGRAPH_TEST_SECRETS_TOKEN"
# Set before Spark starts, since its Python workers inherit what the environment held then.
TOKEN = os.environ.setdefault(TOKEN_VARIABLE, stdlib_secrets.token_hex(16))


# --- references


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("default", Reference("default")),
        ("env:EXPORT_KEY", Reference("env", name="EXPORT_KEY")),
        ("keyvault://plant-vault/export-key", Reference("keyvault", "plant-vault", "export-key")),
        ("KeyVault://Plant-Vault.VAULT.azure.net/Key1", Reference("keyvault", "plant-vault.vault.azure.net", "Key1")),
        ("keyvault://v12.vault.azure.cn/k", Reference("keyvault", "v12.vault.azure.cn", "k")),
        ("keyvault://plant/k?linked_service=Plant Vault", Reference("keyvault", "plant", "k", "Plant Vault")),
        ("dbx://soc/Export.Key", Reference("dbx", "soc", "Export.Key")),
    ],
)
def test_a_reference_is_taken_apart(text: str, reference: Reference) -> None:
    assert parse_reference(text) == reference
    assert check_credential(text, can_resolve=True) == reference
    assert reference.is_for_the_driver == (reference.kind in ("keyvault", "dbx"))


@pytest.mark.parametrize(
    "text",
    [
        *("", "hunter2", "Default", "env:", "env:NOT A NAME", "env:A=b", KEY),
        *("keyvault://vault", "keyvault:/vault/name", "keyvault://vault/a_b", "keyvault://vault.evil.example/name"),
        *("keyvault://vault/name?version=1", "keyvault://vault/name/../x", "keyvault://user:pw@vault/name"),
        *("dbx://scope", "dbx://scope/key/more", "dbx://scope/a=b", f"dbx://scope/{KEY}"),
    ],
    ids=lambda text: text.replace(KEY, "KEY"),  # a secret is in no name of a test, and processes count the same tests
)
def test_what_is_no_reference_is_refused_and_not_repeated(text: str) -> None:
    assert parse_reference(text) is None
    for refuse in (resolve, check_credential):
        with pytest.raises(ConfigError, match="`keyvault://VAULT/NAME`") as caught:
            refuse(text)
        assert len(text) < 8 or text not in str(caught.value)


def test_a_secret_shows_stars_and_cannot_travel() -> None:
    secret = Secret("hunter2")

    assert f"{secret} {secret!r} {[secret]}" == "*** *** [***]"
    assert secret.reveal() == "hunter2"
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps({"credential": secret})


# --- who keeps them


def test_an_environment_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLANT_KEY", " hunter2\n")
    assert resolve("env:PLANT_KEY").reveal() == "hunter2"
    monkeypatch.setenv("PLANT_KEY", " ")
    with pytest.raises(ConfigError, match="env:PLANT_KEY: is empty"):
        resolve("env:PLANT_KEY")
    monkeypatch.delenv("PLANT_KEY")
    with pytest.raises(ConfigError, match="env:PLANT_KEY: the environment variable PLANT_KEY is not set on the driver"):
        resolve("env:PLANT_KEY")


def module(name: str, monkeypatch: pytest.MonkeyPatch, **members: Any) -> None:
    made = ModuleType(name)
    made.__dict__.update(members)
    monkeypatch.setitem(sys.modules, name, made)


class Keeper:
    """Answers as `getSecret` does, remembers what it was asked, and fails in words that hold the secret."""

    def __init__(self, *, fails: bool = False) -> None:
        self.asked: list[tuple[str, ...]] = []
        self.fails = fails

    def __call__(self, *names: str) -> str:
        self.asked.append(names)
        if self.fails:
            raise RuntimeError("403 for hunter2")
        return "hunter2"


def test_a_vault_on_fabric_is_asked_by_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    keeper = Keeper()
    module("notebookutils", monkeypatch, credentials=SimpleNamespace(getSecret=keeper))

    assert resolve("keyvault://plant/key").reveal() == "hunter2"
    assert resolve("keyvault://plant.vault.usgovcloudapi.net/key").reveal() == "hunter2"
    assert keeper.asked == [
        ("https://plant.vault.azure.net/", "key"),
        ("https://plant.vault.usgovcloudapi.net/", "key"),
    ]


def test_a_vault_on_synapse_is_asked_by_its_name_and_linked_service(monkeypatch: pytest.MonkeyPatch) -> None:
    keeper = Keeper()
    module(
        "notebookutils",
        monkeypatch,
        mssparkutils=SimpleNamespace(credentials=SimpleNamespace(getSecret=keeper)),
    )

    resolve("keyvault://plant/key?linked_service=PlantVault")
    resolve("keyvault://plant/key")
    assert keeper.asked == [("plant", "key", "PlantVault"), ("plant", "key")]


def test_a_vault_elsewhere_is_asked_as_azure_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    identity, vaults = pytest.importorskip("azure.identity"), pytest.importorskip("azure.keyvault.secrets")
    keeper = Keeper()

    class Opened:
        def __init__(self, *arguments: Any, **_: Any) -> None:
            self.arguments = arguments

        def __enter__(self) -> Any:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def get_secret(self, name: str) -> Any:
            return SimpleNamespace(value=keeper(self.arguments[0], name))

    monkeypatch.setattr(identity, "DefaultAzureCredential", Opened)
    monkeypatch.setattr(vaults, "SecretClient", Opened)

    assert resolve("keyvault://Plant/key").reveal() == "hunter2"
    assert keeper.asked == [("https://plant.vault.azure.net/", "key")]
    with pytest.raises(ConfigError, match="linked services are known on Synapse only"):
        resolve("keyvault://plant/key?linked_service=PlantVault")
    monkeypatch.setitem(sys.modules, "azure.keyvault.secrets", None)  # as if it were not installed
    with pytest.raises(ConfigError, match=r"azure-keyvault-secrets is missing; install alertgraph-spark\[azure\]"):
        resolve("keyvault://plant/key")


@pytest.mark.usefixtures("spark")
def test_a_secret_scope_of_databricks(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="dbx://soc/key: secret scopes are known on Databricks only"):
        resolve("dbx://soc/key")
    keeper = Keeper()
    module("pyspark.dbutils", monkeypatch, DBUtils=lambda _: SimpleNamespace(secrets=SimpleNamespace(get=keeper)))

    assert resolve("dbx://soc/key").reveal() == "hunter2"
    assert keeper.asked == [("soc", "key")]


def test_a_refusal_names_the_reference_and_never_what_the_platform_said(monkeypatch: pytest.MonkeyPatch) -> None:
    module("notebookutils", monkeypatch, credentials=SimpleNamespace(getSecret=Keeper(fails=True)))

    with pytest.raises(
        ConfigError, match=r"keyvault://plant/key: no secret was given \(RuntimeError\); give the"
    ) as caught:
        resolve("keyvault://plant/key")
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__, "a trace would show it"


# --- a token that only the driver can have


def test_a_stored_token_is_asked_for_once_until_a_fresh_one_is_wanted() -> None:
    values = iter(["token-1", "token-2", "no token"])
    asked: list[str] = []

    def answer(reference: str) -> Secret:
        asked.append(reference)
        return Secret(next(values))

    tokens = StoredToken("dbx://soc/token", answer)

    assert [tokens().reveal(), tokens().reveal(), tokens(fresh=True).reveal()] == ["token-1", "token-1", "token-2"]
    assert asked == ["dbx://soc/token"] * 2
    with pytest.raises(PublishError, match="the value of dbx://soc/token is not a bearer token"):
        tokens(fresh=True)


def test_an_executor_never_resolves_what_is_for_the_driver() -> None:
    with pytest.raises(ConfigError, match="keyvault://plant/token is resolved on the driver only"):
        token_provider("keyvault://plant/token", "scope")


# --- nothing that a run leaves holds a secret


@dataclass
class Left:
    """All that a run leaves or says: where it was to what it is."""

    parts: dict[str, bytes] = field(default_factory=dict)

    def add(self, where: str, what: str | bytes) -> None:
        self.parts[f"{where} {len(self.parts)}"] = what.encode() if isinstance(what, str) else what

    def add_files(self, folder: Path, spark: SparkSession) -> None:
        """Every byte of every file, and what stands compressed in Parquet."""
        for path in folder.rglob("*"):
            if path.is_file():
                self.add(f"file {path.relative_to(folder)}", path.read_bytes())
        for table in {path.parent for path in folder.rglob("*.parquet")}:
            rows = spark.read.parquet(str(table)).toJSON().collect()
            self.add(f"table {table.name}", "\n".join(rows))

    def add_spark(self, spark: SparkSession) -> None:
        self.add("conf", repr(spark.sparkContext.getConf().getAll()))
        session: Any = spark._jsparkSession  # type: ignore[attr-defined]  # SQL's own SET hides what has a telling name
        self.add("session conf", str(session.conf().getAll().toString()))
        java: Any = spark._jvm
        writer = java.java.io.StringWriter()
        context: Any = spark.sparkContext
        context._jsc.hadoopConfiguration().writeXml(writer)
        self.add("hadoop conf", str(writer.toString()))

    def holding(self, secret: str) -> list[str]:
        """Where the secret stands: as it is, as part of an address, or encoded once more."""
        encoded = b64encode(secret.encode()).rstrip(b"=")[:-1]  # the last letter depends on what follows
        forms = {secret.encode(), quote(secret, safe="").encode(), encoded}
        return [where for where, what in self.parts.items() if any(form in what for form in forms)]


class Collected(logging.Handler):
    def __init__(self, left: Left) -> None:
        super().__init__(logging.DEBUG)
        self.left = left

    def emit(self, record: logging.LogRecord) -> None:
        self.left.add(f"log {record.name}", self.format(record))


def plan(frame: DataFrame) -> str:
    """What `explain(extended=True)` prints, in full."""
    query: Any = frame._jdf.queryExecution()
    conf, longest = frame.sparkSession.conf, "spark.sql.maxPlanStringLength"
    before = conf.get(longest)
    conf.set(longest, "100000000")
    text = str(query.toString())
    conf.set(longest, str(before))
    return text


@contextmanager
def watching(left: Left) -> Iterator[None]:
    """Keep every log line from DEBUG on, every pickled closure, and every plan that sends rows out of a run."""
    handler = Collected(left)
    root = logging.getLogger()
    levels = {name: logging.getLogger(name).level for name in ("", "alertgraph_spark", *EDGES, "py4j")}
    for name in levels:
        logging.getLogger(name).setLevel(logging.DEBUG)
    root.addHandler(handler)
    dumps, map_in_arrow = CloudPickleSerializer.dumps, DataFrame.mapInArrow

    def kept_dumps(self: Any, obj: Any) -> bytes:
        pickled: bytes = dumps(self, obj)
        left.add("closure", pickled)
        return pickled

    def kept_map(self: DataFrame, *arguments: Any, **more: Any) -> DataFrame:
        frame = map_in_arrow(self, *arguments, **more)
        left.add("plan", plan(frame))
        return frame

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logging.Logger, "setLevel", lambda *_: None)  # the job's console would quieten them
        patch.setattr(CloudPickleSerializer, "dumps", kept_dumps)
        patch.setattr(DataFrame, "mapInArrow", kept_map)
        yield
    root.removeHandler(handler)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


TENANT = "11111111-2222-3333-4444-555555555555"


class Signed:
    """Stands for azure-identity: Entra gives the emulator's token for a client secret."""

    def __init__(self, tenant_id: str, client_id: str, client_secret: str) -> None:
        assert (tenant_id, client_id) == (TENANT, TENANT)
        assert client_secret

    def __enter__(self) -> Signed:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def get_token(self, scope: str) -> Any:
        assert scope == "https://monitor.azure.com/.default"
        return SimpleNamespace(token=TOKEN, expires_on=4_000_000_000)


@pytest.fixture(scope="module")
def azurite() -> Iterator[Emulated]:
    with running() as emulated:
        for minute, (source, target) in enumerate([("10.0.0.1", "10.0.0.2"), ("10.0.0.2", "10.0.0.3")]):
            time = f"2026-03-02T10:0{minute}"
            seen = {"event_type": "alert", "timestamp": f"{time}:00+0000", "src_ip": source, "dest_ip": target}
            alert = {"signature": f"Exploit {minute}", "severity": 1}
            line = row_line(time, RawData=json.dumps({**seen, "alert": alert}), _ItemId=f"i-{minute}")
            emulated.append_rows("SuricataEve_CL", time, [line], container="am-suricataeve-cl")
        yield emulated


def config(home: Path, azurite: Emulated, **credentials: str) -> Path:
    text = {
        "export": {"root": azurite.url, "staging": str(home / "staging"), "credential": credentials["export"]},
        "sources": [{"table": "SuricataEve_CL", "format": "suricata_eve"}],
        "results": {"path": str(home / "results")},
        "tracking": {"uri": f"sqlite:///{home}/mlflow.db"},
        "post": {"mode": "logs_ingestion", "endpoint": "http://127.0.0.1:1", "dcr_id": "dcr-" + "0" * 32}
        | {"credential": credentials["post"]},
    }
    file = home / "run.yaml"
    file.write_text(json.dumps(text), encoding="utf-8")  # JSON is YAML
    return file


@pytest.mark.slow
@pytest.mark.parametrize("kept", ["environment", "vault and scope", "service principal"])
def test_no_secret_is_in_anything_that_a_run_leaves(  # noqa: PLR0917 - fixtures
    spark: SparkSession,
    azurite: Emulated,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    kept: str,
) -> None:
    """The whole job: read with an account key, or a SAS; posted by the executors, or by the driver with a token, or with one
    that a service principal is given for its client secret.
    """
    watched, sas = Left(), azurite.account_sas()
    export, post, secrets = "env:ALERTGRAPH_TEST_EXPORT", f"env:{TOKEN_VARIABLE}", [KEY, TOKEN]
    monkeypatch.setenv("ALERTGRAPH_TEST_EXPORT", azurite.connection_string)
    if kept == "vault and scope":
        export, post = "keyvault://plant/export", "dbx://soc/token"
        signature = dict(pair.split("=", 1) for pair in sas.split("&"))["sig"]
        secrets = [sas, signature, KEY, TOKEN]
        module("notebookutils", monkeypatch, credentials=SimpleNamespace(getSecret=lambda *_: sas))
        asked = SimpleNamespace(secrets=SimpleNamespace(get=lambda *_: TOKEN))
        module("pyspark.dbutils", monkeypatch, DBUtils=lambda _: asked)
    if kept == "environment":  # rows so many that the executors send them
        monkeypatch.setattr("alertgraph_spark.publish.log_analytics.posting.SMALL_ROWS", 1)
        monkeypatch.setattr("alertgraph_spark.publish.log_analytics.frames.n_partitions", lambda *_: 2)
    more = ()
    if kept == "service principal":
        client_secret = stdlib_secrets.token_urlsafe(30)
        monkeypatch.setenv("ALERTGRAPH_TEST_CLIENT", client_secret)
        post, secrets = "env:ALERTGRAPH_TEST_CLIENT", [*secrets, client_secret]
        monkeypatch.setattr(pytest.importorskip("azure.identity"), "ClientSecretCredential", Signed)
        more = ("--set", f"post.tenant_id={TENANT}", "--set", f"post.client_id={TENANT}")
    frames: dict[str, DataFrame] = {}
    fold = folding.folded_lines

    def kept_fold(raw: Mapping[str, DataFrame], *arguments: Any) -> DataFrame:
        lines = fold(raw, *arguments)
        frames.update({f"raw {table}": frame for table, frame in raw.items()})
        frames["lines"] = lines
        for frame in frames.values():
            watched.add("plan", plan(frame))
        return lines

    monkeypatch.setattr(folding, "folded_lines", kept_fold)
    with LogsIngestionEmulator(tmp_path / "posted.sqlite", TOKEN) as service, watching(watched):
        file = config(tmp_path, azurite, export=export, post=post)
        code = exit_code(lambda: JOB.main(["--config", str(file), "--set", f"post.endpoint={service.url}", *more]))
    out, err = capfd.readouterr()
    watched.add("stdout", out)
    watched.add("stderr", err)
    watched.add_files(tmp_path, spark)
    watched.add_spark(spark)

    assert code == 0, err
    assert "posted    2 members, 3 nodes, 2 edges, 1 subgraphs, 0 verdicts, 1 health, 1 runs to" in out
    kinds = {where.split()[0] for where in watched.parts}
    assert kinds >= {"stdout", "log", "plan", "file", "table", "conf", "session", "hadoop"}
    senders = [what for where, what in watched.parts.items() if where.startswith("closure") and b"send_batches" in what]
    assert bool(senders) == (kept == "environment"), "what is for the driver is posted by the driver"
    assert any("mlflow.db" in where for where in watched.parts)
    assert any("run.json" in where for where in watched.parts)
    assert any("log urllib3" in where for where in watched.parts), "the wire is heard"
    assert {secret[:4]: watched.holding(secret) for secret in secrets} == {secret[:4]: [] for secret in secrets}
    said = {where for where in watched.parts if where.startswith(("log alertgraph_spark", "log urllib3", "stderr"))}
    assert any("publish.log_analytics" in where for where in said), "what posts is heard"
    for row_content in ("Exploit 0", "10.0.0.2"):
        assert said.isdisjoint(watched.holding(row_content)), row_content
        assert any("posted.sqlite" in where for where in watched.holding(row_content)), "it is in the rows"


def test_a_refused_key_ends_with_2_and_is_in_no_line(
    spark: SparkSession,
    azurite: Emulated,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    watched = Left()
    wrong = b64encode(stdlib_secrets.token_bytes(64)).decode()
    monkeypatch.setenv("ALERTGRAPH_TEST_EXPORT", azurite.connection_string.replace(KEY, wrong))
    file = config(tmp_path, azurite, export="env:ALERTGRAPH_TEST_EXPORT", post="default")

    with watching(watched):
        code = exit_code(lambda: JOB.main(["--config", str(file)]))

    out, err = capfd.readouterr()
    watched.add("stderr", out + err)
    watched.add_files(tmp_path, spark)
    assert code == 2
    assert "refuses export.credential (env:ALERTGRAPH_TEST_EXPORT): 403" in err
    assert "Traceback" not in err
    assert watched.holding(wrong) == []


def test_the_search_finds_a_secret_in_every_place(spark: SparkSession, tmp_path: Path) -> None:
    watched = Left()
    secret = b64encode(stdlib_secrets.token_bytes(64)).decode()
    planted: Mapping[str, Any] = {
        "log": lambda: logging.getLogger("alertgraph_spark.publish").debug("opened with %s", secret),
        "file": lambda: (tmp_path / "run.json").write_text(f"https://x/?sig={quote(secret, safe='')}"),
        "table": lambda: spark.createDataFrame([(secret,)] * 9, "a string").write.parquet(str(tmp_path / "t")),
        "plan": lambda: spark.range(1).selectExpr(f"'{secret}' AS a").mapInArrow(lambda it: it, "a string"),
        "closure": lambda: spark.sparkContext.parallelize([1], 1).map(lambda _: len(secret)).collect(),
        "session": lambda: spark.conf.set("alertgraph.test.secret", secret),
    }
    try:
        with watching(watched):
            for plant in planted.values():
                plant()
        watched.add_files(tmp_path, spark)
        watched.add_spark(spark)
    finally:
        spark.conf.unset("alertgraph.test.secret")

    assert {where.split()[0] for where in watched.holding(secret)} >= set(planted)
    assert watched.holding(secret[::-1]) == []
