"""An account is mirrored and read: against Azurite, with blobs that grow, change, vanish and bear misleading names."""

from __future__ import annotations

import json
import logging
import shutil
import ssl
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from azurite import ACCOUNT, KEY, Emulated, blob_name, running
from exported import put_lines, row_line, workspace
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from alertgraph_spark.access.secret import Secret
from alertgraph_spark.errors import ConfigError, SourceError
from alertgraph_spark.read.blob_mirror import Mirror, copies, mirror_export
from alertgraph_spark.read.blob_mirror.account import Account, open_account
from alertgraph_spark.read.blob_mirror.mirror import MANIFEST
from alertgraph_spark.read.export import list_days, read_export

ALERTS, FLOWS = "SecurityAlert", "SuricataEve_CL"
CONTAINER = "am-securityalert"
MORNING = "2026-03-02T10:05"


def day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc)


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulated]:
    with running() as emulated:
        yield emulated


@pytest.fixture
def azurite(emulator: Emulated) -> Iterator[Emulated]:
    yield emulator
    emulator.clear()


def opened(azurite: Emulated, secret: str = "") -> Account:
    return open_account(azurite.url, "env:KEPT", lambda _: Secret(secret or azurite.connection_string))


def files_in(folder: Path) -> dict[str, bytes]:
    """What Spark sees of a mirror: path below the folder to content."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*.json"))}


def counts(done: Any) -> dict[str, int]:
    return {how: n for how, n in done.items() if n and how != "bytes"}


# --- one frame, whichever way the lines came


def test_both_readers_give_the_same_frame(spark: SparkSession, azurite: Emulated, tmp_path: Path) -> None:
    """Two tables, two workspaces, a torn line, a late row, letters beyond ASCII, and a line separator inside a string."""
    lines = [
        row_line(MORNING, AlertName="Förderband\u2028steht", _ItemId="i-1"),
        row_line(MORNING, AlertName="Scan", _ItemId="i-2", IsIncident=0),
        '{"TimeGenerated": "2026-03-02T10:0',
    ]
    late = [row_line("2026-03-01T23:59", AlertName="Late", _ItemId="i-3")]
    flow = [row_line(MORNING, RawData='{"event_type": "alert"}', _ItemId="i-4")]
    for table, time, rows, site in (
        (ALERTS, MORNING, lines, "plant"),
        (ALERTS, "2026-03-01T23:59", late, "plant"),
        (ALERTS, MORNING, late, "office"),
        (FLOWS, MORNING, flow, "plant"),
    ):
        put_lines(tmp_path / "export", table, time, rows, site=site)
        azurite.append_rows(
            table, time, rows, site=site, container={FLOWS: "am-suricataeve-cl"}.get(table, "")
        )  # an underscore is not legal in a container's name
    columns = {ALERTS: ["AlertName", "IsIncident"], FLOWS: ["RawData"]}
    mirror = Mirror(spark, "env:KEPT", str(tmp_path / "staging"), lambda _: Secret(azurite.connection_string))

    def frame(root: str) -> list[Any]:
        days = list_days(spark, root, dict.fromkeys(columns))
        raw = read_export(spark, days, columns, day("2026-03-01"), day("2026-03-03"))
        file = F.replace(F.regexp_extract("file", "am-.*", 0), F.lit("am-suricataeve-cl"), F.lit("am-suricataeve_cl"))
        return sorted((row for table in raw.values() for row in table.withColumn("file", file).collect()), key=str)

    mirrored = frame(mirror.readable_root(azurite.url, dict.fromkeys(columns), "all", None, None))

    assert mirrored == frame(str(tmp_path / "export"))
    assert sorted(row["_ItemId"] or "torn" for row in mirrored) == ["i-1", "i-2", "i-3", "i-3", "i-4", "torn"]
    assert {row["site"] for row in mirrored} == {"plant", "office"}


def test_a_root_that_spark_opens_itself_is_left_alone() -> None:
    def never(_: str) -> Secret:
        raise AssertionError("no secret is asked for")

    mirror = Mirror(None, "default", None, never)  # type: ignore[arg-type]

    for root in ("/data/export", "abfss://{container}@account.dfs.core.windows.net", "httpd-export"):
        assert mirror.readable_root(root, {ALERTS: None}, "all", None, None) == root


def test_a_cluster_needs_a_folder_that_all_its_machines_see() -> None:
    cluster: Any = SimpleNamespace(conf={"spark.master": "yarn"})

    with pytest.raises(ConfigError, match=r"export\.staging: required where Spark runs on several machines"):
        Mirror(cluster, "env:KEPT", None, Secret).readable_root(
            "https://x.blob.core.windows.net", {}, "all", None, None
        )


# --- who signs in


@pytest.mark.parametrize(
    "form", ["connection string", "one with a SAS", "account key", "account SAS", "?SAS", "SAS URL"]
)
def test_each_form_of_credential_opens_the_account(azurite: Emulated, tmp_path: Path, form: str) -> None:
    azurite.append_rows(ALERTS, MORNING, ["{}"])
    sas = azurite.account_sas()
    secret = {
        "connection string": azurite.connection_string,
        "one with a SAS": f"BlobEndpoint={azurite.url};SharedAccessSignature={sas}",
        "account key": KEY,
        "account SAS": sas,
        "?SAS": f"?{sas}",
        "SAS URL": f"{azurite.url}?{sas}",
    }[form]

    assert counts(mirror_export(opened(azurite, secret), tmp_path, {ALERTS: None})) == {"new": 1}


def test_a_sas_of_one_container_opens_that_one_and_is_refused_for_another(azurite: Emulated, tmp_path: Path) -> None:
    """It may not list containers, so the table's is asked for by name."""
    azurite.append_rows(ALERTS, MORNING, ["{}"])
    azurite.append_rows("Heartbeat", MORNING, ["{}"])
    account = opened(azurite, azurite.container_sas(CONTAINER))

    assert counts(mirror_export(account, tmp_path, {ALERTS: None})) == {"new": 1}
    with pytest.raises(SourceError, match=r"am-heartbeat refuses export\.credential \(env:KEPT\): 403") as caught:
        mirror_export(account, tmp_path, {ALERTS: None, "Heartbeat": None})
    assert "sig=" not in str(caught.value)


def test_an_account_sas_without_the_list_of_containers_finds_them_by_name(azurite: Emulated, tmp_path: Path) -> None:
    azurite.append_rows(FLOWS, MORNING, ["{}"], container="am-suricataeve-cl")
    account = opened(azurite, azurite.account_sas(service=False))

    assert counts(mirror_export(account, tmp_path, {FLOWS: None})) == {"new": 1}
    with pytest.raises(SourceError, match="no container am-heartbeat; the credential may not list containers"):
        mirror_export(account, tmp_path, {"Heartbeat": None})


WRONG_KEY = KEY[::-1].strip("=") + "=="


def test_a_wrong_key_is_refused_and_not_shown(azurite: Emulated, tmp_path: Path) -> None:
    azurite.append_rows(ALERTS, MORNING, ["{}"])
    account = opened(azurite, azurite.connection_string.replace(KEY, WRONG_KEY))

    with pytest.raises(
        SourceError, match=r"refuses export\.credential \(env:KEPT\): 403, AuthorizationFailure"
    ) as caught:
        mirror_export(account, tmp_path, {ALERTS: None})
    assert WRONG_KEY not in repr(caught.value) + repr(caught.value.__context__)
    assert caught.value.exit_code == 2


def test_an_expired_sas_is_refused_and_not_shown(azurite: Emulated, tmp_path: Path) -> None:
    azurite.append_rows(ALERTS, MORNING, ["{}"])
    sas = azurite.container_sas(CONTAINER, hours=-1)

    with pytest.raises(SourceError, match=r"refuses export\.credential.*has not expired") as caught:
        mirror_export(opened(azurite, sas), tmp_path, {ALERTS: None})
    assert sas.split("sig=")[1] not in str(caught.value)


@pytest.mark.parametrize(
    ("secret", "message"),
    [
        ("hunter2", "no connection string, SAS token or account key"),
        ("sv=2026&sp=rl", "no connection string, SAS token or account key"),  # a SAS without its signature
        (f"AccountName=other;AccountKey={KEY}", "connection string of another account"),
        (f"AccountName={ACCOUNT};AccountKey=", "no connection string, SAS token or account key"),
    ],
)
def test_a_secret_of_no_known_form_is_told_by_its_reference(secret: str, message: str) -> None:
    pytest.importorskip("azure.storage.blob")
    with pytest.raises(ConfigError, match=message) as caught:
        open_account(f"http://127.0.0.1:1/{ACCOUNT}", "env:KEPT", lambda _: Secret(secret))
    assert "env:KEPT" in str(caught.value)
    assert secret not in str(caught.value)


def test_an_identity_signs_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Azurite takes tokens over https only; it reads the token's claims, and no signature."""
    identity = pytest.importorskip("azure.identity")
    certificate = self_signed(tmp_path)
    asked = []

    class Credential:
        def get_token(self, *scopes: str, **_: Any) -> Any:
            asked.extend(scopes)
            now = int(datetime.now(timezone.utc).timestamp())
            return SimpleNamespace(token=unsigned_token(now), expires_on=now + 3600)

    monkeypatch.setattr(identity, "DefaultAzureCredential", Credential)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    options = ["--oauth", "basic", "--cert", str(certificate), "--key", str(tmp_path / "key.pem")]
    with running(*options) as azurite:
        azurite.append_rows(ALERTS, MORNING, ["{}"])
        account = open_account(azurite.url, "default", Secret)

        assert counts(mirror_export(account, tmp_path / "mirror", {ALERTS: None})) == {"new": 1}
        assert set(asked) == {"https://storage.azure.com/.default"}


def unsigned_token(now: int) -> str:
    import base64  # noqa: PLC0415 - for this one test

    claims = {
        "aud": "https://storage.azure.com", "iss": "https://sts.windows.net/00000000-0000-0000-0000-000000000000/",
        "iat": now - 60, "nbf": now - 60, "exp": now + 3600,
    }  # fmt: skip
    parts = [{"alg": "RS256", "typ": "JWT"}, claims]
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
    return ".".join([*encoded, "c2ln"])


def self_signed(folder: Path) -> Path:
    """A certificate for 127.0.0.1, and its key beside it."""
    x509 = pytest.importorskip("cryptography.x509")
    import ipaddress  # noqa: PLC0415 - for this one test
    from datetime import timedelta  # noqa: PLC0415 - the same

    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415 - behind the skip
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415 - the same

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    pem = serialization.Encoding.PEM
    (folder / "key.pem").write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    (folder / "cert.pem").write_bytes(made.public_bytes(pem))
    assert ssl.create_default_context(cafile=str(folder / "cert.pem"))
    return folder / "cert.pem"


def test_missing_packages_name_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "azure.storage.blob", None)  # as if it were not installed

    with pytest.raises(SourceError, match=r"install alertgraph-spark\[azure\]"):
        open_account("https://x.blob.core.windows.net", "default", Secret)


def test_an_account_that_does_not_answer_is_told_within_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("azure.storage.blob")
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)
    account = open_account("http://127.0.0.1:9/plantexport", "env:KEPT", lambda _: Secret(KEY))

    with pytest.raises(SourceError, match=r"127\.0\.0\.1:9/plantexport cannot be reached: ServiceRequestError"):
        mirror_export(account, tmp_path, {ALERTS: None})
    assert 0 < sum(waits) < 20


# --- which containers and days


def test_no_container_of_any_table_is_an_error_that_says_what_there_is(azurite: Emulated, tmp_path: Path) -> None:
    azurite.append_rows("Heartbeat", MORNING, ["{}"])
    azurite.container("results")

    with pytest.raises(SourceError, match=r"no container am-securityalert, am-sigma_cl; the account has am-heartbeat$"):
        mirror_export(opened(azurite), tmp_path, {ALERTS: None, "Sigma_CL": None})


def test_a_table_that_never_had_a_row_is_no_hindrance(
    azurite: Emulated, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    azurite.append_rows(ALERTS, MORNING, ["{}"])

    assert counts(mirror_export(opened(azurite), tmp_path, {ALERTS: None, FLOWS: None})) == {"new": 1}
    assert "has no container am-suricataeve_cl; the account has am-securityalert" in caplog.text


def test_two_containers_that_may_both_be_the_table_are_not_guessed_between(azurite: Emulated, tmp_path: Path) -> None:
    for container in ("am-suricataeve-cl", "am-suricataevecl"):
        azurite.append_rows(FLOWS, MORNING, ["{}"], container=container)

    with pytest.raises(SourceError, match=r"several containers .*: am-suricataeve-cl, am-suricataevecl"):
        mirror_export(opened(azurite), tmp_path, {FLOWS: None})


def test_whole_days_of_the_window_and_no_other(azurite: Emulated, tmp_path: Path) -> None:
    """From 23:59 on 1 March up to midnight before the 3rd; `d=010` and `plant-2` begin as what is wanted does."""
    for time in ("2026-02-28T23:55", "2026-03-01T00:00", "2026-03-02T23:55", "2026-03-03T00:00", "2026-03-10T00:00"):
        azurite.append_rows(ALERTS, time, ["{}"])
    azurite.append(CONTAINER, blob_name("2026-03-01T00:00").replace("d=01", "d=010"), "{}\n")
    azurite.append(CONTAINER, blob_name("2026-03-01T00:00").replace("d=01", "d=0"), "{}\n")
    azurite.append_rows(ALERTS, "2026-03-01T00:00", ["{}"], site="plant-2")
    window = {"since": datetime(2026, 3, 1, 23, 59, tzinfo=timezone.utc), "end": day("2026-03-03")}

    mirror_export(opened(azurite), tmp_path, {ALERTS: None}, ["PLANT"], **window)

    assert list(files_in(tmp_path)) == [
        f"{CONTAINER}/{workspace('plant')}/y=2026/m=03/d=01/h=00/m=00/PT05M.json",
        f"{CONTAINER}/{workspace('plant')}/y=2026/m=03/d=02/h=23/m=55/PT05M.json",
    ]
    moment_later = {**window, "end": datetime(2026, 3, 3, 0, 0, 0, 1, tzinfo=timezone.utc)}
    assert counts(mirror_export(opened(azurite), tmp_path, {ALERTS: None}, ["plant"], **moment_later)) == {
        "unchanged": 2,
        "new": 1,
    }


def test_a_window_without_a_time_zone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has no time zone"):
        mirror_export(None, tmp_path, {ALERTS: None}, since=datetime(2026, 3, 1))  # type: ignore[arg-type]


def test_nothing_in_the_window_is_an_error_that_says_where_it_looked(azurite: Emulated, tmp_path: Path) -> None:
    azurite.append_rows(ALERTS, MORNING, ["{}"])
    account = opened(azurite)

    with pytest.raises(SourceError, match="no alerts from 2026-03-05: looked in am-securityalert of http"):
        mirror_export(account, tmp_path, {ALERTS: None}, since=day("2026-03-05"))
    with pytest.raises(SourceError, match="no alerts of any day for the workspaces other: looked in"):
        mirror_export(account, tmp_path, {ALERTS: None}, ["other"])


def test_every_name_that_an_export_gives_and_none_besides(azurite: Emulated, tmp_path: Path) -> None:
    folder = blob_name("2026-03-02T21:00", file="")
    hour = folder.replace("m=00/", "")
    for name in (f"{folder}PT05M_1.json", f"{folder}PT1H.json", f"{hour}PT1H.json", f"{folder}PT05M.json.bak"):
        azurite.append(CONTAINER, name, "{}\n")

    mirror_export(opened(azurite), tmp_path, {ALERTS: None})

    assert [name.rsplit("d=02/")[1] for name in files_in(tmp_path)] == ["h=21/PT1H.json", *(
        f"h=21/m=00/{name}" for name in ("PT05M_1.json", "PT1H.json")
    )]  # fmt: skip


def test_resource_ids_are_lower_cased_and_two_spellings_do_not_meet(azurite: Emulated, tmp_path: Path) -> None:
    lower = blob_name(MORNING)
    upper = lower.replace("resourcegroups/soc", "resourceGroups/SOC")
    azurite.append(CONTAINER, lower, "lower\n")
    azurite.append(CONTAINER, upper, "upper\n")
    account = opened(azurite)

    assert counts(mirror_export(account, tmp_path, {ALERTS: None})) == {"new": 2}

    found = files_in(tmp_path)
    assert sorted(found.values()) == [b"lower\n", b"upper\n"]
    assert {str(Path(name).parent) for name in found} == {f"{CONTAINER}/{Path(lower).parent}"}
    assert counts(mirror_export(account, tmp_path, {ALERTS: None})) == {"unchanged": 2}


def test_a_name_that_climbs_out_of_the_mirror_is_not_followed() -> None:
    """No service lets one be made through its own client, so a listing says it."""
    names = [
        "y=2026/m=03/d=02/h=10/m=05/PT05M.json",
        "y=2026/m=03/d=02/..\\PT05M.json",
        "y=2026/m=03/d=02/h=10/../x.json",
    ]
    seen = [
        SimpleNamespace(name=n, etag="e", size=1, blob_type="AppendBlob", creation_time=None)
        for n in names
    ]  # fmt: skip
    client: Any = SimpleNamespace(
        get_container_client=lambda _: SimpleNamespace(list_blobs=lambda **_: seen, walk_blobs=lambda **_: climbing)
    )
    climbing = [SimpleNamespace(name="a/../"), SimpleNamespace(name="a/b/")]
    account = Account("https://x", "default", client)

    assert [blob.name for blob in account.blobs("am-x", "y=2026/m=03/d=02/")] == names[:1]
    assert account._folders("am-x", "a/", ".+") == ["a/b/"]


# --- what changes between two runs


def test_a_blob_that_grew_is_continued_and_an_unchanged_one_is_not_touched(azurite: Emulated, tmp_path: Path) -> None:
    long_line = json.dumps({"x": "y" * 5000})
    azurite.append_rows(ALERTS, MORNING, [long_line] * 3)
    azurite.append_rows(ALERTS, "2026-03-02T10:10", ["{}"])
    account = opened(azurite)
    first = mirror_export(account, tmp_path, {ALERTS: None})

    azurite.append_rows(ALERTS, MORNING, ['{"late": 1}'])
    second = mirror_export(account, tmp_path, {ALERTS: None})
    third = mirror_export(account, tmp_path, {ALERTS: None})

    assert counts(first) == {"new": 2}
    assert counts(second) == {"continued": 1, "unchanged": 1}
    assert second["bytes"] == 512 + len('{"late": 1}\n')
    assert (counts(third), third["bytes"]) == ({"unchanged": 2}, 0)
    grown, _ = files_in(tmp_path).values()
    assert grown == (f"{long_line}\n" * 3 + '{"late": 1}\n').encode()


@pytest.mark.parametrize("anew", ["other", "x", "much longer than it was"], ids=["same length", "shorter", "longer"])
@pytest.mark.parametrize("kind", ["append", "block"])
def test_a_blob_written_anew_is_fetched_whole(azurite: Emulated, tmp_path: Path, anew: str, kind: str) -> None:
    """Longer, it looks like one that grew; its beginning tells."""
    name = azurite.append_rows(ALERTS, MORNING, ["first"])
    account = opened(azurite)
    mirror_export(account, tmp_path, {ALERTS: None})

    blob = azurite.container(CONTAINER).get_blob_client(name)
    blob.delete_blob()
    if kind == "append":
        azurite.append_rows(ALERTS, MORNING, [anew])
    else:
        blob.upload_blob(f"{anew}\n".encode())

    assert counts(mirror_export(account, tmp_path, {ALERTS: None})) == {"replaced": 1}
    assert list(files_in(tmp_path).values()) == [f"{anew}\n".encode()]
    assert counts(mirror_export(account, tmp_path, {ALERTS: None})) == {"unchanged": 1}


class Meddling:
    """A blob's client that lets something happen just before its nth download."""

    def __init__(self, client: Any, happens: Any, nth: int = 1) -> None:
        self.client, self.happens, self.nth = client, happens, nth
        self.asked: list[tuple[int, int]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)

    def download_blob(self, offset: int, length: int, **condition: Any) -> Any:
        self.asked.append((offset, length))
        if len(self.asked) == self.nth:
            self.happens()
        return self.client.download_blob(offset, length, **condition)


def listed(azurite: Emulated, name: str) -> tuple[Any, Any]:
    (blob,) = opened(azurite).blobs(CONTAINER, name.split("h=", maxsplit=1)[0])
    return blob, azurite.container(CONTAINER).get_blob_client(name)


def test_a_blob_that_grows_while_it_is_read_gives_what_was_listed(
    azurite: Emulated, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copies, "_RANGE_BYTES", 8)
    name = azurite.append_rows(ALERTS, MORNING, ["abcdefghi", "klmnopqrs"])
    blob, client = listed(azurite, name)
    meddling = Meddling(client, lambda: azurite.append_rows(ALERTS, MORNING, ["more"]), nth=2)

    assert copies.fetch(meddling, blob, tmp_path / "x", 0) == ("new", 20, blob)

    assert (tmp_path / "x").read_bytes() == b"abcdefghi\nklmnopqrs\n"
    assert meddling.asked == [(0, 8), (8, 8), (8, 8), (16, 4)], "never more than a range at once"


def test_a_blob_that_is_written_anew_while_it_is_read_is_never_half_of_each(
    azurite: Emulated, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copies, "_RANGE_BYTES", 8)
    name = azurite.append_rows(ALERTS, MORNING, ["abcdefghi", "klmnopqrs"])
    blob, client = listed(azurite, name)

    def anew() -> None:
        client.delete_blob()
        client.upload_blob(b"0123456789" * 5)

    how, n_bytes, now = copies.fetch(Meddling(client, anew, nth=2), blob, tmp_path / "x", 0)

    assert (how, n_bytes, now.size) == ("new", 50, 50)
    assert f'"{now.etag}"' == client.get_blob_properties().etag != f'"{blob.etag}"'
    assert (tmp_path / "x").read_bytes() == b"0123456789" * 5


def test_a_blob_that_never_holds_still_ends_the_run(azurite: Emulated, tmp_path: Path) -> None:
    name = azurite.append_rows(ALERTS, MORNING, ["abc"])
    blob, client = listed(azurite, name)
    with pytest.raises(SourceError, match="rewritten 3 times while it was read"):
        client.delete_blob()
        client.upload_blob(b"x")
        always = Meddling(client, lambda: None)
        always.download_blob = lambda *a, **k: (  # type: ignore[method-assign]
            client.upload_blob(b"y", overwrite=True) and client.download_blob(*a, **k)
        )
        copies.fetch(always, replace(blob, etag="0x0"), tmp_path / "x", 0)
    assert list(tmp_path.iterdir()) == []


def test_a_crash_in_the_middle_leaves_no_file_that_is_believed(
    azurite: Emulated, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once while a file is fetched, once after it was renamed and before the manifest says so."""
    monkeypatch.setattr(copies, "_RANGE_BYTES", 8)
    name = azurite.append_rows(ALERTS, MORNING, ["abcdefghi", "klmnopqrs"])
    blob, client = listed(azurite, name)

    def crash() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copies.fetch(Meddling(client, crash, nth=2), blob, tmp_path / "m" / "PT05M.json", 0)
    assert list((tmp_path / "m").iterdir()) == []

    account, mirror = opened(azurite), tmp_path / "mirror"
    mirror_export(account, mirror, {ALERTS: None})
    (manifest,) = mirror.rglob(MANIFEST)
    shutil.copy(manifest, tmp_path / "before")
    azurite.append_rows(ALERTS, MORNING, ["second"])
    mirror_export(account, mirror, {ALERTS: None})
    shutil.copy(tmp_path / "before", manifest)  # as if the run had died before it wrote the new one
    azurite.append_rows(ALERTS, MORNING, ["third"])
    mirror_export(account, mirror, {ALERTS: None})
    assert list(files_in(mirror).values()) == [b"abcdefghi\nklmnopqrs\nsecond\nthird\n"]

    manifest.write_text('{"torn', encoding="utf-8")
    assert counts(mirror_export(account, mirror, {ALERTS: None})) == {"replaced": 1}
    next(mirror.rglob("*.json")).write_text("cut", encoding="utf-8")  # shorter than the manifest says
    assert counts(mirror_export(account, mirror, {ALERTS: None})) == {"replaced": 1}
    assert list(files_in(mirror).values()) == [b"abcdefghi\nklmnopqrs\nsecond\nthird\n"]


def test_what_was_fetched_before_a_failure_is_not_fetched_again(
    azurite: Emulated, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for minute in range(0, 60, 5):
        azurite.append_rows(ALERTS, f"2026-03-02T10:{minute:02}", ["{}"])
    account = opened(azurite)
    whole = copies.fetch

    def fails_late(client: Any, blob: Any, file: Path, known: int) -> Any:
        if "m=55" in blob.name:
            raise SourceError("export.root: gone dark")
        return whole(client, blob, file, known)

    monkeypatch.setattr("alertgraph_spark.read.blob_mirror.mirror.fetch", fails_late)
    with pytest.raises(SourceError, match="gone dark"):
        mirror_export(account, tmp_path, {ALERTS: None})
    monkeypatch.undo()

    assert counts(mirror_export(account, tmp_path, {ALERTS: None})) == {"unchanged": 11, "new": 1}


def test_a_blob_that_vanished_stays_in_the_mirror_and_is_told(
    azurite: Emulated, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deleted between two runs; and between listing and reading, where there is nothing of it yet."""
    name = azurite.append_rows(ALERTS, MORNING, ["old"])
    azurite.append_rows(ALERTS, "2026-03-02T11:00", ["stays"])
    account = opened(azurite)
    mirror_export(account, tmp_path, {ALERTS: None})
    azurite.container(CONTAINER).get_blob_client(name).delete_blob()

    assert counts(mirror_export(account, tmp_path, {ALERTS: None})) == {"unchanged": 1}
    assert sorted(files_in(tmp_path).values()) == [b"old\n", b"stays\n"]
    assert "no longer holds h=10/m=05/PT05M.json; what was mirrored stays" in caplog.text

    later = azurite.append_rows(ALERTS, "2026-03-02T12:00", ["never read"])
    listing = Account.blobs

    def gone_after(self: Account, container: str, of: str) -> Any:
        found = listing(self, container, of)
        azurite.container(CONTAINER).get_blob_client(later).delete_blob()
        return found

    monkeypatch.setattr(Account, "blobs", gone_after)
    assert counts(mirror_export(account, tmp_path, {ALERTS: None})) == {"unchanged": 1, "gone": 1}
    assert len(files_in(tmp_path)) == 2


def test_an_empty_blob_is_an_empty_file(azurite: Emulated, tmp_path: Path) -> None:
    azurite.append_rows(ALERTS, MORNING, [])

    assert counts(mirror_export(opened(azurite), tmp_path, {ALERTS: None})) == {"new": 1}
    assert list(files_in(tmp_path).values()) == [b""]


def test_a_staging_folder_that_cannot_be_made_is_told(azurite: Emulated, tmp_path: Path) -> None:
    azurite.append_rows(ALERTS, MORNING, ["{}"])
    (tmp_path / "staging").write_text("a file", encoding="utf-8")

    with pytest.raises(SourceError, match=r"export\.staging: cannot make .*staging"):
        mirror_export(opened(azurite), tmp_path / "staging" / "x", {ALERTS: None})


def test_the_mirror_is_for_the_jobs_user_alone(azurite: Emulated, tmp_path: Path) -> None:
    azurite.append_rows(ALERTS, MORNING, ["{}"])
    mirror_export(opened(azurite), tmp_path / "mirror", {ALERTS: None})

    assert (tmp_path / "mirror").stat().st_mode & 0o077 == 0
    files = [path for path in (tmp_path / "mirror").rglob("*") if path.is_file()]
    assert {path.name[:6] for path in files} >= {".lock", "_manif", "PT05M."}
    assert [path for path in files if path.stat().st_mode & 0o077] == [], (
        "and so is each file, in a folder made by others"
    )


def test_a_lock_that_is_a_link_is_told_and_not_followed(azurite: Emulated, tmp_path: Path) -> None:
    azurite.append_rows(ALERTS, MORNING, ["{}"])
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / ".lock").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(SourceError, match=r"export\.staging: cannot make"):
        mirror_export(opened(azurite), tmp_path / "mirror", {ALERTS: None})
    assert not (tmp_path / "elsewhere").exists()


def test_the_debug_log_of_the_http_library_shows_no_signature(
    azurite: Emulated, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    azurite.append_rows(ALERTS, MORNING, ["{}"])
    sas = azurite.account_sas()
    caplog.set_level(logging.DEBUG)

    mirror_export(opened(azurite, sas), tmp_path, {ALERTS: None})

    assert sas.split("sig=")[1].split("&")[0] not in caplog.text
    assert "Starting new HTTP connection" in caplog.text, "the library's other lines are there"
