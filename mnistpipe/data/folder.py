"""Your own images: a folder of them for each class, read into arrays."""

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import joblib
import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from tqdm import tqdm

from mnistpipe.data.catalogue import TITLE_ENDS
from mnistpipe.data.datasets import Dataset
from mnistpipe.data.split import SIDE, Labelled, nested_subset
from mnistpipe.files.errors import UserError
from mnistpipe.images.prepare import PREPARATIONS, EmptyImageError, Preparation
from mnistpipe.images.read import read_image

TEST_FRACTION, TEST_SEED = 0.2, 0  # of each class of train/, where there is no test/
LEAST_CLASSES, MOST_CLASSES = 2, 100
PASSED_OVER, PASSED_OVER_SHARE = 3, 0.01  # files that are no images: so many, or so large a share
AT_ONCE = 250  # images that a process is given at a time
_NO_IMAGES = {"thumbs.db", "desktop.ini"}  # what Windows leaves; others leave hidden files
_SHOWN = 5  # names in a sentence


@dataclass(frozen=True)
class _Listed:
    """The files of a part of the data set, in their order, with their class numbers."""

    paths: list[Path]
    labels: list[int]


def read_folder(folder: Path, preparation: Preparation, tell: Callable[[str], None]) -> Dataset:
    """The data set whose images lie in `train/CLASS/`, `val/CLASS/` and `test/CLASS/`.

    They may lie deeper, too; hidden files are none. Classes are ordered by their names, and the
    images of a part by their files' names, then by their paths: in both, numbers count as numbers,
    so that 2 stands before 10. Without `test/` a fifth of each class of `train/`, always the same,
    is the test set.

    Args:
        folder: with these folders in it.
        preparation: how a picture becomes an image of 28x28 grey levels.
        tell: receives a line about files that are passed over.

    Raises:
        UserError: if the folder is not so built, has other than 2 to 100 classes or one without
            images, or if more than a few files are no images.

    """
    places = _find_parts(folder)
    classes = _name_classes(places["train"])
    listed = {part: _list_images(place, classes) for part, place in places.items()}
    arrays, errors = _read_images([p for each in listed.values() for p in each.paths], preparation)
    notes = _pass_over(folder, errors, len(arrays), tell)
    parts, start = {}, 0
    for part, each in listed.items():
        end = start + len(each.paths)
        sound = [place for place in range(start, end) if place not in errors]
        labels = np.array(each.labels, dtype=np.int64)[np.array(sound, dtype=np.int64) - start]
        parts[part] = Labelled(arrays[sound], labels)
        start = end
    _check_classes(places["train"], parts["train"], classes)
    if "validation" in parts:
        notes.append(
            f"the validation set is {places['validation'].name}/: "
            "prepare-split.validation_fraction is not used"
        )
    if "test" not in parts:
        parts |= _set_tests_aside(places["train"], parts["train"], classes)
        notes.append("without test/, a fifth of each class of train/ is the test set")
    name = folder.resolve().name
    return Dataset(f"{name} {TITLE_ENDS[preparation]}", classes, **parts, notes=tuple(notes))


def check_folder(folder: Path) -> None:
    """Raises UserError like `read_folder` where a look at its folders tells it."""
    _name_classes(_find_parts(folder)["train"])


def _find_parts(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        what = "no folder" if folder.exists() else "missing"
        raise UserError(f"data.folder: {folder} is {what}; name the one that holds train/.")
    names = {"train": ["train"], "validation": ["val", "validation"], "test": ["test"]}
    found = {
        part: [folder / name for name in each if (folder / name).is_dir()]
        for part, each in names.items()
    }
    if not found["train"]:
        raise UserError(
            f"data.folder: {folder} holds no folder train/; put the images of each class into "
            "train/CLASS/, and those to test on into test/CLASS/."
        )
    if len(found["validation"]) > 1:
        raise UserError(f"data.folder: {folder} holds both val/ and validation/; remove one.")
    return {part: places[0] for part, places in found.items() if places}


def _name_classes(train: Path) -> tuple[str, ...]:
    names = [path.name for path in _folders(train)]
    if not LEAST_CLASSES <= len(names) <= MOST_CLASSES:
        raise UserError(
            f"{train} holds the folders of {len(names)} classes "
            f"({_few(names) or 'none'}), and a study needs {LEAST_CLASSES} to {MOST_CLASSES}: "
            "one folder for each, named like it."
        )
    for name in names:
        if not name.isprintable() or name != name.strip():
            raise UserError(
                f"{train} holds a class whose name cannot be shown, {name!r}; rename the folder."
            )
    return tuple(names)


def _folders(place: Path) -> list[Path]:
    """Those of its folders that are not hidden, by their names."""
    found = [path for path in place.iterdir() if path.is_dir() and not path.name.startswith(".")]
    return sorted(found, key=lambda path: natural(path.name))


def natural(name: str) -> tuple[object, ...]:
    """A key to sort names by, in which numbers count as numbers: 2 stands before 10."""
    words = re.split(r"(\d+)", name.casefold())
    return tuple(int(word) if place % 2 else word for place, word in enumerate(words)), name


def _list_images(place: Path, classes: Sequence[str]) -> _Listed:
    numbers = {name: number for number, name in enumerate(classes)}
    found = []
    for folder in _folders(place):
        if folder.name not in numbers:
            raise UserError(
                f"{folder} is of a class that train/ does not have; "
                f"put images of it into train/{folder.name}/, too, or remove it."
            )
        found += [(path, numbers[folder.name]) for path in _walk(folder)]
    found.sort(key=lambda each: (natural(each[0].name), natural(str(each[0]))))
    if not found:
        raise UserError(f"{place} holds no images; put those of each class into {place}/CLASS/.")
    return _Listed([path for path, _ in found], [number for _, number in found])


def _walk(folder: Path) -> Iterable[Path]:
    """All files in it, at any depth, but for hidden ones."""
    for parent, folders, names in os.walk(folder, onerror=_raise):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for path in (Path(parent), *(Path(parent, name) for name in folders)):
            if path.is_symlink():
                raise UserError(
                    f"{path} is a link to a folder, behind which DVC would see no change; "
                    "put the folder itself there."
                )
        for name in names:
            if not name.startswith(".") and name.lower() not in _NO_IMAGES:
                yield Path(parent, name)


def _raise(error: OSError) -> None:
    raise UserError(f"{error.filename} cannot be read: {error.strerror}.") from error


def _read_images(
    paths: Sequence[Path], preparation: Preparation
) -> tuple[UInt8[ndarray, "n 28 28"], dict[int, str]]:
    """All images, in order, and by its place what is wrong with a file that is none."""
    starts = range(0, len(paths), AT_ONCE)
    # A second process takes as long to start as some thousands of images.
    n_jobs = min(joblib.cpu_count(), 1 + len(paths) // 4000)
    images = np.zeros((len(paths), SIDE, SIDE), dtype=np.uint8)
    errors: dict[int, str] = {}
    pieces = joblib.Parallel(n_jobs=n_jobs, return_as="generator")(
        joblib.delayed(_read_some)(paths[start : start + AT_ONCE], preparation) for start in starts
    )
    with tqdm(total=len(paths), desc="Reading images", unit="", disable=None) as bar:
        for start, (some, wrong) in zip(starts, pieces, strict=True):
            images[start : start + len(some)] = some
            errors |= {start + place: what for place, what in wrong.items()}
            bar.update(len(some))
    return images, errors


def _read_some(
    paths: Sequence[Path], preparation: Preparation
) -> tuple[UInt8[ndarray, "n 28 28"], dict[int, str]]:
    images = np.zeros((len(paths), SIDE, SIDE), dtype=np.uint8)
    errors: dict[int, str] = {}
    for place, path in enumerate(paths):
        try:
            images[place] = PREPARATIONS[preparation](read_image(path))
        except EmptyImageError as error:
            errors[place] = f"{path} {error}"
        except UserError as error:
            errors[place] = str(error)
    return images, errors


def _pass_over(
    folder: Path, errors: Mapping[int, str], n_files: int, tell: Callable[[str], None]
) -> list[str]:
    if not errors:
        return []
    most = max(PASSED_OVER, int(PASSED_OVER_SHARE * n_files))
    count = f"{len(errors):,} of {n_files:,} files in {folder} cannot be used"
    if len(errors) > most:
        raise UserError(
            f"{count}, and no more than {most:,} are passed over; mend or remove them. "
            f"{_few([*errors.values()], ' ')}"
        )
    tell(f"{count} and {'is' if len(errors) == 1 else 'are'} passed over:")
    for error in errors.values():
        tell(f"  {error}")
    return [f"{len(errors):,} of {n_files:,} files are no images, and passed over"]


def _check_classes(train: Path, examples: Labelled, classes: Sequence[str]) -> None:
    counts = np.bincount(examples.labels, minlength=len(classes))
    for name, count in zip(classes, counts, strict=True):
        if count == 0:
            raise UserError(f"{train / name} holds no image; put some there or remove it.")


def _set_tests_aside(
    train: Path, examples: Labelled, classes: Sequence[str]
) -> dict[str, Labelled]:
    for name, count in zip(classes, np.bincount(examples.labels), strict=True):
        if round(TEST_FRACTION * count) == 0:
            raise UserError(
                f"{train / name} holds too few images ({count}) to set a fifth aside for tests; "
                "add some, or a folder test/ beside train/."
            )
    chosen = nested_subset(examples.labels, classes, TEST_FRACTION, TEST_SEED, "test/")
    is_test = np.isin(np.arange(len(examples)), chosen)
    return {
        "train": Labelled(examples.images[~is_test], examples.labels[~is_test]),
        "test": Labelled(examples.images[is_test], examples.labels[is_test]),
    }


def _few(texts: Sequence[str], between: str = ", ") -> str:
    """The first ones."""
    return between.join([*texts[:_SHOWN], *(["..."] if len(texts) > _SHOWN else [])])
