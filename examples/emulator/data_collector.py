"""An HTTP Data Collector API on loopback: the API before the data collection rules, out of support, for the tests.

It works the signature out by itself, over the bytes that came, and keeps rows as that service did: in a table that their
Log-Type names, in columns that their values name (`Site_s`, `NAlerts_d`), a list as text, 32 KB a field.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import sqlite3
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from emulator.answer import Answer
from emulator.faults import FaultPlan
from emulator.server import Emulator, kept_time

API_VERSION = "2016-04-01"
WORKSPACE = "00000000-0000-0000-0000-000000000000"
MAX_BODY_BYTES = 30_000_000
MAX_FIELD_BYTES = 32 * 1024

_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?Z")


@dataclass
class DataCollector:
    """The service without its socket; `key` is the workspace's, in base64."""

    db: str | Path
    key: str
    now: Callable[[], datetime] = lambda: datetime.now(timezone.utc)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        """Open the workspace, which has no tables until rows come."""
        self._connection = sqlite3.connect(self.db, check_same_thread=False)  # the lock keeps the threads apart

    def answer(self, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer a POST of `body` to `target` (path and query); `headers` are in their usual spelling."""
        given = {name.lower(): value for name, value in headers.items()}
        url, log_type = urlsplit(target), given.get("log-type", "")
        version = parse_qs(url.query).get("api-version")
        refusals = (  # the first that applies
            (
                url.path != "/api/logs" or len(body) > MAX_BODY_BYTES,
                Answer(404, "NotFound", "no such path, or too large"),
            ),
            (version != [API_VERSION], Answer(400, "InvalidApiVersion", f"api-version must be {API_VERSION}")),
            (not self._is_signed(given, body), Answer(403, "InvalidAuthorization", "the signature is another")),
            (given.get("content-type") != "application/json", Answer(400, "UnsupportedContentType", "must be JSON")),
            (
                not re.fullmatch(r"[A-Za-z_]\w{0,99}", log_type),
                Answer(400, "InvalidCustomLogType", "no name of a table"),
            ),
        )
        for applies, answer in refusals:
            if applies:
                return answer
        try:
            records = json.loads(body.decode("utf-8"))
        except ValueError:
            return Answer(400, "InvalidDataFormat", "the body is not JSON in UTF-8")
        with self._lock, self._connection as connection:
            for record in records if isinstance(records, list) else [records]:
                self._store(connection, f"{log_type}_CL", record, given.get("time-generated-field", ""))
        return Answer(200)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _is_signed(self, headers: Mapping[str, str], body: bytes) -> bool:
        signed = ("POST", str(len(body)), "application/json", f"x-ms-date:{headers.get('x-ms-date')}", "/api/logs")
        mac = hmac.digest(base64.b64decode(self.key), "\n".join(signed).encode(), hashlib.sha256)
        wanted = f"SharedKey {WORKSPACE}:{base64.b64encode(mac).decode()}"
        return hmac.compare_digest(headers.get("authorization", "").encode(), wanted.encode())

    def _store(self, connection: sqlite3.Connection, table: str, record: Mapping[str, Any], time_field: str) -> None:
        row = {"TimeGenerated": kept_time(record.get(time_field), self.now())}
        row |= dict(
            stored(name, value) for name, value in record.items() if value is not None and name != "TimeGenerated"
        )
        connection.execute(f'CREATE TABLE IF NOT EXISTS "{table}" (TimeGenerated TEXT)')
        have = {name for _, name, *_ in connection.execute(f'PRAGMA table_info("{table}")')}
        for name in row.keys() - have:
            connection.execute(f'ALTER TABLE "{table}" ADD COLUMN "{name}"')
        names, marks = ", ".join(f'"{name}"' for name in row), ", ".join("?" * len(row))
        connection.execute(f'INSERT INTO "{table}" ({names}) VALUES ({marks})', [*row.values()])


def stored(name: str, value: Any) -> tuple[str, Any]:
    """Return the column that a value goes to, and what of it is kept."""
    if isinstance(value, bool):
        return f"{name}_b", value
    if isinstance(value, (int, float)):
        return f"{name}_d", float(value)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    suffix = "g" if _GUID.fullmatch(text) else "t" if _TIME.fullmatch(text) else "s"
    return f"{name}_{suffix}", text.encode()[:MAX_FIELD_BYTES].decode("utf-8", "ignore")


class DataCollectorEmulator(Emulator):
    """Runs the service on 127.0.0.1 while the `with` block lasts; `db` keeps the rows afterwards."""

    def __init__(self, db: str | Path, key: str, *, port: int = 0, faults: FaultPlan | None = None) -> None:
        """Take the port, 0 for a free one, and open `db`."""
        super().__init__(DataCollector(db, key), port, faults)
