import socket
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from mnistpipe.data import web
from mnistpipe.data.web import UnreachableError, download, without_password
from tests.data.conftest import Serve
from tests.data.servers import Answer, closed_address, reply

pytestmark = pytest.mark.faults


_getaddrinfo = socket.getaddrinfo


def _resolve(host: str, port: int, *words: int) -> object:
    """As a resolver does that keeps to the standard, and at once."""
    if host.endswith(".invalid"):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    return _getaddrinfo(host, port, *words)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "N_RETRIES", 0)
    monkeypatch.setattr(web, "TIMEOUT_S", (0.5, 0.5))
    monkeypatch.setattr(socket, "getaddrinfo", _resolve)
    for variable in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(variable, raising=False)
        monkeypatch.delenv(variable.upper(), raising=False)
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.delenv("CURL_CA_BUNDLE", raising=False)


def status(code: int) -> Answer:
    return lambda request, _: reply(request, b"no", status=code)


def silent(request: BaseHTTPRequestHandler, _: bytes) -> None:
    request.server.ended.wait(timeout=30)  # type: ignore[attr-defined]


def why(url: str, folder: Path) -> str:
    with pytest.raises(UnreachableError) as caught:
        download(url, folder / "file")
    return str(caught.value)


def test_what_is_served_is_written(tmp_path: Path, start_server: Serve) -> None:
    server = start_server(reply, {"file": b"content"})
    download(f"{server.address}/file", tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"content"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (401, "it asks for a login (status 401): write it as https://USER:PASSWORD@..."),
        (403, "it refuses access (status 403)"),
        (404, "status 404"),
        (500, "status 500"),
    ],
)
def test_a_status_is_told(tmp_path: Path, start_server: Serve, code: int, reason: str) -> None:
    assert why(start_server(status(code), {}).address, tmp_path) == reason


def test_a_login_in_the_address_is_sent_and_not_shown(tmp_path: Path, start_server: Serve) -> None:
    logins: list[str | None] = []

    def keep(request: BaseHTTPRequestHandler, body: bytes) -> None:
        logins.append(request.headers["Authorization"])
        reply(request, body)

    address = start_server(keep, {}).address
    download(address.replace("//", "//me:secret@"), tmp_path / "file")
    assert logins == ["Basic bWU6c2VjcmV0"]
    assert without_password("https://me:sec/ret@host/a@b") == "https://me:sec/ret@host/a@b"
    assert without_password("https://me:s@cret@host/a@b") == "https://host/a@b"


def test_a_certificate_that_is_not_trusted_is_told_with_what_to_set(
    tmp_path: Path,
    start_server: Serve,
    make_certificate: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    certificate = make_certificate()
    server = start_server(reply, {"file": b"content"}, certificate)
    assert why(f"{server.address}/file", tmp_path) == (
        "its certificate is not trusted (self-signed certificate): set REQUESTS_CA_BUNDLE to the "
        ".pem file of your network's certificates"
    )
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    download(f"{server.address}/file", tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"content"


@pytest.mark.parametrize(
    ("address", "days", "reason"),
    [
        ("127.0.0.2", 1, "IP address mismatch, certificate is not valid for '127.0.0.1'."),
        ("127.0.0.1", -1, "certificate has expired"),
    ],
)
def test_a_certificate_that_does_not_hold_is_told(
    tmp_path: Path,
    start_server: Serve,
    make_certificate: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    address: str,
    days: int,
    reason: str,
) -> None:
    certificate = make_certificate(address, days)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    server = start_server(reply, {}, certificate)
    assert why(server.address, tmp_path) == f"its certificate does not hold ({reason})"


def test_a_bundle_of_certificates_that_is_not_there_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere.pem")
    assert "CA certificate bundle, invalid path: /nowhere.pem" in why("https://a.test/", tmp_path)


def test_an_address_without_tls_is_told(tmp_path: Path, start_server: Serve) -> None:
    address = start_server(reply, {}).address.replace("http", "https")
    assert why(address, tmp_path).startswith("no connection to the server ([SSL")


def test_a_server_that_is_not_there_is_told(tmp_path: Path) -> None:
    assert why(closed_address(), tmp_path) == "the server refuses the connection"
    assert why("http://no-such-host.invalid/", tmp_path) == (
        "the name of the server cannot be resolved"
    )
    assert "label empty or too long" in why("http://a..b/", tmp_path)
    assert why("http://localhost:99999/", tmp_path) == "Failed to parse: http://localhost:99999/"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_stands_in_the_way_is_told(
    tmp_path: Path, start_server: Serve, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    def through(proxy: str) -> str:
        monkeypatch.setenv(f"{scheme}_proxy", proxy.replace("//", "//me:secret@"))
        return why(f"{scheme}://mnist.test/file", tmp_path)

    asking = start_server(status(407), {}).address.removesuffix("/mnist")
    name = asking.removeprefix("http://")
    assert through(asking) == (
        f"the proxy {name} asks for a password (status 407): set HTTPS_PROXY and HTTP_PROXY to "
        "http://USER:PASSWORD@HOST:PORT"
    )
    waiting = start_server(silent, {}).address.removesuffix("/mnist")
    name = waiting.removeprefix("http://")
    assert through(waiting) == f"no answer in time by way of the proxy {name}"
    closed = closed_address().removesuffix("/mnist")
    name = closed.removeprefix("http://")
    assert through(closed) == f"the proxy {name} refuses the connection"
    assert through("http://no-such-proxy.invalid:3128") == (
        "the name of the proxy no-such-proxy.invalid:3128 cannot be resolved"
    )
