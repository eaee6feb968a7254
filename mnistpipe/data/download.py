"""Get the raw files: kept if right, else from a mirror, else the declared fallback."""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from mnistpipe.data.catalogue import CATALOGUE
from mnistpipe.data.datasets import write_source
from mnistpipe.data.params import Data
from mnistpipe.data.raw_files import (
    OtherDatasetError,
    RawFile,
    WrongFileError,
    check,
    find,
    raw_files,
    recognise,
)
from mnistpipe.data.sources import (
    ARCHIVE,
    MIRROR_VARIABLE,
    Source,
    bring_files,
    is_archived,
    sources,
)
from mnistpipe.data.web import UnreachableError, without_password
from mnistpipe.files.errors import UserError

# Forced, so that it runs although nothing has changed; the stage `code` before it runs, too.
RETRY_COMMAND = "dvc repro --force fetch-data && dvc repro"
_TEMPORARY = ".fetch-"  # with which the names of folders begin, beside that of the raw files


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
    for cut_off in folder.parent.glob(f"{_TEMPORARY}*"):  # by a kill, which leaves them
        shutil.rmtree(cut_off, ignore_errors=True)
    name = data.dataset
    files, failures = _fetch_all(folder, name, (mirror or "").strip(), tell)
    title = CATALOGUE[name].title
    if failures and data.fallback is None:
        raise UserError(
            f"{title} cannot be had and data.fallback is null: "
            + "; ".join(failures)
            + f". Set {MIRROR_VARIABLE} to a folder or address that holds the four files, or "
            f"put them into {_home(folder, name)}, and run: dvc repro"
        )
    if failures and data.fallback is not None:
        tell(_fallback_warning(_home(folder, name), title, failures))
        name, files = data.fallback, {}
    pinned = f"EMNIST's archive {ARCHIVE}" if is_archived(name) else "the packed file as published"
    for role, path in files.items():
        if recognise(path) is None:
            tell(
                f"{path} is taken for {RawFile(name, role)} by its form alone: "
                f"a digest is known only of {pinned}"
            )
    write_source(
        folder, name, {role: path.relative_to(folder).as_posix() for role, path in files.items()}
    )
    return name


def _home(folder: Path, dataset: str) -> Path:
    """Where a data set's files are put: several have files of the same names."""
    return folder if dataset == "mnist" else folder / dataset


def _fetch_all(
    folder: Path, dataset: str, mirror: str, tell: Callable[[str], None]
) -> tuple[dict[str, Path], list[str]]:
    """The files by their roles and, if they are not all there, why each source failed."""
    files, failures = dict[str, Path](), list[str]()
    for wanted in raw_files(dataset):
        path = _find_own(folder, wanted)
        if path is not None:
            files[wanted.role] = path
    missing = [wanted for wanted in raw_files(dataset) if wanted.role not in files]
    for source in sources(dataset, mirror) if missing else ():
        shown = without_password(source.address)
        tell(f"Getting {len(missing)} files of {missing[0].title} from {shown}")
        if not source.is_public:
            shown = f"{MIRROR_VARIABLE}={shown}"
        try:
            _fetch_from(source, missing, folder, files)
        except (UnreachableError, WrongFileError) as error:
            # A mirror of MNIST lacks the other data sets; any other wrong file is a mistake.
            is_lacking = isinstance(error, OtherDatasetError) and error.dataset == "mnist"
            if isinstance(error, WrongFileError) and not (source.is_public or is_lacking):
                raise UserError(
                    f"{shown}: {error}; mend the mirror or unset {MIRROR_VARIABLE}, "
                    "then run: dvc repro"
                ) from error
            failures.append(f"{shown}: {error}")
        missing = [wanted for wanted in missing if wanted.role not in files]
        if not missing:
            return files, []
    return files, failures


def _find_own(folder: Path, wanted: RawFile) -> Path | None:
    """The file that the user or an earlier run put into the data set's own folder or beside it.

    Raises UserError if what is there is wrong; beside it, another data set's is none of ours.
    """
    home = _home(folder, wanted.dataset)
    for place in dict.fromkeys((home, folder)):
        try:
            path = find(place, wanted)
        except WrongFileError as error:
            advice = "move it away or replace it"
            if isinstance(error, OtherDatasetError):
                if place != home:
                    continue
                advice = f"move it to {_home(folder, error.dataset)}/"
            raise UserError(
                f"{place}/{error}; nothing was changed: {advice}, then run: dvc repro"
            ) from error
        if path is not None:
            return path
    return None


def _fetch_from(
    source: Source, missing: list[RawFile], folder: Path, files: dict[str, Path]
) -> None:
    """Let each file come to a temporary place, check it there, and move it to its own.

    Those that have arrived are in `files`, whatever is raised for the next.
    """
    home = _home(folder, missing[0].dataset)
    try:
        with tempfile.TemporaryDirectory(prefix=_TEMPORARY, dir=folder.parent) as temporary:
            for wanted, arrived in source.bring(source.address, missing, Path(temporary)):
                check(arrived, wanted)
                # An archive has been checked as a whole.
                if source.is_public and source.bring is bring_files and recognise(arrived) is None:
                    raise WrongFileError(f"{arrived.name} is not the published file")
                home.mkdir(exist_ok=True)
                with arrived.open("rb") as whole:  # a power cut must not leave its name alone
                    os.fsync(whole.fileno())
                files[wanted.role] = arrived.replace(home / arrived.name)
    except OSError as error:
        raise _not_writable(home, error) from error


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
