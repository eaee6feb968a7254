"""Get the raw data set into data/raw."""

import os
import sys

from mnistpipe.datasets import RAW
from mnistpipe.download import MIRROR_VARIABLE, fetch
from mnistpipe.params import load_params
from stages.cli import run


def main() -> None:
    """Keep what is there, get what is missing."""
    data = load_params().data
    name = fetch(
        RAW, data, os.environ.get(MIRROR_VARIABLE), lambda text: print(text, file=sys.stderr)
    )
    print(f"{RAW} holds: {name}")


if __name__ == "__main__":
    run(main, "fetch-data")
