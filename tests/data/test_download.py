import contextlib
import gzip
import hashlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from mnistpipe.data import download
from mnistpipe.data.datasets import FILES, load_raw
from mnistpipe.data.download import fetch, mnist_md5s, public_mirrors
from mnistpipe.data.params import Data
from mnistpipe.files.errors import UserError

# The real files' MD5s are pinned by torchvision; these stand in for them.
CONTENTS = {file: gzip.compress(file.encode() * 20, mtime=0) for file in FILES.values()}
NAMES = sorted(CONTENTS)
WITH_FALLBACK = Data(dataset="mnist", fallback="digits")
WITHOUT_FALLBACK = Data(dataset="mnist", fallback=None)
WEB_PAGE = b"<!DOCTYPE html><title>Log in</title>"

Answer = Callable[[BaseHTTPRequestHandler, bytes], None]

pytestmark = pytest.mark.faults


class Server(ThreadingHTTPServer):
    """Serves the stand-ins on this machine, each time in the given way."""

    daemon_threads = False  # closing waits for them

    def __init__(self, answer: Answer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = answer
        self.requested: list[str] = []
        self.ended = threading.Event()  # for answers that wait

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/mnist"


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        name = self.path.removeprefix("/mnist/")
        self.server.requested.append(name)
        self.server.answer(self, CONTENTS[name])

    def log_message(self, *_: object) -> None:
        """Nothing: the tests' output is no server's log."""


def reply(request: BaseHTTPRequestHandler, body: bytes, *, status: int = 200) -> None:
    request.send_response(status)
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)


def not_found(request: BaseHTTPRequestHandler, _: bytes) -> None:
    reply(request, b"Not Found", status=404)


def broken(request: BaseHTTPRequestHandler, _: bytes) -> None:
    reply(request, b"Internal Server Error", status=500)


def web_page(request: BaseHTTPRequestHandler, _: bytes) -> None:
    reply(request, WEB_PAGE)


def too_large(request: BaseHTTPRequestHandler, body: bytes) -> None:
    reply(request, body + bytes(2_000))


def another_file(request: BaseHTTPRequestHandler, body: bytes) -> None:
    """A whole one, of the right kind and size."""
    reply(request, gzip.compress(gzip.decompress(body)[::-1], mtime=0))


def endless(request: BaseHTTPRequestHandler, _: bytes) -> None:
    """Without an announced size."""
    request.send_response(200)
    request.end_headers()
    with contextlib.suppress(OSError):  # the client has left
        while True:
            request.wfile.write(bytes(500))


def cut_short(request: BaseHTTPRequestHandler, body: bytes) -> None:
    request.send_response(200)
    request.send_header("Content-Length", str(len(body) + 100))
    request.end_headers()
    request.wfile.write(body)


def silent(request: BaseHTTPRequestHandler, _: bytes) -> None:
    assert isinstance(request.server, Server)
    request.server.ended.wait(timeout=30)


def falling_silent(request: BaseHTTPRequestHandler, body: bytes) -> None:
    request.send_response(200)
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body[:10])
    silent(request, body)


def trickling(request: BaseHTTPRequestHandler, body: bytes) -> None:
    """Always at work, never done: no single wait is long enough for the time-out."""
    request.send_response(200)
    request.end_headers()
    assert isinstance(request.server, Server)
    with contextlib.suppress(OSError):  # the client has left
        for byte in body:
            request.wfile.write(bytes([byte]))
            if request.server.ended.wait(timeout=0.05):
                return


@pytest.fixture
def serve() -> Iterator[Callable[[Answer], Server]]:
    servers: list[tuple[Server, threading.Thread]] = []

    def start(answer: Answer) -> Server:
        server = Server(answer)
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


@pytest.fixture(autouse=True)
def public(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The list of public mirrors, empty until a test fills it; nothing leaves this machine."""
    addresses: list[str] = []
    md5s = {
        file: hashlib.md5(content, usedforsecurity=False).hexdigest()
        for file, content in CONTENTS.items()
    }
    monkeypatch.setattr(download, "mnist_md5s", lambda: md5s)
    monkeypatch.setattr(download, "public_mirrors", lambda: addresses)
    monkeypatch.setattr(download, "N_RETRIES", 0)  # pooch waits between them
    monkeypatch.setattr(download, "MAX_BYTES", 1_000)
    monkeypatch.setattr(download, "TIMEOUT_S", (5, 0.7))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return addresses


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    folder = tmp_path / "my mirror"
    fill(folder, NAMES)
    return folder


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    return tmp_path / "data" / "raw"


def fill(folder: Path, names: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(CONTENTS[name])


def closed_address() -> str:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
    return f"http://127.0.0.1:{port}/mnist"


def silence(_: str) -> None:
    """For tests that are not about what is told."""


def source(raw: Path) -> object:
    return json.loads((raw / "source.json").read_text())


def holds(raw: Path, names: list[str], dataset: str | None) -> bool:
    """Whether the folder has just these files, whole, and no other trace was left beside it."""
    own = [] if dataset is None else ["source.json"]
    return (
        sorted(path.name for path in raw.iterdir()) == sorted(names + own)
        and all((raw / name).read_bytes() == CONTENTS[name] for name in names)
        and (dataset is None or source(raw) == {"dataset": dataset})
        and list(raw.parent.iterdir()) == [raw]
    )


def test_torchvision_pins_the_four_files_that_are_read() -> None:
    assert sorted(mnist_md5s()) == sorted(FILES.values())
    assert mnist_md5s()["train-images-idx3-ubyte.gz"] == "f68b3c2dcbeaaa9fbdd348bbdeb94873"
    assert public_mirrors()
    assert all(address.startswith(("http://", "https://")) for address in public_mirrors())


@pytest.mark.mnist
def test_the_real_files_are_taken_from_a_mirror(
    tmp_path: Path, mnist_mirror: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "mnist_md5s", mnist_md5s)
    raw = tmp_path / "raw"
    assert fetch(raw, WITHOUT_FALLBACK, str(mnist_mirror), silence) == "mnist"
    assert load_raw(raw).train.labels[:5].tolist() == [5, 0, 4, 1, 9]


def test_a_folder_is_a_mirror(raw: Path, mirror: Path) -> None:
    told: list[str] = []
    assert fetch(raw, WITH_FALLBACK, str(mirror), told.append) == "mnist"
    assert holds(raw, NAMES, "mnist")
    assert told == [f"Getting 4 files of MNIST from {mirror}"]
    assert sorted(path.name for path in mirror.iterdir()) == NAMES


def test_a_file_address_is_a_mirror(raw: Path, mirror: Path) -> None:
    assert mirror.as_uri().endswith("/my%20mirror")
    assert fetch(raw, WITH_FALLBACK, mirror.as_uri(), silence) == "mnist"
    assert holds(raw, NAMES, "mnist")


@pytest.mark.parametrize("ending", ["", "/"])
def test_a_web_address_is_a_mirror(
    raw: Path, serve: Callable[[Answer], Server], ending: str
) -> None:
    server = serve(reply)
    assert fetch(raw, WITH_FALLBACK, server.address + ending, silence) == "mnist"
    assert holds(raw, NAMES, "mnist")
    assert sorted(server.requested) == NAMES


def test_the_mirror_is_asked_before_the_public_ones(
    raw: Path, public: list[str], serve: Callable[[Answer], Server]
) -> None:
    first, second = serve(reply), serve(reply)
    public.append(second.address)
    fetch(raw, WITH_FALLBACK, first.address, silence)
    assert (sorted(first.requested), second.requested) == (NAMES, [])


@pytest.mark.parametrize("mirror", [None, ""])
def test_without_a_mirror_the_public_ones_are_asked(
    raw: Path, public: list[str], serve: Callable[[Answer], Server], mirror: str | None
) -> None:
    public.append(serve(reply).address)
    assert fetch(raw, WITHOUT_FALLBACK, mirror, silence) == "mnist"
    assert holds(raw, NAMES, "mnist")


def test_files_that_are_there_are_kept_and_nothing_is_asked(
    raw: Path, public: list[str], serve: Callable[[Answer], Server]
) -> None:
    fill(raw, NAMES)
    before = [(raw / name).stat() for name in NAMES]
    server = serve(reply)
    public.append(server.address)
    told: list[str] = []
    assert fetch(raw, WITH_FALLBACK, server.address, told.append) == "mnist"
    after = [(raw / name).stat() for name in NAMES]
    assert [(s.st_ino, s.st_mtime_ns) for s in after] == [(s.st_ino, s.st_mtime_ns) for s in before]
    assert holds(raw, NAMES, "mnist")
    assert server.requested == told == []


def test_a_partly_filled_folder_gets_just_what_is_missing(
    raw: Path, serve: Callable[[Answer], Server]
) -> None:
    fill(raw, NAMES[:1])
    before = (raw / NAMES[0]).stat().st_mtime_ns
    server = serve(reply)
    assert fetch(raw, WITH_FALLBACK, server.address, silence) == "mnist"
    assert holds(raw, NAMES, "mnist")
    assert sorted(server.requested) == NAMES[1:]
    assert (raw / NAMES[0]).stat().st_mtime_ns == before


def test_two_half_mirrors_make_a_whole(raw: Path, tmp_path: Path, public: list[str]) -> None:
    # In the order in which they are asked for.
    first, *rest = CONTENTS
    fill(tmp_path / "first", [first])
    fill(tmp_path / "rest", rest)
    public.append(str(tmp_path / "rest"))
    assert fetch(raw, WITHOUT_FALLBACK, str(tmp_path / "first"), silence) == "mnist"
    assert holds(raw, NAMES, "mnist")


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (WEB_PAGE, "a web page"),
        (b"my notes", "8 bytes, not gzip"),
        (b"", "0 bytes, not gzip"),
        (gzip.compress(b"x", mtime=0), "21 bytes, damaged, cut short or another file"),
    ],
)
def test_a_wrong_file_of_the_users_is_named_and_left_alone(
    raw: Path, mirror: Path, content: bytes, kind: str
) -> None:
    fill(raw, NAMES[1:])
    wrong = raw / NAMES[0]
    wrong.write_bytes(content)
    with pytest.raises(UserError) as caught:
        fetch(raw, WITH_FALLBACK, str(mirror), silence)
    assert str(caught.value) == (
        f"{wrong} is not MNIST's file ({kind}); nothing was changed: move it away or replace it, "
        "then run: dvc repro"
    )
    assert wrong.read_bytes() == content
    assert not (raw / "source.json").exists()


def test_a_wrong_file_in_the_mirror_is_an_error_even_with_a_fallback(
    raw: Path, mirror: Path, public: list[str], serve: Callable[[Answer], Server]
) -> None:
    server = serve(reply)
    public.append(server.address)
    (mirror / NAMES[0]).write_bytes(WEB_PAGE)
    with pytest.raises(UserError) as caught:
        fetch(raw, WITH_FALLBACK, str(mirror), silence)
    assert str(caught.value) == (
        f"MNISTPIPE_MIRROR={mirror} gives a wrong {NAMES[0]} (a web page); mend the mirror or "
        "unset MNISTPIPE_MIRROR, then run: dvc repro"
    )
    assert server.requested == []
    assert NAMES[0] not in [path.name for path in raw.iterdir()]
    assert list(raw.parent.iterdir()) == [raw]


def test_a_web_page_instead_of_the_mirrors_file_is_an_error(
    raw: Path, serve: Callable[[Answer], Server]
) -> None:
    address = serve(web_page).address
    with pytest.raises(UserError, match=f"^MNISTPIPE_MIRROR={address} gives a wrong .*; mend the"):
        fetch(raw, WITH_FALLBACK, address, silence)
    assert holds(raw, [], None)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (not_found, "status 404"),
        (broken, "status 500"),
        (too_large, "more than 1,000 bytes"),
        (cut_short, "no connection"),
        (silent, "no answer in time"),
        (falling_silent, "no answer in time"),
        (web_page, "its MD5 is not"),
        (another_file, "its MD5 is not"),
        (endless, "more than 1,000 bytes"),
    ],
)
def test_a_source_that_fails_is_passed_over(
    raw: Path,
    public: list[str],
    serve: Callable[[Answer], Server],
    answer: Answer,
    reason: str,
) -> None:
    failing, whole = serve(answer), serve(reply)
    public += [failing.address, whole.address]
    assert fetch(raw, WITHOUT_FALLBACK, None, silence) == "mnist"
    assert holds(raw, NAMES, "mnist")
    assert len(failing.requested) == 1

    public.pop()
    for name in NAMES:
        (raw / name).unlink()
    told: list[str] = []
    assert fetch(raw, WITH_FALLBACK, None, told.append) == "digits"
    assert holds(raw, [], "digits")
    (line,) = [line for line in told[-1].splitlines() if failing.address in line]
    assert reason in line


@pytest.mark.parametrize("answer", [not_found, broken, too_large, cut_short, silent])
def test_a_mirror_that_fails_gives_way_to_the_public_ones(
    raw: Path, public: list[str], serve: Callable[[Answer], Server], answer: Answer
) -> None:
    public.append(serve(reply).address)
    assert fetch(raw, WITHOUT_FALLBACK, serve(answer).address, silence) == "mnist"
    assert holds(raw, NAMES, "mnist")


def test_a_download_is_tried_again(
    raw: Path, serve: Callable[[Answer], Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    failed: list[bytes] = []

    def failing_once(request: BaseHTTPRequestHandler, body: bytes) -> None:
        if failed:
            reply(request, body)
        else:
            failed.append(body)
            cut_short(request, body)

    monkeypatch.setattr(download, "N_RETRIES", 1)
    monkeypatch.setattr("pooch.core.time.sleep", lambda _: None)
    server = serve(failing_once)
    assert fetch(raw, WITHOUT_FALLBACK, server.address, silence) == "mnist"
    assert holds(raw, NAMES, "mnist")
    assert len(server.requested) == 5


def test_the_fallback_is_announced_with_what_failed_and_what_to_do(
    raw: Path, public: list[str], tmp_path: Path
) -> None:
    unreachable, no_folder = closed_address(), tmp_path / "nowhere"
    public.append(unreachable)
    told: list[str] = []
    assert fetch(raw, WITH_FALLBACK, str(no_folder), told.append) == "digits"
    assert holds(raw, [], "digits")
    assert load_raw(raw).title == "scikit-learn digits (not MNIST)"
    warning = told[-1]
    assert "MNIST COULD NOT BE HAD. THE STUDY NOW RUNS ON SCIKIT-LEARN'S DIGITS" in warning
    assert f"{no_folder}: {next(iter(CONTENTS))}: No such file or directory" in warning
    assert f"{unreachable}: {next(iter(CONTENTS))}: no connection" in warning
    assert "set MNISTPIPE_MIRROR to a folder or address with the four files" in warning
    assert f"or put them into {raw}/" in warning
    assert "dvc repro --force --single-item fetch-data && dvc repro" in warning


def test_without_a_fallback_unreachable_sources_are_an_error(raw: Path, public: list[str]) -> None:
    public += [closed_address(), closed_address()]
    with pytest.raises(UserError) as caught:
        fetch(raw, WITHOUT_FALLBACK, None, silence)
    text = str(caught.value)
    assert text.startswith("MNIST cannot be had and data.fallback is null: ")
    assert all(f"{address}: " in text for address in public)
    assert "Set MNISTPIPE_MIRROR to a folder or address" in text
    assert "\n" not in text
    assert holds(raw, [], None)


def test_what_arrived_before_a_failure_is_kept_for_the_next_time(
    raw: Path, mirror: Path, tmp_path: Path
) -> None:
    first = next(iter(CONTENTS))
    fill(tmp_path / "first", [first])
    assert fetch(raw, WITH_FALLBACK, str(tmp_path / "first"), silence) == "digits"
    assert holds(raw, [first], "digits")
    told: list[str] = []
    assert fetch(raw, WITH_FALLBACK, str(mirror), told.append) == "mnist"
    assert told == [f"Getting 3 files of MNIST from {mirror}"]


def test_the_real_data_replace_the_fallback_once_there_is_a_mirror(raw: Path, mirror: Path) -> None:
    missing = str(mirror / "missing")
    assert fetch(raw, WITH_FALLBACK, missing, silence) == "digits"
    assert source(raw) == {"dataset": "digits"}
    assert fetch(raw, WITH_FALLBACK, str(mirror), silence) == "mnist"
    assert holds(raw, NAMES, "mnist")


def test_digits_need_no_network(
    raw: Path, public: list[str], serve: Callable[[Answer], Server]
) -> None:
    server = serve(reply)
    public.append(server.address)
    told: list[str] = []
    data = Data(dataset="digits", fallback=None)
    assert fetch(raw, data, server.address, told.append) == "digits"
    assert holds(raw, [], "digits")
    assert server.requested == told == []


@pytest.mark.parametrize(
    "mirror", ["ftp://example.org/mnist", "s3://bucket/mnist", "http://[bad", "file:///a%00b"]
)
def test_an_address_of_another_kind_is_an_error(raw: Path, mirror: str) -> None:
    with pytest.raises(UserError) as caught:
        fetch(raw, WITH_FALLBACK, mirror, silence)
    assert str(caught.value) == (
        "MNISTPIPE_MIRROR should be a folder or a file://, http:// or https:// address, "
        f"not '{mirror}'."
    )
    assert holds(raw, [], None)


def test_a_download_that_trickles_is_given_up_at_the_deadline(
    raw: Path, serve: Callable[[Answer], Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "MAX_SECONDS", 0.2)
    server = serve(trickling)
    start_s = time.monotonic()
    with pytest.raises(UserError, match="no answer in time"):
        fetch(raw, WITHOUT_FALLBACK, server.address, silence)
    assert time.monotonic() - start_s < 2  # all bytes would take 3 s, the first piece no less
    assert holds(raw, [], None)


def test_a_place_that_cannot_be_written_is_an_error_and_no_fallback(
    raw: Path, mirror: Path, tmp_path: Path
) -> None:
    raw.parent.mkdir(parents=True, exist_ok=True)
    raw.write_text("a file where the folder should be")
    with pytest.raises(UserError, match=f"{raw} cannot be written"):
        fetch(raw, WITH_FALLBACK, str(mirror), silence)
    assert raw.read_text() == "a file where the folder should be"
    folder = tmp_path / "other" / "raw"
    (folder / NAMES[0]).mkdir(parents=True)
    with pytest.raises(UserError, match=r"is not MNIST's file \(not a file\)"):
        fetch(folder, WITH_FALLBACK, str(mirror), silence)
