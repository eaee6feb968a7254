"""Get the raw data set into data/raw."""

import os
import sys

from mnistpipe.data.datasets import RAW
from mnistpipe.data.download import fetch
from mnistpipe.data.params import Data
from mnistpipe.data.sources import MIRROR_VARIABLE
from mnistpipe.files.sections import read_section


def main() -> None:
    """Keep what is there, get what is missing."""
    data = read_section("data", Data)
    name = fetch(
        RAW, data, os.environ.get(MIRROR_VARIABLE), lambda text: print(text, file=sys.stderr)
    )
    print(f"{RAW} holds: {name}")
