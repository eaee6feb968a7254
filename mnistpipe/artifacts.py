"""Reading and writing the pipeline's own files. Every file appears whole or not at all."""

import contextlib
import csv
import io
import json
import os
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy import ndarray

from mnistpipe.errors import UserError
from mnistpipe.split import N_CLASSES, SIDE, Labelled, Split

if TYPE_CHECKING:  # stages that draw nothing should not wait for Matplotlib
    from matplotlib.figure import Figure

SPLIT_FILE = Path("data/split.npz")


def write_bytes(path: Path, content: bytes) -> None:
    """Write beside the place and move into it, so that a reader never sees half a file.

    What a killed process leaves there is gone with the next write of the same file. Two writers
    of one file at a time would disturb each other; locks keep them apart.

    Raises UserError, leaving an older file as it was, if the disk does not take it.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise UserError(
            f"{path} cannot be written ({error.strerror}); what was there before is untouched: "
            "mend that and run the same command again."
        ) from error
    finally:
        with contextlib.suppress(OSError):  # gone where all is well; unreachable where nothing is
            partial.unlink()


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Indented, in the order given, with a final newline."""
    write_bytes(path, (json.dumps(content, indent=2, allow_nan=False) + "\n").encode())


def write_csv(path: Path, header: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """Plain numbers and words, separated by commas; floats to nine significant digits."""
    lines = [",".join(header)]
    lines += [",".join(_cell(value) for value in row) for row in rows]
    write_bytes(path, ("\n".join(lines) + "\n").encode())


def write_npz(path: Path, arrays: Mapping[str, ndarray]) -> None:
    """Arrays under their names, for `np.load`; equal arrays give equal bytes.

    NumPy's own writer leaves details to Python's version, and so does compression. Without it the
    file is also read several times as fast.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            member = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            member.create_system = 3  # the format's number for Unix, on any system
            content = io.BytesIO()
            np.lib.format.write_array(content, array, version=(1, 0), allow_pickle=False)
            archive.writestr(member, content.getvalue())
    write_bytes(path, buffer.getvalue())


def write_figure(path: Path, figure: "Figure") -> None:
    """PNG with nothing in it that changes from run to run."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150, metadata={"Software": None})
    write_bytes(path, buffer.getvalue())


def read_json(path: Path, keys: Iterable[str] = ()) -> dict[str, Any]:
    """Raises UserError if the file cannot be read, is no JSON object or lacks one of the keys."""
    try:
        content = json.loads(_read_text(path))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not valid JSON; delete it and run: dvc repro") from error
    if not isinstance(content, dict):
        raise UserError(f"{path} is not a JSON object; delete it and run: dvc repro")
    for key in keys:
        if key not in content:
            raise UserError(f"{path} lacks '{key}'; delete it and run: dvc repro")
    return content


def read_column(path: Path, column: str) -> list[float]:
    """The numbers of one column of a CSV file.

    Raises UserError if the file cannot be read or has no such column of numbers.
    """
    try:
        rows = list(csv.reader(_read_text(path).splitlines()))
        place = rows[0].index(column)
        return [float(row[place]) for row in rows[1:]]
    except (csv.Error, IndexError, ValueError) as error:
        raise UserError(
            f"{path} has no column of numbers '{column}'; delete it and run: dvc repro"
        ) from error


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise UserError(f"{path} is missing; run: dvc repro") from error
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error


def write_split(path: Path, split: Split) -> None:
    """Images, labels and indices of a split, with its data set's title."""
    arrays = {"title": np.array(split.title)}
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
            and 0 <= part.labels.min() <= part.labels.max() < N_CLASSES
        )
        if not sound:
            raise UserError(f"{path}: the {name} part is inconsistent; {advice}")
    indices = np.concatenate([split.train_indices, split.validation_indices])
    if len(np.unique(indices)) != len(indices):
        raise UserError(
            f"{path}: an image stands more than once in training and validation together; {advice}"
        )


def _cell(value: object) -> str:
    return f"{value:.9g}" if isinstance(value, float) else str(value)
