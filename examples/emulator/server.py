"""A Logs Ingestion API on loopback: answers as the service does and keeps the rows in sqlite, one table a stream.

    TOKEN=anything python examples/emulator/server.py --db rows.sqlite --port 0 --token-env TOKEN

prints its address on the first line: set `post.endpoint` to it and `post.credential` to `env:TOKEN`. In Python:
`with LogsIngestionEmulator("rows.sqlite", token) as emulator: ... emulator.url ...`

`ADDRESS/webhooks/teams/TOKEN` (`slack`, `json`) is a webhook for `notify.url`; the table `Notified` has what it was told.

It declares what `deploy/data_collection_rule.json` declares. With `--faults SEED` a third of the requests meets a fault.
"""

from __future__ import annotations

import argparse
import hmac
import json
import os
import re
import sqlite3
import sys
import threading
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Protocol
from urllib.parse import parse_qs, unquote, urlsplit

if TYPE_CHECKING:
    from typing_extensions import Self

if TYPE_CHECKING or __package__:
    from emulator.answer import Answer
    from emulator.faults import Fault, FaultPlan
    from emulator.webhook import Webhooks
else:  # run as a script
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    from emulator.answer import Answer
    from emulator.faults import Fault, FaultPlan
    from emulator.webhook import Webhooks

RULE = Path(__file__).resolve().parent.parent.parent / "deploy" / "data_collection_rule.json"
API_VERSION = "2023-01-01"
DCR_ID = "dcr-00000000000000000000000000000000"
MAX_BODY_BYTES = 1024 * 1024  # documented for the compressed and the uncompressed body alike
MAX_FIELD_BYTES = 64 * 1024

_PATH = re.compile(r"/dataCollectionRules/([^/]+)/streams/([^/]+)")
_SQL_TYPES = {"int": "INTEGER", "long": "INTEGER", "boolean": "INTEGER", "real": "REAL"}
_JSON_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "datetime": (str,),
    "int": (int,),
    "long": (int,),
    "real": (int, float),
    "boolean": (bool,),
}

Declarations = Mapping[str, Mapping[str, list[dict[str, str]]]]


def declarations(rule: Path = RULE) -> Declarations:
    """The streams that a rule's template declares."""
    (resource,) = json.loads(rule.read_text(encoding="utf-8"))["resources"]
    declared: Declarations = resource["properties"]["streamDeclarations"]
    return declared


class RowStore:
    """The workspace: one sqlite table a stream, named as the Log Analytics table, with the declared columns.

    A dynamic column holds JSON text, a boolean 0 or 1, a datetime the text that was posted.
    """

    def __init__(self, db: str | Path, streams: Declarations) -> None:
        """Open or create `db` and the streams' tables."""
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(db, check_same_thread=False)  # the lock keeps the request threads apart
        self._connection.execute("PRAGMA synchronous = OFF")  # a machine that fails takes the emulator with it
        with self._lock, self._connection as connection:
            for stream, declared in streams.items():
                columns = ", ".join(f'"{c["name"]}" {_SQL_TYPES.get(c["type"], "TEXT")}' for c in declared["columns"])
                connection.execute(f'CREATE TABLE IF NOT EXISTS "{stream.removeprefix("Custom-")}" ({columns})')

    def insert(self, stream: str, rows: list[list[Any]]) -> None:
        """Store all rows of one request, or none."""
        if rows:
            marks = ", ".join("?" * len(rows[0]))
            with self._lock, self._connection as connection:
                connection.executemany(f'INSERT INTO "{stream.removeprefix("Custom-")}" VALUES ({marks})', rows)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


@dataclass
class LogsIngestion:
    """The service without its socket: one request in, one answer out, accepted rows into the store."""

    store: RowStore
    token: str
    dcr_id: str
    streams: Declarations
    now: Callable[[], datetime] = lambda: datetime.now(timezone.utc)
    webhooks: Webhooks | None = None

    def answer(self, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer a POST of `body` to `target` (path and query); `headers` are in their usual spelling."""
        if self.webhooks and (told := self.webhooks.answer(target, body)):
            return told
        url = urlsplit(target)
        route = _PATH.fullmatch(url.path)
        if route is None:
            return Answer(404, "NotFound", "no such path")
        dcr, stream = unquote(route[1]), unquote(route[2])
        given = headers.get("Authorization", "")
        is_right = hmac.compare_digest(given.encode(), f"Bearer {self.token}".encode())
        is_version = parse_qs(url.query).get("api-version") == [API_VERSION]
        refusals = (  # the first that applies
            (not given.startswith("Bearer "), Answer(401, "Unauthorized", "no bearer token")),
            (not is_right, Answer(403, "OperationFailed", "the token has no access to the data collection rule")),
            (not is_version, Answer(400, "InvalidApiVersion", f"api-version must be {API_VERSION}")),
            (dcr != self.dcr_id, Answer(404, "NotFound", "no data collection rule with this immutable id")),
            (stream not in self.streams, Answer(400, "InvalidStream", "the rule does not declare this stream")),
        )
        for applies, answer in refusals:
            if applies:
                return answer
        return self._take(stream, body, is_gzip=headers.get("Content-Encoding") == "gzip")

    def close(self) -> None:
        """Close the store."""
        self.store.close()
        if self.webhooks:
            self.webhooks.close()

    def _take(self, stream: str, body: bytes, *, is_gzip: bool) -> Answer:
        try:
            # One byte over the limit is enough to refuse: a small bomb must not fill the memory.
            text = zlib.decompressobj(wbits=31).decompress(body, MAX_BODY_BYTES + 1) if is_gzip else body
            if max(len(body), len(text)) > MAX_BODY_BYTES:
                return Answer(413, "ContentLengthLimitExceeded", f"more than {MAX_BODY_BYTES} bytes")
            records = json.loads(text.decode("utf-8"), parse_constant=_refuse_constant)
        except (ValueError, zlib.error):
            return Answer(400, "InvalidPayload", "the body is not JSON in UTF-8")
        if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
            return Answer(400, "InvalidPayload", "the body is not an array of objects")
        self.store.insert(stream, [self._row(stream, record) for record in records])
        return Answer(204)

    def _row(self, stream: str, record: dict[str, Any]) -> list[Any]:
        """Return the declared columns of a record in order; others are dropped without a word, as the service does."""
        columns = {c["name"]: c["type"] for c in self.streams[stream]["columns"]}
        values = {name: stored_value(record.get(name), kind) for name, kind in columns.items()}
        return list((values | {"TimeGenerated": kept_time(values.get("TimeGenerated"), self.now())}).values())


def stored_value(value: Any, kind: str) -> Any:
    """Return what the column keeps: null for a value of another type, text and JSON cut at 64 KB."""
    if value is None:
        return None
    if kind == "dynamic":
        value = json.dumps(value, ensure_ascii=False)
    elif not isinstance(value, _JSON_TYPES[kind]) or (isinstance(value, bool) and kind != "boolean"):
        return None
    return value.encode()[:MAX_FIELD_BYTES].decode("utf-8", "ignore") if isinstance(value, str) else value


def kept_time(posted: str | None, received: datetime) -> str:
    """Return TimeGenerated as posted, or the time of receipt where it is missing, 2 days old or 1 day ahead."""
    try:
        moment = datetime.fromisoformat((posted or "").replace("Z", "+00:00"))
        is_kept = timedelta(days=-1) <= received - moment <= timedelta(days=2)
    except (ValueError, TypeError):  # no time, or one without a zone
        is_kept = False
    return posted if posted and is_kept else received.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


class Service(Protocol):
    """A service without its socket."""

    def answer(self, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer a POST of `body` to `target` (path and query); `headers` are in their usual spelling."""

    def close(self) -> None:
        """Close what it keeps."""


class _Server(ThreadingHTTPServer):
    service: Service
    faults: FaultPlan
    n_requests = 0
    n_bytes = 0

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent: a client that was killed or gave up is what faults are for."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length") or ""
        if not length.isdecimal() or int(length) > 64 * MAX_BODY_BYTES:
            self.close_connection = True  # what was not read would be taken for the next request
            self._reply(Answer(413 if length else 411, "InvalidContentLength", "give the length, at most 1 MB"))
            return
        body = self.rfile.read(int(length))
        self.server.n_requests += 1
        self.server.n_bytes += len(body)
        fault = self.server.faults.next()
        if fault is None or fault.is_stored or not (fault.status or fault.ends):
            time.sleep(fault.seconds if fault else 0)
            answer = self.server.service.answer(self.path, dict(self.headers), body)
        if fault and fault.status:
            answer = Answer(fault.status, fault.code, "a fault of the plan", fault.headers)
        if fault and fault.ends:
            self._end(fault)
        else:
            self._reply(answer)

    def _end(self, fault: Fault) -> None:
        """End a request without an answer."""
        self.close_connection = True
        if fault.ends == "kill":
            self.server.faults.kill()
        if fault.ends == "torn":
            self.wfile.write(b"HTTP/1.1 20")
        if fault.ends == "hang":
            self.connection.settimeout(60)
            self.connection.recv(1)  # returns when the client has closed

    def _reply(self, answer: Answer) -> None:
        error = {"error": {"code": answer.code, "message": answer.message}}
        body = json.dumps(error).encode() if answer.code else answer.text.encode()
        self.send_response(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        if body:
            self.send_header("Content-Type", "text/html" if answer.text else "application/json")
        if answer.status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Stay silent: the caller says what matters."""


class Emulator:
    """Runs a service on 127.0.0.1 while the `with` block lasts."""

    def __init__(self, service: Service, port: int, faults: FaultPlan | None) -> None:
        """Take the port, 0 for a free one."""
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.service = service
        self._server.faults = faults or FaultPlan()
        self.thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        """The endpoint, with the port that was taken."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def faults(self) -> FaultPlan:
        """What goes wrong; set another plan while it runs."""
        return self._server.faults

    @faults.setter
    def faults(self, plan: FaultPlan) -> None:
        self._server.faults = plan

    @property
    def traffic(self) -> tuple[int, int]:
        """Requests so far, and their bytes as they came over the wire."""
        return self._server.n_requests, self._server.n_bytes

    def __enter__(self) -> Self:
        """Start to answer."""
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop to answer and close the file."""
        self._server.shutdown()
        self._server.server_close()
        self._server.service.close()


class LogsIngestionEmulator(Emulator):
    """Runs the Logs Ingestion API; `db` keeps the rows afterwards."""

    def __init__(
        self, db: str | Path, token: str, *, port: int = 0, dcr_id: str = DCR_ID, faults: FaultPlan | None = None
    ) -> None:
        """Take the port, 0 for a free one, and open `db`."""
        streams = declarations()
        self.dcr_id = dcr_id
        self.service = LogsIngestion(RowStore(db, streams), token, dcr_id, streams, webhooks=Webhooks(db, token))
        self._token = token
        super().__init__(self.service, port, faults)

    def webhook(self, form: str) -> str:
        """The address of the webhook that takes `teams`, `slack` or `json`: a secret."""
        return f"{self.url}/webhooks/{form}/{self._token}"


def main(arguments: list[str] | None = None) -> int:
    """Run until interrupted and return 0; 2 if the token is missing."""
    parser = argparse.ArgumentParser(description="Logs Ingestion API on loopback, rows into sqlite")
    parser.add_argument("--db", required=True, type=Path, help="sqlite file; rows are added to what it holds")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one (default)")
    parser.add_argument("--token-env", required=True, metavar="NAME", help="environment variable with the bearer token")
    parser.add_argument("--dcr-id", default=DCR_ID, help="immutable id of the data collection rule")
    parser.add_argument("--faults", type=int, metavar="SEED", help="let a third of the requests meet a fault")
    options = parser.parse_args(arguments)
    token = os.environ.get(options.token_env, "")
    if not token:
        print(f"the environment variable {options.token_env} is empty", file=sys.stderr)
        return 2
    plan = None if options.faults is None else FaultPlan.seeded(options.faults, 1 / 3)
    with LogsIngestionEmulator(options.db, token, port=options.port, dcr_id=options.dcr_id, faults=plan) as emulator:
        print(emulator.url, f"rule {emulator.dcr_id}, rows in {options.db}; stop with Ctrl-C", sep="\n", flush=True)
        try:
            emulator.thread.join()
        except KeyboardInterrupt:
            return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
