"""One POST on the wire: the server is who it says it is, and nobody else gets the token."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from test_blob_mirror import self_signed

from alertgraph_spark.errors import PublishError
from alertgraph_spark.publish import http_post
from alertgraph_spark.publish.http_post import Response, post

BEARER = {"Authorization": "Bearer tok-SECRET"}


class Handler(BaseHTTPRequestHandler):
    """Answers 204, or sends on to where `Location` of the path says."""

    heard: list[str | None]

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.heard.append(self.headers["Authorization"])
        self.send_response(307 if self.path.startswith("/to/") else 204)
        if self.path.startswith("/to/"):
            self.send_header("Location", self.path.removeprefix("/to/"))
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serving(certificate: Path | None = None) -> Iterator[tuple[int, list[str | None]]]:
    """A server's port, and the bearers that it was given."""
    heard: list[str | None] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Heard", (Handler,), {"heard": heard}))
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a handshake that is broken off
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, certificate.with_name("key.pem"))
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1], heard
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def trusting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A certificate that this machine trusts, for 127.0.0.1 and no other name."""
    certificate = self_signed(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    http_post._opener.cache_clear()
    yield certificate
    http_post._opener.cache_clear()


def test_a_server_that_is_trusted_gets_the_token_and_one_of_another_name_does_not(trusting: Path) -> None:
    with serving(trusting) as (port, heard):
        assert post(f"https://127.0.0.1:{port}/", BEARER, b"[]", 10.0).status == 204
        assert heard == [BEARER["Authorization"]]
        with pytest.raises(PublishError, match="the certificate of localhost is not trusted; check the endpoint"):
            post(f"https://localhost:{port}/", BEARER, b"[]", 10.0)
    assert len(heard) == 1


def test_a_server_that_nobody_vouches_for_gets_nothing(tmp_path: Path) -> None:
    with (
        serving(self_signed(tmp_path)) as (port, heard),
        pytest.raises(PublishError, match=r"the certificate of 127\.0\.0\.1 is not trusted") as caught,
    ):
        post(f"https://127.0.0.1:{port}/", BEARER, b"[]", 10.0)
    assert heard == []
    assert "SECRET" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_redirect_is_an_answer_and_the_token_goes_no_further() -> None:
    with serving() as (elsewhere, overheard), serving() as (port, heard):
        answer = post(f"http://127.0.0.1:{port}/to/http://127.0.0.1:{elsewhere}/", BEARER, b"[]", 10.0)
    assert answer.status == 307
    assert len(heard) == 1
    assert overheard == []


def test_a_server_without_tls_behind_an_https_address_is_a_broken_connection() -> None:
    with serving() as (port, heard):
        assert post(f"https://127.0.0.1:{port}/", BEARER, b"[]", 10.0) == Response(0, code="SSLError")
    assert heard == []
