"""What the best network makes of each test image, on the disk."""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int64
from numpy import ndarray

from mnistpipe.files.artifacts import write_npz
from mnistpipe.files.errors import UserError

EXAMINED_FILE = Path("data/test-features.npz")


@dataclass(frozen=True)
class Examined:
    """The test set as the best network sees it, in the order of the split.

    Attributes:
        labels: true classes.
        logits: of the classes.
        features: what enters the network's last layer.
        embedded: the features' places in the t-SNE map.

    """

    labels: Int64[ndarray, " n"]
    logits: Float[ndarray, "n c"]
    features: Float[ndarray, "n f"]
    embedded: Float[ndarray, "n 2"]


def write_examined(path: Path, examined: Examined) -> None:
    """As arrays under their names."""
    write_npz(path, asdict(examined))


def read_examined(path: Path = EXAMINED_FILE) -> Examined:
    """Raises UserError if the file is missing or damaged."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            found = {name: arrays[name] for name in Examined.__annotations__}
        if len({len(array) for array in found.values()}) != 1:
            raise ValueError("not a row for each image")  # noqa: TRY301
        return Examined(**found)
    except FileNotFoundError as error:
        raise UserError(f"{path} is missing; run: dvc repro analyze") from error
    except Exception as error:  # NumPy and zipfile raise many kinds for a damaged file
        raise UserError(f"{path} is damaged; delete it and run: dvc repro analyze") from error
