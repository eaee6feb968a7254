"""What the benchmark trains on: MNIST where it is there, else scikit-learn's digits.

How many zeros there are to skip depends on the images, so that only MNIST's tell what the study
takes. Nothing is downloaded for a benchmark, and `data/` is read alone.
"""

import os
import sys
from pathlib import Path

import numpy as np

from mnistpipe.data.catalogue import CATALOGUE
from mnistpipe.data.datasets import RAW, Dataset, load_digits, load_raw, read_source
from mnistpipe.data.download import fetch
from mnistpipe.data.raw_files import raw_files
from mnistpipe.data.sources import MIRROR_VARIABLE, local_folder
from mnistpipe.data.split import Labelled, split_dataset
from mnistpipe.data.split_file import SPLIT_FILE, read_split
from mnistpipe.study import load_params


def save_examples(folder: Path) -> tuple[Path, str]:
    """Write what is trained on to a file in the folder; returns the file and the data set's title.

    The measuring processes read the file: what it takes to make it would count in their memory.

    Raises UserError if the files of MNIST that are there are not what they should be.
    """
    title, train = _training_examples(folder)
    file = folder / "examples.npz"
    np.savez(file, images=train.images, labels=train.labels)
    return file, title


def _training_examples(folder: Path) -> tuple[str, Labelled]:
    """MNIST's training split or all digits that are not for tests, with the data set's title."""
    if SPLIT_FILE.exists():
        split = read_split()
        if split.title == CATALOGUE["mnist"].title:
            return split.title, split.train
    raw = _raw_mnist(folder)
    if raw is None:
        digits = load_digits()
        return digits.title, digits.train
    section = load_params().prepare_split
    split = split_dataset(
        raw.title, raw.classes, raw.train, raw.test, section.validation_fraction, section.seed
    )
    return split.title, split.train


def _raw_mnist(folder: Path) -> Dataset | None:
    """MNIST as fetch-data left it or, by way of the folder, from a mirror on this machine."""
    if read_source(RAW) == "mnist":
        return load_raw(RAW)
    mirror = os.environ.get(MIRROR_VARIABLE)
    origin = local_folder(mirror) if mirror else None
    # With one file missing `fetch` would turn to the public addresses.
    if origin is None or not all(
        any((origin / name).exists() for name in file.names) for file in raw_files("mnist")
    ):
        return None
    mnist = load_params().data.model_copy(update={"dataset": "mnist", "fallback": None})
    fetch(folder / "raw", mnist, mirror, lambda text: print(text, file=sys.stderr))
    return load_raw(folder / "raw")
