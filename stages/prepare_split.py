"""Set a stratified part of the training images aside for validation."""

from pathlib import Path

import numpy as np

from mnistpipe.data.datasets import RAW, load_raw
from mnistpipe.data.params import PrepareSplit
from mnistpipe.data.split import split_dataset
from mnistpipe.data.split_file import SPLIT_FILE, write_split
from mnistpipe.files.artifacts import write_json
from mnistpipe.files.sections import read_section


def main() -> None:
    """Write the arrays that all later stages read, and their sizes."""
    section = read_section("prepare-split", PrepareSplit)
    raw = load_raw(RAW)
    split = split_dataset(
        raw.title,
        raw.classes,
        raw.train,
        raw.test,
        section.validation_fraction,
        section.seed,
        raw.validation,
    )
    write_split(SPLIT_FILE, split)
    sizes = {
        "train": len(split.train),
        "validation": len(split.validation),
        "test": len(split.test),
        "distinct": len(np.unique(split.train_indices)),
    }
    notes = {"notes": "; ".join(raw.notes)} if raw.notes else {}
    write_json(Path("metrics/prepare-split.json"), {"dataset": split.title, **sizes, **notes})
    print(f"{split.title}: {sizes}")
