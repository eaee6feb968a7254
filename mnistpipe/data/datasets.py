"""The data sets as arrays: reading IDX files, and the fallback that needs no files."""

import gzip
import json
import math
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from mnistpipe.data.split import N_CLASSES, SIDE, Labelled, nested_subset
from mnistpipe.files.errors import UserError

TITLES = {"mnist": "MNIST", "digits": "scikit-learn digits (not MNIST)"}
RAW = Path("data/raw")  # where the stages keep the raw files
SOURCE_FILE = "source.json"  # beside the raw files: which data set they are
FILES = {
    "train_images": "train-images-idx3-ubyte.gz",
    "train_labels": "train-labels-idx1-ubyte.gz",
    "test_images": "t10k-images-idx3-ubyte.gz",
    "test_labels": "t10k-labels-idx1-ubyte.gz",
}
_LABELS_MAGIC, _IMAGES_MAGIC = 0x801, 0x803  # unsigned bytes in one or three dimensions


@dataclass(frozen=True)
class Dataset:
    """A data set as it comes, before anything is set aside for validation."""

    title: str
    train: Labelled
    test: Labelled


def load_raw(folder: Path) -> Dataset:
    """The data set that `fetch-data` left in the folder.

    Raises UserError if files are missing, damaged or do not fit each other.
    """
    name = read_source(folder)
    if name is None:
        raise UserError(f"{folder} holds no data set; run: dvc repro fetch-data")
    if name == "digits":
        return load_digits()
    arrays = {key: read_idx(folder / file) for key, file in FILES.items()}
    train = _pair(folder, arrays["train_images"], arrays["train_labels"], "train")
    test = _pair(folder, arrays["test_images"], arrays["test_labels"], "t10k")
    return Dataset(TITLES[name], train, test)


def read_source(folder: Path) -> str | None:
    """The name of the data set in the folder, or None where there is none."""
    path = folder / SOURCE_FILE
    try:
        name = json.loads(path.read_text(encoding="utf-8"))["dataset"]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        name = None
    if not isinstance(name, str) or name not in TITLES:
        raise UserError(f"{path} does not name a data set; delete it and run: dvc repro fetch-data")
    return name


def read_idx(path: Path) -> UInt8[ndarray, "..."]:
    """A gzipped IDX file of images (n, 28, 28) or labels (n,), as bytes.

    The format is described where MNIST was published: a magic number, the size of each
    dimension as a big-endian integer, then the data.

    Raises UserError if it is anything else, or cut short.
    """
    content = _unzip(path)
    magic = int.from_bytes(content[:4], "big")
    if magic not in (_LABELS_MAGIC, _IMAGES_MAGIC):
        raise UserError(f"{path} is not an IDX file of MNIST's kind (magic number {magic}).")
    n_dimensions = magic & 0xFF
    if len(content) < 4 + 4 * n_dimensions:
        raise UserError(f"{path} ends within its header: it is damaged or cut short.")
    sizes = np.frombuffer(content, dtype=">u4", count=n_dimensions, offset=4)
    shape = tuple(int(size) for size in sizes)
    data = content[4 + 4 * n_dimensions :]
    if len(data) != math.prod(shape):
        raise UserError(
            f"{path} announces {math.prod(shape)} bytes of data but holds {len(data)}: "
            "it is damaged or cut short."
        )
    return np.frombuffer(data, dtype=np.uint8).reshape(shape)


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
    labels = raw.target.astype(np.int64)
    test = np.isin(np.arange(len(labels)), nested_subset(labels, 0.2, 0, "digits"))
    return Dataset(
        TITLES["digits"],
        Labelled(images[~test], labels[~test]),
        Labelled(images[test], labels[test]),
    )


def _pair(
    folder: Path, images: UInt8[ndarray, "..."], labels: UInt8[ndarray, "..."], part: str
) -> Labelled:
    if images.shape[1:] != (SIDE, SIDE) or labels.ndim != 1:
        raise UserError(
            f"{folder}/{part}-*: images should be n x {SIDE} x {SIDE} and labels n, "
            f"not {images.shape} and {labels.shape}."
        )
    if len(images) != len(labels):
        raise UserError(
            f"{folder}/{part}-*: {len(images)} images but {len(labels)} labels; "
            "the two files do not belong together."
        )
    if len(labels) == 0 or labels.max() >= N_CLASSES:
        raise UserError(f"{folder}/{part}-*: labels should be 0 to 9, and at least one.")
    return Labelled(images, labels.astype(np.int64))


def _unzip(path: Path) -> bytes:
    try:
        packed = path.read_bytes()
    except FileNotFoundError as error:
        raise UserError(f"{path} is missing; run: dvc repro fetch-data") from error
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error
    if not packed.startswith(b"\x1f\x8b"):
        kind = " but a web page" if packed[:200].lstrip().startswith(b"<") else ""
        raise UserError(f"{path} is not a gzip file{kind}; delete it and fetch it again.")
    try:
        return gzip.decompress(packed)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} is damaged or cut short; delete it and fetch it again.") from error
