"""The BMC of the tests over HTTPS on loopback, with a certificate of its own for a name that is not its address."""

from __future__ import annotations

import json
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from blocks.remote.bmc import Bmc, BmcAccount
from tests.redfish.service import PASSWORD, USER, Redfish


@dataclass(frozen=True)
class Served:
    """A BMC that listens.

    Attributes:
        url: Its address.
        fingerprint: Of its certificate.
        folder: Where its password is.
    """

    url: str
    fingerprint: str
    folder: Path

    def client(self, fingerprint: str | None = None) -> Bmc:
        """A client.

        Args:
            fingerprint: Which certificate is pinned; empty: the one that it has.
        """
        return Bmc("the BMC", BmcAccount(self.url, USER, self.folder / "password", fingerprint or self.fingerprint))

    def client_without_pin(self) -> Bmc:
        """A client that asks the authorities of this machine."""
        return Bmc("the BMC", BmcAccount(self.url, USER, self.folder / "password"))


def make_certificate(folder: Path) -> str:
    names = ("-keyout", str(folder / "key.pem"), "-out", str(folder / "certificate.pem"))
    options = (
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=idrac-1234567",
    )
    subprocess.run(("openssl", "req", "-x509", *options, *names), check=True, capture_output=True)
    text = (folder / "certificate.pem").read_text()
    return sha256(ssl.PEM_cert_to_DER_cert(text)).hexdigest()


@contextmanager
def serve(service: Redfish, folder: Path) -> Iterator[Served]:
    """Have a BMC listen within the block.

    Args:
        service: The BMC.
        folder: For certificate, key and password.
    """
    (folder / "password").write_text(f"{PASSWORD}\n")
    fingerprint = make_certificate(folder)

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            answer = service.handle(self.command, self.path, self.headers, body)  # type: ignore[arg-type]
            content = json.dumps(answer.body).encode() if answer.body else b""
            self.send_response(answer.status)
            for name, value in {**answer.headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815 - http.server's names

        def log_message(self, *_: Any) -> None:
            """Nothing is told."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield Served(f"https://127.0.0.1:{server.server_port}", fingerprint, folder)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
