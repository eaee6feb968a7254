"""Where the raw files come from: a mirror of the user's, and the public addresses."""

import contextlib
import hashlib
import shutil
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from mnistpipe.data.raw_files import RawFile, WrongFileError, find
from mnistpipe.data.web import NotThereError, UnreachableError, download
from mnistpipe.files.errors import UserError

MIRROR_VARIABLE = "MNISTPIPE_MIRROR"
ARCHIVE = "gzip.zip"  # EMNIST's; 562 MB
ARCHIVE_SCALE = 4  # what it may have and take, compared with other files


Arriving = Iterator[tuple[RawFile, Path]]


@dataclass(frozen=True)
class Source:
    """Where files may be had.

    Attributes:
        address: or a folder.
        bring: yields the wanted files one by one, each brought to a temporary place; raises
            UnreachableError or WrongFileError.
        is_public: whether it is none of the user's.

    """

    address: str
    bring: Callable[[str, list[RawFile], Path], Arriving]
    is_public: bool


def is_archived(dataset: str) -> bool:
    """Whether its files are published in EMNIST's archive alone."""
    return dataset.startswith("emnist-")


def sources(dataset: str, mirror: str) -> Iterator[Source]:
    """In the order in which they are asked."""
    if mirror:
        yield Source(mirror, bring_files, is_public=False)
        if is_archived(dataset):
            yield Source(mirror, bring_from_archive, is_public=False)
    for address in public_addresses(dataset):
        yield Source(
            address, bring_from_archive if is_archived(dataset) else bring_files, is_public=True
        )


def local_folder(source: str) -> Path | None:
    """The folder that a source names, or None if it is an address of the web.

    Raises UserError if it is neither.
    """
    with contextlib.suppress(ValueError):  # as for http://[
        parts = urlsplit(source)
        if parts.scheme in ("http", "https"):
            return None
        if "\0" not in unquote(source):
            if parts.scheme == "file" and parts.netloc in ("", "localhost"):
                return Path(url2pathname(parts.path))
            if parts.scheme == "":
                with contextlib.suppress(RuntimeError):  # there is no such user
                    return Path(source).expanduser()
                return Path(source)
    raise UserError(
        f"{MIRROR_VARIABLE} should be a folder or a file:///, http:// or https:// "
        f"address, not '{source}'."
    )


def public_addresses(dataset: str) -> list[str]:
    """Torchvision's."""
    from torchvision import datasets  # noqa: PLC0415 (takes seconds, seldom needed)

    published = {
        "mnist": datasets.MNIST.mirrors,
        "fashion-mnist": datasets.FashionMNIST.mirrors,
        "kmnist": datasets.KMNIST.mirrors,
    }
    return list(published.get(dataset, [datasets.EMNIST.url.removesuffix(ARCHIVE)]))


def archive_md5() -> str:
    """The MD5 of EMNIST's archive, as torchvision pins it."""
    from torchvision.datasets import EMNIST  # noqa: PLC0415 (takes seconds, seldom needed)

    return str(EMNIST.md5)


def bring_files(address: str, missing: list[RawFile], temporary: Path) -> Arriving:
    """From files of their own."""
    mirror = local_folder(address)
    for wanted in missing:
        if mirror is None:
            yield wanted, _download(address, wanted, temporary)
        else:
            yield wanted, _copy(mirror, wanted, temporary)


def bring_from_archive(address: str, missing: list[RawFile], temporary: Path) -> Arriving:
    """From EMNIST's archive."""
    mirror = local_folder(address)
    archive = (temporary if mirror is None else mirror) / ARCHIVE
    if mirror is None:
        download(f"{address.rstrip('/')}/{ARCHIVE}", archive, ARCHIVE_SCALE)
    elif not archive.exists():
        raise UnreachableError(f"it has no {ARCHIVE}")
    with archive.open("rb") as file:
        if hashlib.file_digest(file, "md5").hexdigest() != archive_md5():
            raise WrongFileError(f"{ARCHIVE} is not EMNIST's archive: it has another MD5")
    with zipfile.ZipFile(archive) as packed:
        members = {PurePosixPath(name).name: name for name in packed.namelist()}
        for wanted in missing:
            target = temporary / wanted.names[0]
            with packed.open(members[target.name]) as member, target.open("wb") as file:
                shutil.copyfileobj(member, file)
            yield wanted, target


def _copy(mirror: Path, wanted: RawFile, temporary: Path) -> Path:
    try:
        if not mirror.is_dir():
            raise UnreachableError(
                "it is a file, not a folder" if mirror.exists() else "there is no such folder"
            )
        path = find(mirror, wanted)
    except OSError as error:
        raise UnreachableError(f"{error.strerror}") from error
    if path is None:
        raise UnreachableError(f"it has no {wanted.names[0]}")
    return Path(shutil.copyfile(path, temporary / path.name))


def _download(address: str, wanted: RawFile, temporary: Path) -> Path:
    """The file under the first of its names that the server knows."""
    errors = []
    for name in wanted.names:
        try:
            download(f"{address.rstrip('/')}/{name}", temporary / name)
        except NotThereError as error:
            errors.append(error)
        except UnreachableError as error:
            raise UnreachableError(f"{name}: {error}") from error
        else:
            return temporary / name
    raise UnreachableError(f"{wanted.names[0]}: {errors[0]}") from errors[0]
