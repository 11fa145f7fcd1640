"""Who signs in where the platform lends a job no identity: a service principal, and `default` refused before any work."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import pytest
from pyspark.sql import SparkSession
from test_job import JOB

from alertgraph_spark.access.principal import NAMES, Principal, check_default, is_azure_ml
from alertgraph_spark.access.secret import Secret
from alertgraph_spark.commands.cli import exit_code
from alertgraph_spark.errors import ConfigError, PublishError
from alertgraph_spark.publish.log_analytics import Target
from alertgraph_spark.publish.log_analytics.credentials import AzureToken, ClientSecret
from alertgraph_spark.read.blob_mirror.account import open_account

ENDPOINT = "https://soc.westeurope-1.ingest.monitor.azure.com"
WHO = Principal("11111111-2222-3333-4444-555555555555", "66666666-7777-8888-9999-aaaaaaaaaaaa")
AZURE_ML = "azureml://westeurope.api.azureml.ms/mlflow/v1.0/subscriptions/x"
CONFIG = f"""
export: {{root: /nowhere}}
sources: [{{table: SecurityAlert, format: security_alert}}]
results: {{path: /nowhere/results}}
tracking: {{uri: none}}
post: {{mode: logs_ingestion, endpoint: "{ENDPOINT}", dcr_id: dcr-0123}}
"""
SECRET = "hunter2-SECRET"


@pytest.fixture(autouse=True)
def _nobody(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in (*NAMES, "AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_FEDERATED_TOKEN_FILE", "MLFLOW_TRACKING_TOKEN"):
        monkeypatch.setenv(name, "")  # and as it was afterwards, whatever a test puts there
    yield


@pytest.fixture(params=["notebookutils", "mssparkutils"])
def platform(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Synapse and Fabric, whose module is there without a file."""
    monkeypatch.setitem(sys.modules, request.param, ModuleType(request.param))


def config(tmp_path: Path, text: str = CONFIG) -> list[str]:
    (tmp_path / "run.yaml").write_text(text, encoding="utf-8")
    return ["--config", str(tmp_path / "run.yaml")]


# --- default, where it cannot work


@pytest.mark.usefixtures("platform")
@pytest.mark.parametrize("more", [[], ["--post-only", "run-1"]], ids=["a run", "posting again"])
def test_default_is_refused_at_the_start_on_synapse_and_fabric(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], more: list[str]
) -> None:
    monkeypatch.setattr(JOB.session, "start_session", lambda *_, **__: pytest.fail("not even Spark is started"))

    assert exit_code(lambda: JOB.main([*config(tmp_path), *more])) == 2
    told = capsys.readouterr().err
    assert "post.credential: default cannot sign in here: Synapse and Fabric give a job no identity" in told
    assert "post.tenant_id and post.client_id, and by post.credential where its client secret is kept" in told


@pytest.mark.usefixtures("platform")
def test_default_is_left_alone_where_nothing_is_posted_or_the_environment_names_somebody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert Target("none", "", "", "default").problems() == []
    named = dict(zip(NAMES[:2], ("t", "c"), strict=True))
    with pytest.raises(ConfigError):
        check_default("post.credential", "", named)  # two ids and nothing that proves them
    for proof in ("AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_FEDERATED_TOKEN_FILE"):
        check_default("post.credential", "", named | {proof: "x"})
    for name, value in (named | {"AZURE_CLIENT_SECRET": "x"}).items():
        monkeypatch.setenv(name, value)
    assert Target("logs_ingestion", ENDPOINT, "dcr-0", "default").problems() == []


def test_default_is_left_alone_elsewhere() -> None:
    assert Target("logs_ingestion", ENDPOINT, "dcr-0", "default").problems() == []


@pytest.mark.usefixtures("platform")
def test_a_storage_account_is_not_opened_by_default_there_either() -> None:
    pytest.importorskip("azure.storage.blob")
    with pytest.raises(ConfigError, match=r"export\.credential: default cannot sign in here.*abfss"):
        open_account("https://soc.blob.core.windows.net", "default", Secret)


# --- the service principal


class Credential:
    """Stands for azure-identity's class: remembers what it was given."""

    made: ClassVar[list[dict[str, str]]] = []
    refuses = ""

    def __init__(self, **given: str) -> None:
        self.made.append(given)

    def __enter__(self) -> Credential:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def get_token(self, scope: str) -> Any:
        from azure.core.exceptions import ClientAuthenticationError  # noqa: PLC0415 - behind the skip

        if self.refuses:
            raise ClientAuthenticationError(self.refuses)
        return SimpleNamespace(token=f"token for {scope}".replace(" ", "-"), expires_on=4_000_000_000)


@pytest.fixture
def credential(monkeypatch: pytest.MonkeyPatch) -> type[Credential]:
    identity = pytest.importorskip("azure.identity")
    made = type("Made", (Credential,), {"made": []})
    monkeypatch.setattr(identity, "ClientSecretCredential", made)
    return made


def target(endpoint: str = ENDPOINT, reference: str = "keyvault://soc/poster", **more: Any) -> Target:
    return Target("logs_ingestion", endpoint, "dcr-0", reference, lambda _: Secret(SECRET), WHO, **more)


@pytest.mark.parametrize("reference", ["keyvault://soc/poster", "dbx://soc/poster", "env:POSTER"])
def test_the_driver_signs_in_with_the_secret_that_is_kept_and_sends(
    credential: type[Credential], reference: str
) -> None:
    token = target(reference=reference).token()
    assert token is not None

    assert token().reveal() == "token-for-https://monitor.azure.com/.default"
    assert credential.made == [{"tenant_id": WHO.tenant_id, "client_id": WHO.client_id, "client_secret": SECRET}]
    assert SECRET not in repr(token)
    assert target(reference=reference).edges(from_driver=False)(None) is not None, "no executor has that secret"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("suffix", "authority"), [("us", "login.microsoftonline.us"), ("cn", "login.chinacloudapi.cn")]
)
def test_it_signs_in_to_the_cloud_of_the_endpoint(credential: type[Credential], suffix: str, authority: str) -> None:
    token = target(f"https://soc.x-1.ingest.monitor.azure.{suffix}").token()

    assert token is not None and token().reveal() == f"token-for-https://monitor.azure.{suffix}/.default"
    assert credential.made[0]["authority"] == authority


def test_what_entra_refuses_is_told_by_its_code_and_the_reference(
    credential: type[Credential], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credential, "refuses", f"AADSTS7000215: Invalid client secret provided: {SECRET}")
    token = AzureToken("s", ClientSecret(WHO, "keyvault://soc/poster", lambda _: Secret(SECRET)))

    with pytest.raises(PublishError) as caught:
        token()
    assert "AADSTS7000215" in str(caught.value)
    assert f"service principal {WHO.client_id}" in str(caught.value)
    assert "the client secret that keyvault://soc/poster names" in str(caught.value)
    assert SECRET not in str(caught.value)


def test_the_library_takes_what_it_is_given() -> None:
    """The class itself, as far as it goes without a network: an id that is none is refused where it is made."""
    pytest.importorskip("azure.identity")
    token = AzureToken("s", ClientSecret(Principal("no tenant", "c"), "env:X", lambda _: Secret(SECRET)))
    with pytest.raises(PublishError, match="ValueError"):
        token()


def test_without_anything_that_resolves_it_is_refused() -> None:
    lost = Target("logs_ingestion", ENDPOINT, "dcr-0", "env:POSTER", None, WHO)

    assert lost.problems() == ["post.credential must say where the client secret of post.client_id is kept"]


# --- tracking


def test_mlflow_finds_it_in_the_environment_unless_somebody_is_there() -> None:
    environment: dict[str, str] = {}
    assert WHO.enter(Secret(SECRET), environment)
    assert environment == dict(zip(NAMES, (WHO.tenant_id, WHO.client_id, SECRET), strict=True))

    other = {"AZURE_CLIENT_ID": "of-the-operator"}
    assert not WHO.enter(Secret(SECRET), other)
    assert other == {"AZURE_CLIENT_ID": "of-the-operator"}, "half of one and half of another sign in nowhere"


def test_which_tracking_uri_is_azure_ml() -> None:
    assert is_azure_ml(AZURE_ML)
    assert is_azure_ml("default", {"MLFLOW_TRACKING_URI": AZURE_ML})
    for uri in ("default", "none", "sqlite:///azureml.db", "https://mlflow.example/azureml:"):
        assert not is_azure_ml(uri, {})


class Asked:
    """Resolves references as a platform does, and remembers which."""

    def __init__(self) -> None:
        self.references: list[str] = []

    def __call__(self, reference: str) -> Secret:
        self.references.append(reference)
        return Secret(SECRET)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    asked = Asked()
    monkeypatch.setattr(JOB, "resolve", asked)
    monkeypatch.setattr(JOB.session, "start_session", lambda *_, **__: SparkSession)
    return asked


def signed_in(tmp_path: Path, *overrides: str) -> None:
    argv = [*config(tmp_path), *(part for text in overrides for part in ("--set", text))]
    JOB.signed_in_session(JOB.usable_settings(JOB.arguments("", argv)))


PRINCIPAL = (f"post.tenant_id={WHO.tenant_id}", f"post.client_id={WHO.client_id}", "post.credential=env:POSTER")


def test_a_run_asks_for_the_secret_first_and_lends_it_to_azure_ml_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: Asked
) -> None:
    import os  # noqa: PLC0415 - what is looked at

    signed_in(tmp_path, *PRINCIPAL)
    assert asked.references == ["env:POSTER"]
    assert os.environ["AZURE_CLIENT_SECRET"] == "", "nothing but Azure ML reads it from there"

    signed_in(tmp_path, *PRINCIPAL, f"tracking.uri={AZURE_ML}", "post.mode=none")
    assert [os.environ[name] for name in NAMES] == [WHO.tenant_id, WHO.client_id, SECRET]

    monkeypatch.setenv("AZURE_CLIENT_SECRET", "of the operator")
    signed_in(tmp_path, *PRINCIPAL, f"tracking.uri={AZURE_ML}")
    assert os.environ["AZURE_CLIENT_SECRET"] == "of the operator"


def test_a_run_asks_for_nothing_that_it_does_not_need(tmp_path: Path, asked: Asked) -> None:
    signed_in(tmp_path, *PRINCIPAL, "post.mode=none")
    signed_in(tmp_path, "post.credential=env:TOKEN")  # a token, which each machine that posts has for itself
    signed_in(tmp_path)

    assert asked.references == []


@pytest.mark.usefixtures("platform", "asked")
def test_tracking_without_anybody_to_sign_in_is_told_at_the_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    nobody = ("post.mode=none", f"tracking.uri={AZURE_ML}")
    with caplog.at_level(logging.WARNING, "alertgraph_spark.access.principal"):
        signed_in(tmp_path, *nobody)
    assert "tracking.uri: azureml: default cannot sign in here" in caplog.text
    with pytest.raises(ConfigError, match="name a service principal"):
        signed_in(tmp_path, *nobody, "tracking.strict=true")
    caplog.clear()
    signed_in(tmp_path, *PRINCIPAL, *nobody)
    assert caplog.text == ""
