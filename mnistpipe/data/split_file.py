"""The split on the disk: written once by prepare-split, and read by all that follows."""

from pathlib import Path

import numpy as np

from mnistpipe.data.split import SIDE, Labelled, Split
from mnistpipe.files.artifacts import write_npz
from mnistpipe.files.errors import UserError

SPLIT_FILE = Path("data/split.npz")


def write_split(path: Path, split: Split) -> None:
    """Images, labels and indices of a split, with its data set's title and the classes' names."""
    arrays = {"title": np.array(split.title), "classes": np.array(split.classes)}
    for name in ("train", "validation", "test"):
        part: Labelled = getattr(split, name)
        arrays |= {f"{name}_images": part.images, f"{name}_labels": part.labels}
    arrays |= {
        "train_indices": split.train_indices,
        "validation_indices": split.validation_indices,
    }
    write_npz(path, arrays)


def read_split(path: Path = SPLIT_FILE) -> Split:
    """Read a split and check that training and validation share no image.

    Raises UserError if the file is missing, damaged or inconsistent.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            parts = {
                name: Labelled(arrays[f"{name}_images"], arrays[f"{name}_labels"])
                for name in ("train", "validation", "test")
            }
            split = Split(
                title=str(arrays["title"][()]),
                classes=tuple(arrays["classes"].tolist()),
                train_indices=arrays["train_indices"],
                validation_indices=arrays["validation_indices"],
                **parts,
            )
    except FileNotFoundError as error:
        raise UserError(f"{path} is missing; run: dvc repro prepare-split") from error
    except Exception as error:  # NumPy and zipfile raise many kinds for a damaged file
        raise UserError(f"{path} is damaged; delete it and run: dvc repro prepare-split") from error
    _check_split(path, split)
    return split


def _check_split(path: Path, split: Split) -> None:
    advice = "delete the file and run: dvc repro prepare-split"
    named = [name for name in split.classes if isinstance(name, str) and name]
    if len({*named}) != len(split.classes):
        raise UserError(f"{path}: the classes' names are inconsistent; {advice}")
    for name, part, indices in (
        ("train", split.train, split.train_indices),
        ("validation", split.validation, split.validation_indices),
        ("test", split.test, np.arange(len(split.test.images))),
    ):
        n = indices.size
        sound = (
            n > 0
            and indices.dtype == np.int64
            and indices.shape == (n,)
            and indices.min() >= 0
            and part.images.dtype == np.uint8
            and part.images.shape == (n, SIDE, SIDE)
            and part.labels.dtype == np.int64
            and part.labels.shape == (n,)
            and 0 <= part.labels.min() <= part.labels.max() < len(split.classes)
        )
        if not sound:
            raise UserError(f"{path}: the {name} part is inconsistent; {advice}")
    indices = np.concatenate([split.train_indices, split.validation_indices])
    if len(np.unique(indices)) != len(indices):
        raise UserError(
            f"{path}: an image stands more than once in training and validation together; {advice}"
        )
