"""The data sets as arrays: from the raw files, and the fallback that needs none."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mnistpipe.data.catalogue import CATALOGUE, Entry
from mnistpipe.data.idx import read_idx
from mnistpipe.data.split import SIDE, Labelled, nested_subset
from mnistpipe.files.artifacts import write_json, write_npz
from mnistpipe.files.errors import UserError

RAW = Path("data/raw")  # where the stages keep the raw files
PACKED = "images.npz"  # there: your own images, read and prepared
SOURCE_FILE = "source.json"  # beside the raw files: which data set they are, and which files


@dataclass(frozen=True)
class Dataset:
    """A data set as it comes, before anything is set aside for validation.

    Attributes:
        title: as it stands in every product.
        classes: their names; label 0 is the first.
        validation: where the data set has one itself.
        notes: what a reader of the results should know of it.

    """

    title: str
    classes: tuple[str, ...]
    train: Labelled
    test: Labelled
    validation: Labelled | None = None
    notes: tuple[str, ...] = ()


def load_raw(folder: Path) -> Dataset:
    """The data set that `fetch-data` left in the folder.

    Raises UserError if files are missing, damaged or do not fit each other.
    """
    source = _read_source(folder)
    if source is None:
        raise UserError(f"{folder} holds no data set; run: dvc repro fetch-data")
    name, files = source
    if name == "digits":
        return load_digits()
    if name == "folder":
        return _read_packed(folder / PACKED)
    entry = CATALOGUE[name]
    train, test = (
        _pair(folder / files[f"{part}_images"], folder / files[f"{part}_labels"], entry)
        for part in ("train", "test")
    )
    return Dataset(entry.title, entry.classes, train, test)


def write_source(folder: Path, name: str, files: Mapping[str, str]) -> None:
    """Note in the folder which data set it holds, and which of its files these are."""
    write_json(folder / SOURCE_FILE, {"dataset": name, **({"files": files} if files else {})})


def read_source(folder: Path) -> str | None:
    """The name of the data set in the folder, or None where there is none."""
    source = _read_source(folder)
    return None if source is None else source[0]


def _read_source(folder: Path) -> tuple[str, Mapping[str, str]] | None:
    path = folder / SOURCE_FILE
    try:
        source = json.loads(path.read_text(encoding="utf-8"))
        name = source["dataset"]
        files = {} if name == "folder" else CATALOGUE[name].files
        chosen = {role: str(source.get("files", files)[role]) for role in files}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(
            f"{path} does not name a data set; delete it and run: dvc repro fetch-data"
        ) from error
    return name, chosen


def write_packed(folder: Path, dataset: Dataset) -> None:
    """Leave your own images in the folder of the raw files, as `load_raw` takes them."""
    arrays = {key: np.array(getattr(dataset, key)) for key in ("title", "classes", "notes")}
    for part in ("train", "validation", "test"):
        examples: Labelled | None = getattr(dataset, part)
        if examples is not None:
            arrays |= {f"{part}_images": examples.images, f"{part}_labels": examples.labels}
    write_npz(folder / PACKED, arrays)
    write_source(folder, "folder", {})


def _read_packed(path: Path) -> Dataset:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            parts = {
                part: Labelled(arrays[f"{part}_images"], arrays[f"{part}_labels"])
                for part in ("train", "validation", "test")
                if f"{part}_images" in arrays
            }
            classes, notes = (tuple(arrays[key].tolist()) for key in ("classes", "notes"))
            return Dataset(str(arrays["title"][()]), classes, **parts, notes=notes)
    except FileNotFoundError as error:
        raise UserError(f"{path} is missing; run: dvc repro fetch-data") from error
    except Exception as error:  # NumPy and zipfile raise many kinds for a damaged file
        raise UserError(
            f"{path} is damaged; delete it and run: dvc repro --force fetch-data"
        ) from error


def load_digits() -> Dataset:
    """Scikit-learn's embedded handwritten digits, made to look like MNIST.

    The 1,797 images of 8x8 pixels are enlarged to 20x20 (bilinear) and centred in 28x28, as
    MNIST's digits are. A stratified fifth of them, always the same, is the test set.
    """
    # Imported here: no other user of this module should wait for them.
    import torch  # noqa: PLC0415
    from sklearn import datasets  # noqa: PLC0415

    raw = datasets.load_digits()
    small = torch.from_numpy(raw.images).unsqueeze(1) * (255 / 16)  # grey levels were 0..16
    large = torch.nn.functional.interpolate(small, size=(20, 20), mode="bilinear")
    padded = torch.nn.functional.pad(large, (4, 4, 4, 4)).squeeze(1)
    images = padded.round().to(torch.uint8).numpy()
    labels, classes = raw.target.astype(np.int64), CATALOGUE["digits"].classes
    test = np.isin(np.arange(len(labels)), nested_subset(labels, classes, 0.2, 0, "digits"))
    return Dataset(
        CATALOGUE["digits"].title,
        classes,
        Labelled(images[~test], labels[~test]),
        Labelled(images[test], labels[test]),
    )


def _pair(images_file: Path, labels_file: Path, entry: Entry) -> Labelled:
    images, labels = read_idx(images_file), read_idx(labels_file)
    files = f"{images_file} and {labels_file.name}"
    if images.shape[1:] != (SIDE, SIDE) or labels.ndim != 1:
        raise UserError(
            f"{files}: images should be n x {SIDE} x {SIDE} and labels n, "
            f"not {images.shape} and {labels.shape}."
        )
    if len(images) != len(labels):
        raise UserError(
            f"{files}: {len(images)} images but {len(labels)} labels; "
            "the two files do not belong together."
        )
    first, last = entry.first_label, entry.first_label + len(entry.classes) - 1
    if len(labels) == 0 or labels.min() < first or labels.max() > last:
        raise UserError(f"{files}: labels should be {first} to {last}, and at least one.")
    if entry.transposed:
        images = np.ascontiguousarray(images.transpose(0, 2, 1))
    return Labelled(images, labels.astype(np.int64) - first)
