import contextlib
import gzip
import hashlib
import json
import re
import time
import zipfile
from collections.abc import Callable
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import numpy as np
import pytest

from mnistpipe.data import raw_files, sources, web
from mnistpipe.data.catalogue import CATALOGUE
from mnistpipe.data.datasets import load_raw
from mnistpipe.data.download import fetch
from mnistpipe.data.params import Data
from mnistpipe.data.raw_files import MNIST_SHA256S, RawFile
from mnistpipe.files.errors import UserError
from mnistpipe.study import load_params
from tests.conftest import PARAMS_FILE
from tests.data.conftest import Serve
from tests.data.idx_files import idx
from tests.data.servers import Answer, Server, closed_address, reply

Wrap = Callable[[str], tuple[str, bytes]]

# These stand in for the real files: an image or a label each, unpacked and as published.
UNPACKED = {
    "train-images-idx3-ubyte.gz": idx(np.full((1, 28, 28), 1)),
    "train-labels-idx1-ubyte.gz": idx(np.array([2])),
    "t10k-images-idx3-ubyte.gz": idx(np.full((1, 28, 28), 3)),
    "t10k-labels-idx1-ubyte.gz": idx(np.array([4])),
}
CONTENTS = {name: gzip.compress(content, mtime=0) for name, content in UNPACKED.items()}
NAMES = sorted(CONTENTS)
TRAIN_IMAGES = "train-images-idx3-ubyte.gz"
WITH_FALLBACK = load_params(PARAMS_FILE).data
WITHOUT_FALLBACK = WITH_FALLBACK.model_copy(update={"fallback": None})


def wanted(dataset: str) -> Data:
    """Without a fallback."""
    return WITHOUT_FALLBACK.model_copy(update={"dataset": dataset})


WEB_PAGE = b"<!DOCTYPE html><title>Log in</title>"

pytestmark = pytest.mark.faults


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
def serve(start_server: Serve) -> Callable[[Answer], Server]:
    return lambda answer: start_server(answer, CONTENTS)


@pytest.fixture(autouse=True)
def public(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The list of public mirrors, empty until a test fills it; nothing leaves this machine."""
    addresses: list[str] = []
    sha256s = {
        role: hashlib.sha256(UNPACKED[file]).hexdigest()
        for role, file in CATALOGUE["mnist"].files.items()
    }
    monkeypatch.setattr(raw_files, "MNIST_SHA256S", sha256s)
    monkeypatch.setattr(raw_files, "published_md5s", dict)
    monkeypatch.setattr(sources, "public_addresses", lambda _: addresses)
    monkeypatch.setattr(web, "N_RETRIES", 0)
    monkeypatch.setattr(web, "MAX_BYTES", 1_000)
    monkeypatch.setattr(web, "TIMEOUT_S", (5, 0.7))
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


def silence(_: str) -> None:
    """For tests that are not about what is told."""


def source(raw: Path) -> object:
    return json.loads((raw / "source.json").read_text())["dataset"]


def holds(raw: Path, names: list[str], dataset: str | None) -> bool:
    """Whether the folder has just these files, whole, and no other trace was left beside it."""
    own = [] if dataset is None else ["source.json"]
    return (
        sorted(path.name for path in raw.iterdir()) == sorted(names + own)
        and all((raw / name).read_bytes() == CONTENTS[name] for name in names)
        and (dataset is None or source(raw) == dataset)
        and list(raw.parent.iterdir()) == [raw]
    )


@pytest.mark.mnist
def test_the_real_files_are_taken_from_a_mirror(
    tmp_path: Path, mnist_mirror: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(raw_files, "MNIST_SHA256S", MNIST_SHA256S)
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


def as_published(name: str) -> tuple[str, bytes]:
    return name, CONTENTS[name]


def unpacked(name: str) -> tuple[str, bytes]:
    return name.removesuffix(".gz"), UNPACKED[name]


def unpacked_on_the_way(name: str) -> tuple[str, bytes]:
    """As some browsers do."""
    return name, UNPACKED[name]


def with_a_dot(name: str) -> tuple[str, bytes]:
    return name.replace("-idx", ".idx").removesuffix(".gz"), UNPACKED[name]


def with_a_dot_packed(name: str) -> tuple[str, bytes]:
    return name.replace("-idx", ".idx"), CONTENTS[name]


def packed_by_another(name: str) -> tuple[str, bytes]:
    return name, gzip.compress(UNPACKED[name], compresslevel=1, mtime=99)


WRAPPINGS = [
    as_published,
    unpacked,
    unpacked_on_the_way,
    with_a_dot,
    with_a_dot_packed,
    packed_by_another,
]
wrapped = pytest.mark.parametrize("wrap", WRAPPINGS)


def is_loaded(raw: Path) -> bool:
    dataset = load_raw(raw)
    images = dataset.train.images[0, 0, 0], dataset.test.images[0, 0, 0]
    return (*images, dataset.train.labels[0], dataset.test.labels[0]) == (1, 3, 2, 4)


@wrapped
def test_ones_own_files_are_taken_however_they_are_wrapped(raw: Path, wrap: Wrap) -> None:
    raw.mkdir(parents=True)
    files = dict(map(wrap, NAMES))
    for name, content in files.items():
        (raw / name).write_bytes(content)
    told: list[str] = []
    assert fetch(raw, WITHOUT_FALLBACK, None, told.append) == "mnist"
    assert told == []
    assert is_loaded(raw)
    assert {path.name: path.read_bytes() for path in raw.iterdir() if path.suffix != ".json"} == (
        files
    )


@wrapped
@pytest.mark.parametrize("kind", ["folder", "file", "http"])
def test_a_mirrors_files_are_taken_however_they_are_wrapped(
    raw: Path, tmp_path: Path, start_server: Serve, wrap: Wrap, kind: str
) -> None:
    files = dict(map(wrap, NAMES))
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    for name, content in files.items():
        (mirror / name).write_bytes(content)

    def answer(request: BaseHTTPRequestHandler, body: bytes) -> None:
        reply(request, body, status=200 if body else 404)

    address = {"folder": str(mirror), "file": mirror.as_uri()}.get(kind)
    address = address or start_server(answer, files).address
    assert fetch(raw, WITHOUT_FALLBACK, address, silence) == "mnist"
    assert is_loaded(raw)
    assert {path.name for path in raw.iterdir()} == files.keys() | {"source.json"}


def test_of_two_files_of_a_kind_the_right_one_is_taken(raw: Path) -> None:
    """Also beside a folder of its name, as an archive that many have unpacks."""
    fill(raw, NAMES[1:])
    (raw / NAMES[0]).write_bytes(WEB_PAGE)
    (raw / NAMES[0].removesuffix(".gz")).mkdir()
    right, content = with_a_dot(NAMES[0])
    (raw / right).write_bytes(content)
    assert fetch(raw, WITHOUT_FALLBACK, None, silence) == "mnist"
    assert is_loaded(raw)
    assert (raw / NAMES[0]).read_bytes() == WEB_PAGE


def test_another_data_sets_file_is_called_what_it_is(
    raw: Path, mirror: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = gzip.compress(idx(np.full((1, 28, 28), 9)), mtime=0)
    (mirror / TRAIN_IMAGES).write_bytes(other)
    known = {raw_files.md5_of(other): RawFile("fashion-mnist", "train_images")}
    monkeypatch.setattr(raw_files, "published_md5s", lambda: known)
    with pytest.raises(UserError) as caught:
        fetch(raw, WITH_FALLBACK, str(mirror), silence)
    assert str(caught.value) == (
        f"MNISTPIPE_MIRROR={mirror}: {TRAIN_IMAGES} should hold the training images of MNIST, but "
        "it holds the training images of Fashion-MNIST; mend the mirror or unset "
        "MNISTPIPE_MIRROR, then run: dvc repro"
    )


def test_a_mirror_may_be_written_as_a_shell_would_read_it(
    raw: Path, mirror: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(mirror.parent))
    assert fetch(raw, WITHOUT_FALLBACK, f" ~/{mirror.name}/ \n", silence) == "mnist"
    assert holds(raw, NAMES, "mnist")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("~no-such-user/mnist", "there is no such folder"),
        ("missing", "there is no such folder"),
        ("file", "it is a file, not a folder"),
        ("empty", "it has no train-images-idx3-ubyte.gz"),
    ],
)
def test_a_mirror_without_the_files_is_told(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, reason: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        UserError, match=f"and data.fallback is null: MNISTPIPE_MIRROR={name}: {reason}. "
    ):
        fetch(raw, WITHOUT_FALLBACK, name, silence)


def test_a_password_in_the_mirrors_address_is_not_shown(raw: Path) -> None:
    told: list[str] = []
    address = closed_address()
    fetch(raw, WITH_FALLBACK, address.replace("//", "//me:secret@"), told.append)
    assert address in told[-1]
    assert "secret" not in "".join(told)


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
        (WEB_PAGE, "is a web page"),
        (b"my notes", "is not an IDX file of images or labels"),
        (b"", "is not an IDX file of images or labels"),
        (gzip.compress(b"x", mtime=0), "is not an IDX file of images or labels"),
        (CONTENTS[NAMES[0]][:-1], "is damaged or cut short"),
        (UNPACKED[NAMES[0]][:-1], "announces 784 bytes of data but holds 783: it is damaged or"),
        (idx(np.zeros((2, 28, 28))), "holds other images (2 of 28 x 28 pixels)"),
        (UNPACKED[NAMES[1]], "holds the test labels of MNIST"),
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
    text = str(caught.value)
    assert text.startswith(f"{wrong} should hold the test images of MNIST, but it {kind}")
    assert text.endswith("; nothing was changed: move it away or replace it, then run: dvc repro")
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
        f"MNISTPIPE_MIRROR={mirror}: {NAMES[0]} should hold the test images of MNIST, but it is a "
        "web page; mend the mirror or unset MNISTPIPE_MIRROR, then run: dvc repro"
    )
    assert server.requested == []
    assert NAMES[0] not in [path.name for path in raw.iterdir()]
    assert list(raw.parent.iterdir()) == [raw]


def test_a_web_page_instead_of_the_mirrors_file_is_an_error(
    raw: Path, serve: Callable[[Answer], Server]
) -> None:
    address = serve(web_page).address
    with pytest.raises(
        UserError, match=f"^MNISTPIPE_MIRROR={address}: .* it is a web page; mend the"
    ):
        fetch(raw, WITH_FALLBACK, address, silence)
    assert holds(raw, [], None)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (not_found, "status 404"),
        (broken, "status 500"),
        (too_large, "more than 1,000 bytes"),
        (cut_short, "the connection was cut off"),
        (silent, "no answer in time"),
        (falling_silent, "no answer in time"),
        (web_page, "but it is a web page"),
        (another_file, "but it is not an IDX file"),
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
    assert len(failing.requested) == (4 if answer is not_found else 1)  # names of the file

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

    monkeypatch.setattr(web, "N_RETRIES", 1)
    monkeypatch.setattr("mnistpipe.data.web.PAUSE_S", 0.0)
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
    assert f"{no_folder}: there is no such folder" in warning
    assert f"{unreachable}: {TRAIN_IMAGES}: the server refuses the connection" in warning
    assert "set MNISTPIPE_MIRROR to a folder or address with the four files" in warning
    assert f"or put them into {raw}/" in warning
    assert "dvc repro --force fetch-data && dvc repro" in warning


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


def test_what_a_killed_download_left_is_removed(raw: Path, mirror: Path) -> None:
    left, other = raw.parent / ".fetch-abc", raw.parent / "mine"
    for folder in (left, other):
        fill(folder, NAMES[:1])
    assert fetch(raw, WITH_FALLBACK, str(mirror), silence) == "mnist"
    assert not left.exists()
    assert other.exists()


def test_the_real_data_replace_the_fallback_once_there_is_a_mirror(raw: Path, mirror: Path) -> None:
    missing = str(mirror / "missing")
    assert fetch(raw, WITH_FALLBACK, missing, silence) == "digits"
    assert source(raw) == "digits"
    assert fetch(raw, WITH_FALLBACK, str(mirror), silence) == "mnist"
    assert holds(raw, NAMES, "mnist")


def test_digits_need_no_network(
    raw: Path, public: list[str], serve: Callable[[Answer], Server]
) -> None:
    server = serve(reply)
    public.append(server.address)
    told: list[str] = []
    data = wanted("digits")
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
        "MNISTPIPE_MIRROR should be a folder or a file:///, http:// or https:// address, "
        f"not '{mirror}'."
    )
    assert holds(raw, [], None)


def test_a_download_that_trickles_is_given_up_at_the_deadline(
    raw: Path, serve: Callable[[Answer], Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "MAX_SECONDS", 0.2)
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
    with pytest.raises(UserError, match=r"the test images of MNIST, but it is a folder"):
        fetch(folder, WITH_FALLBACK, str(mirror), silence)


def stand_ins(monkeypatch: pytest.MonkeyPatch, dataset: str, grey: int) -> dict[str, bytes]:
    """Files in the data set's form: an image and a label of this number, and the next for tests."""
    entry = replace(CATALOGUE[dataset], counts=(1, 1))
    monkeypatch.setitem(CATALOGUE, dataset, entry)
    arrays = {
        "train_images": np.full((1, 28, 28), grey),
        "train_labels": np.array([grey]),
        "test_images": np.full((1, 28, 28), grey + 1),
        "test_labels": np.array([grey + 1]),
    }
    return {file: gzip.compress(idx(arrays[role]), mtime=0) for role, file in entry.files.items()}


def pin(monkeypatch: pytest.MonkeyPatch, dataset: str, files: dict[str, bytes]) -> None:
    known = {raw_files.md5_of(files[file.names[0]]): file for file in raw_files.raw_files(dataset)}
    monkeypatch.setattr(raw_files, "published_md5s", lambda: known)


FASHION = wanted("fashion-mnist")
LETTERS = wanted("emnist-letters")


def test_data_sets_are_switched_without_another_download_or_a_changed_file(
    raw: Path,
    public: list[str],
    mirror: Path,
    start_server: Serve,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fashion = stand_ins(monkeypatch, "fashion-mnist", 7)
    pin(monkeypatch, "fashion-mnist", fashion)
    server = start_server(reply, fashion)
    public.append(server.address)
    assert fetch(raw, WITHOUT_FALLBACK, str(mirror), silence) == "mnist"
    as_mnist = (raw / "source.json").read_bytes()
    told: list[str] = []
    assert fetch(raw, FASHION, None, told.append) == "fashion-mnist"
    assert told == [f"Getting 4 files of Fashion-MNIST from {server.address}"]
    dataset = load_raw(raw)
    assert (dataset.title, dataset.classes[7]) == ("Fashion-MNIST", "Sneaker")
    assert (dataset.train.images[0, 0, 0], dataset.test.labels[0]) == (7, 8)

    assert fetch(raw, WITHOUT_FALLBACK, None, silence) == "mnist"
    assert is_loaded(raw)
    assert (raw / "source.json").read_bytes() == as_mnist
    assert fetch(raw, FASHION, None, silence) == "fashion-mnist"
    assert len(server.requested) == 4
    assert all((raw / name).read_bytes() == CONTENTS[name] for name in NAMES)


def test_a_file_for_which_no_digest_is_known_is_taken_by_its_form_with_a_line(
    raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside the data set's own folder, too, where people put MNIST's."""
    raw.mkdir(parents=True)
    for name, content in stand_ins(monkeypatch, "kmnist", 5).items():
        (raw / name.removesuffix(".gz")).write_bytes(gzip.decompress(content))
    told: list[str] = []
    assert fetch(raw, wanted("kmnist"), None, told.append) == "kmnist"
    assert load_raw(raw).classes[5] == "ha"
    assert len(told) == 4
    assert told[0] == (
        f"{raw}/train-images-idx3-ubyte is taken for the training images of KMNIST by its form "
        "alone: a digest is known only of the packed file as published"
    )


def test_a_public_file_for_which_no_digest_is_known_is_refused(
    raw: Path, public: list[str], start_server: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    public.append(start_server(reply, stand_ins(monkeypatch, "fashion-mnist", 7)).address)
    with pytest.raises(UserError, match=f": {TRAIN_IMAGES} is not the published file. Set MNIST"):
        fetch(raw, FASHION, None, silence)


def test_a_mirror_of_mnist_lacks_the_others(
    raw: Path,
    public: list[str],
    mirror: Path,
    start_server: Serve,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fashion = stand_ins(monkeypatch, "fashion-mnist", 7)
    pin(monkeypatch, "fashion-mnist", fashion)
    lacking = (
        f"MNISTPIPE_MIRROR={mirror}: {TRAIN_IMAGES} should hold the training images of "
        "Fashion-MNIST, but it holds the training images of MNIST"
    )
    public.append(closed_address())
    with pytest.raises(UserError, match=re.escape(f"data.fallback is null: {lacking}; ")):
        fetch(raw, FASHION, str(mirror), silence)
    assert list(raw.iterdir()) == []
    public[:] = [start_server(reply, fashion).address]
    assert fetch(raw, FASHION, str(mirror), silence) == "fashion-mnist"


def test_another_data_sets_file_in_mnists_place_is_an_error_that_says_where_it_belongs(
    raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fashion = stand_ins(monkeypatch, "fashion-mnist", 7)
    pin(monkeypatch, "fashion-mnist", fashion)
    raw.mkdir(parents=True)
    (raw / TRAIN_IMAGES).write_bytes(fashion[TRAIN_IMAGES])
    with pytest.raises(UserError) as caught:
        fetch(raw, WITH_FALLBACK, None, silence)
    assert str(caught.value) == (
        f"{raw}/{TRAIN_IMAGES} should hold the training images of MNIST, but it holds the training "
        f"images of Fashion-MNIST; nothing was changed: move it to {raw}/fashion-mnist/, then run: "
        "dvc repro"
    )


@pytest.mark.parametrize("place", ["public", "folder", "address", "files"])
def test_emnists_files_come_from_its_archive_or_by_themselves(
    raw: Path,
    tmp_path: Path,
    public: list[str],
    start_server: Serve,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
) -> None:
    files = stand_ins(monkeypatch, "emnist-letters", 6)
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    with zipfile.ZipFile(mirror / "gzip.zip", "w") as archive:
        for name, content in files.items():
            archive.writestr(f"gzip/{name}", content)
    packed = (mirror / "gzip.zip").read_bytes()
    monkeypatch.setattr(sources, "archive_md5", lambda: raw_files.md5_of(packed))

    def answer(request: BaseHTTPRequestHandler, body: bytes) -> None:
        reply(request, body, status=200 if body else 404)

    server = start_server(answer, {"gzip.zip": packed})
    if place == "public":
        public.append(server.address)
    elif place == "files":
        (mirror / "gzip.zip").unlink()
        for name, content in files.items():
            (mirror / name).write_bytes(content)
    asked = {"public": None, "address": server.address}.get(place, str(mirror))
    assert fetch(raw, LETTERS, asked, silence) == "emnist-letters"
    dataset = load_raw(raw)
    assert (dataset.title, dataset.train.labels.tolist()) == ("EMNIST Letters", [5])
    assert {path.name for path in (raw / "emnist-letters").iterdir()} == files.keys()
    told: list[str] = []
    assert fetch(raw, LETTERS, None, told.append) == "emnist-letters"
    assert len(told) == 4
    assert told[0].endswith(" alone: a digest is known only of EMNIST's archive gzip.zip")
    assert list(raw.parent.iterdir()) == [raw]


def test_another_archive_than_emnists_is_an_error(raw: Path, tmp_path: Path) -> None:
    (tmp_path / "gzip.zip").write_bytes(WEB_PAGE)
    with pytest.raises(UserError, match=r"gzip\.zip is not EMNIST's archive: it has another MD5;"):
        fetch(raw, LETTERS, str(tmp_path), silence)


@pytest.mark.parametrize("name", [name for name in CATALOGUE if name != "digits"])
def test_the_fallback_stands_in_for_each_data_set(raw: Path, public: list[str], name: str) -> None:
    public.append(closed_address())
    told: list[str] = []
    assert (
        fetch(raw, WITH_FALLBACK.model_copy(update={"dataset": name}), None, told.append)
        == "digits"
    )
    assert f"{CATALOGUE[name].title.upper()} COULD NOT BE HAD" in told[-1]
    assert load_raw(raw).title == "scikit-learn digits (not MNIST)"
