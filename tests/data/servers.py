"""Web servers on this machine that answer as a test says."""

import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

Answer = Callable[[BaseHTTPRequestHandler, bytes], None]


class Server(ThreadingHTTPServer):
    """Answers each request for a file, given what the file holds; nothing for one it lacks."""

    daemon_threads = False  # closing waits for them

    def __init__(
        self, answer: Answer, contents: Mapping[str, bytes], certificate: Path | None = None
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer, self.contents = answer, contents
        self.requested: list[str] = []
        self.ended = threading.Event()  # for answers that wait
        self.scheme = "http" if certificate is None else "https"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.socket = context.wrap_socket(
                self.socket, server_side=True, do_handshake_on_connect=False
            )

    @property
    def address(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_port}/mnist"

    def handle_error(self, *_: object) -> None:
        """Nothing: a client that breaks off is what some tests are about."""


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        name = self.path.rpartition("/")[2]
        self.server.requested.append(name)
        self.server.answer(self, self.server.contents.get(name, b""))

    def do_CONNECT(self) -> None:
        self.server.answer(self, b"")

    def log_message(self, *_: object) -> None:
        """Nothing: the tests' output is no server's log."""


def reply(request: BaseHTTPRequestHandler, body: bytes, *, status: int = 200) -> None:
    request.send_response(status)
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)


def closed_address() -> str:
    """Where nobody listens."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
    return f"http://127.0.0.1:{port}/mnist"
