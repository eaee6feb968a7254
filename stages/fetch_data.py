"""Get the raw data set into data/raw."""

import os
import sys
from pathlib import Path

from mnistpipe.data.datasets import RAW, write_packed
from mnistpipe.data.download import fetch
from mnistpipe.data.folder import read_folder
from mnistpipe.data.params import Data
from mnistpipe.data.sources import MIRROR_VARIABLE
from mnistpipe.files.sections import read_section


def main() -> None:
    """Keep what is there, get what is missing; your own images are read each time."""
    data = read_section("data", Data)
    if data.dataset == "folder":
        write_packed(RAW, read_folder(Path(data.folder), data.prepare, _tell))
        name = f"the images in {data.folder}"
    else:
        name = fetch(RAW, data, os.environ.get(MIRROR_VARIABLE), _tell)
    print(f"{RAW} holds: {name}")


def _tell(line: str) -> None:
    print(line, file=sys.stderr)
