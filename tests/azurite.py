"""Azurite, the emulator of Azure Storage, and an export in it as the service writes one: append blobs, block by block.

`make test` puts Azurite into the environment. Its account's key is made anew for each run, so that it can be searched for.
"""

from __future__ import annotations

import base64
import os
import re
import secrets
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from exported import workspace

MAIN = Path(sys.prefix) / "azurite/node_modules/azurite/dist/src/blob/main.js"
ACCOUNT = "plantexport"
KEY = base64.b64encode(secrets.token_bytes(64)).decode()


@dataclass(frozen=True)
class Emulated:
    """One storage account; what a test writes into it is removed by `clear`."""

    url: str

    @property
    def connection_string(self) -> str:
        return f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};BlobEndpoint={self.url};"

    @property
    def client(self) -> Any:
        from azure.storage.blob import BlobServiceClient  # noqa: PLC0415 - an extra, behind the skip

        credential = {"account_name": ACCOUNT, "account_key": KEY}
        return BlobServiceClient(self.url, credential, use_env_settings=self.url.startswith("https"))

    def container(self, name: str) -> Any:
        found = self.client.get_container_client(name)
        if not found.exists():
            found.create_container()
        return found

    def append(self, container: str, name: str, *blocks: str | bytes) -> None:
        """Append blocks to a blob, which is made where it is not there, as an export does with every few seconds' rows."""
        blob = self.container(container).get_blob_client(name)
        if not blob.exists():
            blob.create_append_blob()
        for block in blocks:
            blob.append_block(block.encode() if isinstance(block, str) else block)

    def append_rows(
        self, table: str, time: str, rows: Sequence[str], *, site: str = "plant", container: str = ""
    ) -> str:
        """Append each row as a block to the blob of `time` (`2026-03-10T04:57`); return the blob's name."""
        name = blob_name(time, site)
        self.append(container or f"am-{table.lower()}", name, *[f"{row}\n" for row in rows])
        return name

    def account_sas(self, **may: bool) -> str:
        from azure.storage.blob import ResourceTypes, generate_account_sas  # noqa: PLC0415 - as above

        types = ResourceTypes(**({"service": True, "container": True, "object": True} | may))
        return str(generate_account_sas(ACCOUNT, KEY, types, "rl", _in_an_hour()))

    def container_sas(self, container: str, hours: float = 1) -> str:
        from azure.storage.blob import generate_container_sas  # noqa: PLC0415 - as above

        return str(generate_container_sas(ACCOUNT, container, KEY, permission="rl", expiry=_in_an_hour(hours)))

    def clear(self) -> None:
        for container in self.client.list_containers():
            self.client.delete_container(container.name)


def blob_name(time: str, site: str = "plant", file: str = "PT05M.json") -> str:
    """The name that an export gives the blob of `time` (`2026-03-10T04:57`)."""
    day, clock = time.split("T")
    year, month, date = day.split("-")
    hour, minute = clock.split(":")[:2]
    return f"{workspace(site)}/y={year}/m={month}/d={date}/h={hour}/m={int(minute) // 5 * 5:02}/{file}"


def _in_an_hour(hours: float = 1) -> datetime:
    return datetime.now(timezone.utc) + timedelta(hours=hours)


@contextmanager
def running(*options: str) -> Iterator[Emulated]:
    """Start Azurite on a free port of loopback; skip where it is not installed."""
    pytest.importorskip("azure.storage.blob", reason="azure-storage-blob is not installed")
    node = shutil.which("node", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if node is None or not MAIN.is_file():
        pytest.skip("Azurite is not in the environment: `make test` puts it there where npm can be reached")
    command = [node, str(MAIN), "--blobPort", "0", "--inMemoryPersistence", "--disableTelemetry", "--silent"]
    environment = {**os.environ, "AZURITE_ACCOUNTS": f"{ACCOUNT}:{KEY}"}
    with subprocess.Popen(
        [*command, "--skipApiVersionCheck", *options], stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        too_late = threading.Timer(60, process.kill)
        too_late.start()
        try:
            lines = iter(process.stdout or ())
            found = next((m for line in lines if (m := re.search(r"listens on (https?://\S+)", line))), None)
            too_late.cancel()
            if found is None:
                pytest.fail("Azurite did not start")
            yield Emulated(f"{found[1]}/{ACCOUNT}")
        finally:
            too_late.cancel()
            process.terminate()
            process.wait(30)
