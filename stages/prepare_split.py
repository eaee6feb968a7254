"""Set a stratified part of the training images aside for validation."""

from pathlib import Path

import numpy as np

from mnistpipe.artifacts import SPLIT_FILE, write_json, write_split
from mnistpipe.datasets import RAW, load_raw
from mnistpipe.params import load_params
from mnistpipe.split import split_dataset
from stages.cli import run


def main() -> None:
    """Write the arrays that all later stages read, and their sizes."""
    section = load_params().prepare_split
    raw = load_raw(RAW)
    split = split_dataset(raw.title, raw.train, raw.test, section.validation_fraction, section.seed)
    write_split(SPLIT_FILE, split)
    sizes = {
        "train": len(split.train),
        "validation": len(split.validation),
        "test": len(split.test),
        "distinct": len(np.unique(split.train_indices)),
    }
    write_json(Path("metrics/prepare-split.json"), {"dataset": split.title, **sizes})
    print(f"{split.title}: {sizes}")


if __name__ == "__main__":
    run(main, "prepare-split")
