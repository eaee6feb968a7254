"""Servers, and what they need."""

import datetime as dt
import ipaddress
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Protocol

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.data.servers import Answer, Server


class Serve(Protocol):
    """Starts a server."""

    def __call__(
        self, answer: Answer, contents: Mapping[str, bytes], certificate: Path | None = None
    ) -> Server: ...


@pytest.fixture
def start_server() -> Iterator[Serve]:
    servers: list[tuple[Server, threading.Thread]] = []

    def start(
        answer: Answer, contents: Mapping[str, bytes], certificate: Path | None = None
    ) -> Server:
        server = Server(answer, contents, certificate)
        thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.01))
        thread.start()
        servers.append((server, thread))
        return server

    yield start
    for server, thread in servers:
        server.ended.set()
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def make_certificate(tmp_path: Path) -> Callable[..., Path]:
    """Self-signed ones, as a company's own authority is, with their key in the same file."""

    def make(address: str = "127.0.0.1", days: int = 1) -> Path:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a company")])
        now = dt.datetime.now(dt.UTC)
        certificate = (
            x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=10))
            .not_valid_after(now + dt.timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]),
                critical=False,
            )
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
            )
            .sign(key, hashes.SHA256())
        )
        path = tmp_path / f"{address}-{days}.pem"
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        return path

    return make
