"""Get the raw files: kept if right, else from a mirror, else the declared fallback."""

import contextlib
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from mnistpipe.data.catalogue import CATALOGUE
from mnistpipe.data.datasets import write_source
from mnistpipe.data.params import Data
from mnistpipe.data.raw_files import RawFile, WrongFileError, check, find, raw_files
from mnistpipe.data.web import NotThereError, UnreachableError, download, without_password
from mnistpipe.files.errors import UserError

MIRROR_VARIABLE = "MNISTPIPE_MIRROR"
# Forced, so that it runs although nothing has changed; the stage `code` before it runs, too.
RETRY_COMMAND = "dvc repro --force fetch-data && dvc repro"


def fetch(folder: Path, data: Data, mirror: str | None, tell: Callable[[str], None]) -> str:
    """Make the folder hold the data set and return its name: the wanted one's or the fallback's.

    Files that are already there and right are kept; no file of the user's is ever changed.

    Args:
        folder: of the raw files; made if it is not there.
        data: what is wanted, and whether there is a fallback.
        mirror: a folder, file://, http:// or https:// address that is tried before the public
            ones, or None.
        tell: receives lines of progress and the warning about a fallback.

    Raises:
        UserError: if a file in the folder or in the mirror is not what it should be, or if
            the data set cannot be had and no fallback is declared.

    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _not_writable(folder, error) from error
    name = data.dataset
    files, failures = _fetch_all(folder, raw_files(name), (mirror or "").strip(), tell)
    if failures and data.fallback is None:
        raise UserError(
            f"{CATALOGUE[name].title} cannot be had and data.fallback is null: "
            + "; ".join(failures)
            + f". Set {MIRROR_VARIABLE} to a folder or address that holds the four files, or "
            f"put them into {folder}, and run: dvc repro"
        )
    if failures and data.fallback is not None:
        tell(_fallback_warning(folder, CATALOGUE[name].title, failures))
        name, files = data.fallback, {}
    write_source(folder, name, {role: path.name for role, path in files.items()})
    return name


def public_mirrors() -> list[str]:
    """Torchvision's list of addresses."""
    from torchvision.datasets import MNIST  # noqa: PLC0415 (takes seconds, seldom needed)

    return list(MNIST.mirrors)


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


def _fetch_all(
    folder: Path, wanted: list[RawFile], mirror: str, tell: Callable[[str], None]
) -> tuple[dict[str, Path], list[str]]:
    """The files by their roles and, if they are not all there, why each source failed."""
    files, failures = dict[str, Path](), list[str]()
    for file in wanted:
        try:
            path = find(folder, file)
        except WrongFileError as error:
            raise UserError(
                f"{folder}/{error}; nothing was changed: move it away or replace it, "
                "then run: dvc repro"
            ) from error
        if path is not None:
            files[file.role] = path
    missing = [file for file in wanted if file.role not in files]
    for source in [mirror] * bool(mirror) + (public_mirrors() if missing else []):
        if not missing:
            break
        tell(f"Getting {len(missing)} files of {missing[0].title} from {without_password(source)}")
        try:
            while missing:
                files[missing[0].role] = _fetch_file(source, missing[0], folder)
                missing.pop(0)
        except UnreachableError as error:
            failures.append(f"{without_password(source)}: {error}")
        except WrongFileError as error:
            if source == mirror:
                raise UserError(
                    f"{MIRROR_VARIABLE}={without_password(mirror)}: {error}; mend the mirror or "
                    f"unset {MIRROR_VARIABLE}, then run: dvc repro"
                ) from error
            failures.append(f"{without_password(source)}: {error}")
    return files, failures if missing else []


def _fetch_file(source: str, wanted: RawFile, folder: Path) -> Path:
    """Bring one file to a temporary place, check it there, and move it to its own."""
    mirror = local_folder(source)
    try:
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder.parent) as temporary:
            if mirror is None:
                arrived = _download(source, wanted, Path(temporary))
                check(arrived, wanted)
            else:
                arrived = _copy(mirror, wanted, Path(temporary))
            return arrived.replace(folder / arrived.name)
    except OSError as error:
        raise _not_writable(folder, error) from error


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


def _not_writable(folder: Path, error: OSError) -> UserError:
    return UserError(
        f"{folder} cannot be written ({error.strerror or error}); mend that and run: dvc repro"
    )


def _fallback_warning(folder: Path, title: str, failures: list[str]) -> str:
    rule = "!" * 88
    return "\n".join(
        [
            rule,
            f"!! {title.upper()} COULD NOT BE HAD. THE STUDY NOW RUNS ON SCIKIT-LEARN'S DIGITS, "
            f"NOT ON {title.upper()}.",
            "!! It has 1,797 small images: no number is comparable.",
            *(f"!!   {failure}" for failure in failures),
            f"!! To get {title}: set {MIRROR_VARIABLE} to a folder or address with the four files,",
            f"!! or put them into {folder}/, then run 'make repro', or:",
            f"!!   {RETRY_COMMAND}",
            rule,
        ]
    )
