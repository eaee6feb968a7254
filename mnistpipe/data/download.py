"""Get the raw files: kept if whole, else from a mirror, else the declared fallback."""

import contextlib
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

import pooch
import requests
import urllib3
from tqdm import tqdm

from mnistpipe.data.datasets import SOURCE_FILE
from mnistpipe.data.params import Data
from mnistpipe.files.artifacts import write_json
from mnistpipe.files.errors import UserError

MIRROR_VARIABLE = "MNISTPIPE_MIRROR"
RETRY_COMMAND = "dvc repro --force --single-item fetch-data && dvc repro"

MAX_BYTES = 20_000_000  # the largest file has 9.9 MB
MAX_SECONDS = 600  # per file
TIMEOUT_S = (5, 20)  # to connect; between two pieces of the answer
N_RETRIES = 2


class _UnreachableError(Exception):
    """A source does not answer, or does not have a file: the next one may."""


class _WrongContentError(Exception):
    """A source answers with something other than the file."""


def fetch(folder: Path, data: Data, mirror: str | None, tell: Callable[[str], None]) -> str:
    """Make the folder hold the data set and return its name, `mnist` or `digits`.

    Files that are already there and whole are kept; no file of the user's is ever changed.

    Args:
        folder: of the raw files; made if it is not there.
        data: what is wanted, and whether there is a fallback.
        mirror: a folder, file://, http:// or https:// address that is tried before the public
            ones, or None.
        tell: receives lines of progress and the warning about a fallback.

    Raises:
        UserError: if a file in the folder or in the mirror is not what it should be, or if
            MNIST cannot be had and no fallback is declared.

    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _not_writable(folder, error) from error
    name = data.dataset
    if name == "mnist":
        failures = _fetch_mnist(folder, mirror, tell)
        if failures and data.fallback is None:
            raise UserError(
                "MNIST cannot be had and data.fallback is null: "
                + "; ".join(failures)
                + f". Set {MIRROR_VARIABLE} to a folder or address that holds the four files, or "
                f"put them into {folder}, and run: dvc repro"
            )
        if failures and data.fallback is not None:
            name = data.fallback
            tell(_fallback_warning(folder, failures))
    write_json(folder / SOURCE_FILE, {"dataset": name})
    return name


def mnist_md5s() -> dict[str, str]:
    """The MD5 of each of MNIST's four files, as torchvision pins them."""
    from torchvision.datasets import MNIST  # noqa: PLC0415 (takes seconds, needed here alone)

    return dict(MNIST.resources)


def public_mirrors() -> list[str]:
    """Torchvision's list of addresses."""
    from torchvision.datasets import MNIST  # noqa: PLC0415 (takes seconds, needed here alone)

    return list(MNIST.mirrors)


def _fetch_mnist(folder: Path, mirror: str | None, tell: Callable[[str], None]) -> list[str]:
    """Returns no failures if all four files are there, else why each source failed."""
    md5s = mnist_md5s()
    for file, md5 in md5s.items():
        if (folder / file).exists() and not _is_whole(folder / file, md5):
            raise UserError(
                f"{folder / file} is not MNIST's file ({_what_is(folder / file)}); nothing was "
                "changed: move it away or replace it, then run: dvc repro"
            )
    failures = []
    for source in ([mirror] if mirror else []) + public_mirrors():
        missing = {file: md5 for file, md5 in md5s.items() if not (folder / file).exists()}
        if not missing:
            break
        tell(f"Getting {len(missing)} files of MNIST from {source}")
        try:
            for file, md5 in missing.items():
                _fetch_file(source, file, md5, folder)
        except _UnreachableError as error:
            failures.append(f"{source}: {error}")
        except _WrongContentError as error:
            if source == mirror:
                raise UserError(
                    f"{MIRROR_VARIABLE}={mirror} gives a wrong {error}; mend the mirror or unset "
                    f"{MIRROR_VARIABLE}, then run: dvc repro"
                ) from error
            failures.append(f"{source}: wrong {error}")
    return failures if any(not (folder / file).exists() for file in md5s) else []


def _fetch_file(source: str, file: str, md5: str, folder: Path) -> None:
    """Bring one file to a temporary place, check it there, and move it to its own."""
    scheme = _scheme(source)
    try:
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder.parent) as temporary:
            if scheme in ("http", "https"):
                arrived = _download(source, file, md5, temporary)
            else:
                origin = Path(url2pathname(urlsplit(source).path) if scheme else source)
                arrived = _copy(origin / file, Path(temporary) / file)
            if not _is_whole(arrived, md5):
                raise _WrongContentError(f"{file} ({_what_is(arrived)})")
            arrived.replace(folder / file)
    except OSError as error:
        raise _not_writable(folder, error) from error


def _scheme(source: str) -> str:
    """`http`, `https`, `file` or, for a plain folder, nothing."""
    with contextlib.suppress(ValueError):  # as for http://[
        scheme = urlsplit(source).scheme
        if scheme in ("http", "https", "file", "") and "\0" not in unquote(source):
            return scheme
    raise UserError(
        f"{MIRROR_VARIABLE} should be a folder or a file://, http:// or https:// "
        f"address, not '{source}'."
    )


def _copy(origin: Path, target: Path) -> Path:
    try:
        opened = origin.open("rb")
    except OSError as error:
        raise _UnreachableError(f"{origin.name}: {error.strerror}") from error
    with opened, target.open("wb") as file:
        shutil.copyfileobj(opened, file)
    return target


def _download(address: str, file: str, md5: str, temporary: str) -> Path:
    files = pooch.create(
        path=temporary,
        base_url=address.rstrip("/") + "/",
        registry={file: f"md5:{md5}"},
        retry_if_failed=N_RETRIES,
    )
    pooch.get_logger().setLevel("ERROR")
    try:
        return Path(files.fetch(file, downloader=_bounded_download))
    except requests.RequestException as error:
        raise _UnreachableError(f"{file}: {_reason(error)}") from error
    except ValueError as error:  # pooch: the hash does not match
        raise _WrongContentError(f"{file} (its MD5 is not {md5})") from error


def _bounded_download(url: str, output_file: str | IO[bytes], _: pooch.Pooch) -> None:
    """A downloader for pooch with limits on silence, total time and size."""
    deadline = time.monotonic() + MAX_SECONDS
    # Not compressed once more on the way: the files' own compression is what the MD5 is of.
    as_it_is = {"Accept-Encoding": "identity"}
    with requests.get(url, stream=True, timeout=TIMEOUT_S, headers=as_it_is) as response:
        response.raise_for_status()
        announced = response.headers.get("Content-Length", "")
        total = int(announced) if announced.isdecimal() else None
        received = 0
        with (
            open(output_file, "wb") as file,  # type: ignore[arg-type]  # noqa: PTH123 (a str from pooch)
            tqdm(total=total, unit="B", unit_scale=True, desc=url, disable=None) as bar,
        ):
            for piece in _pieces(response):
                received += len(piece)
                if received > MAX_BYTES:
                    raise requests.RequestException(f"more than {MAX_BYTES:,} bytes")
                if time.monotonic() > deadline:
                    raise requests.Timeout(f"not complete after {MAX_SECONDS} seconds")
                file.write(piece)
                bar.update(len(piece))
    if total is not None and received < total:
        raise requests.ConnectionError(f"{received:,} of {total:,} bytes came")


def _pieces(response: requests.Response) -> Iterator[bytes]:
    """The body as it arrives: Requests' own pieces wait to be full, past any deadline."""
    try:
        while piece := response.raw.read1(1 << 16):
            yield piece
    except urllib3.exceptions.ReadTimeoutError as error:
        raise requests.Timeout(str(error)) from error
    except urllib3.exceptions.HTTPError as error:
        raise requests.ConnectionError(str(error)) from error


def _reason(error: requests.RequestException) -> str:
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    if isinstance(error, requests.ConnectionError):
        return "no connection"
    if error.response is not None:
        return f"status {error.response.status_code}"
    return str(error)


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def _is_whole(path: Path, md5: str) -> bool:
    try:
        return path.is_file() and _md5(path) == md5
    except OSError as error:
        raise UserError(
            f"{path} cannot be read ({error.strerror}); mend that and run: dvc repro"
        ) from error


def _not_writable(folder: Path, error: OSError) -> UserError:
    return UserError(
        f"{folder} cannot be written ({error.strerror or error}); mend that and run: dvc repro"
    )


def _what_is(path: Path) -> str:
    """What a wrong file looks like, for its error message."""
    if not path.is_file():
        return "not a file"
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(200)
    if start.lstrip().startswith(b"<"):
        return "a web page"
    if not start.startswith(b"\x1f\x8b"):
        return f"{size:,} bytes, not gzip"
    return f"{size:,} bytes, damaged, cut short or another file"


def _fallback_warning(folder: Path, failures: list[str]) -> str:
    rule = "!" * 88
    return "\n".join(
        [
            rule,
            "!! MNIST COULD NOT BE HAD. THE STUDY NOW RUNS ON SCIKIT-LEARN'S DIGITS, NOT ON MNIST.",
            "!! 1,797 small images stand in for MNIST's 70,000: no number is comparable.",
            *(f"!!   {failure}" for failure in failures),
            f"!! To get MNIST: set {MIRROR_VARIABLE} to a folder or address with the four files,",
            f"!! or put them into {os.fspath(folder)}/, then run 'make repro', or:",
            f"!!   {RETRY_COMMAND}",
            rule,
        ]
    )
