"""Tables of predictions: a row for each image of a set, its true class and what a network says.

Classes stand there by their names, which need no list of them to be compared, and which `dvc plots`
shows.

Training imports this module, so that an edit of it trains every network again: what a reader says
of a table that does not suit it stands with that reader.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Int64, Shaped
from numpy import ndarray

from mnistpipe.files.tables import parse_table, read_table, write_table

PREDICTIONS = Path("plots/predictions")
_COLUMNS = {"actual": "str", "predicted": "str"}


def predictions_file(stage: str) -> Path:
    """Where the predictions of a train stage are, of all test images in their order."""
    return PREDICTIONS / f"{stage}.csv"


def write_predictions(
    path: Path,
    actual: Int64[ndarray, " n"],
    predicted: Int64[ndarray, " n"],
    classes: Sequence[str],
) -> None:
    """Write the true and the predicted class of each image, as numbers given, by their names."""
    names = np.array(classes)
    write_table(path, pd.DataFrame({"actual": names[actual], "predicted": names[predicted]}))


def read_predictions(path: Path) -> tuple[Shaped[ndarray, " n"], Shaped[ndarray, " n"]]:
    """The names of the true and of the predicted classes.

    Raises UserError if the file cannot be read or has not these two columns, without a gap.
    """
    return _classes(read_table(path, _COLUMNS))


def parse_predictions(
    text: str, name: str, advice: str
) -> tuple[Shaped[ndarray, " n"], Shaped[ndarray, " n"]]:
    """Likewise from a file's text, that the error calls `name`, with `advice` at its end."""
    return _classes(parse_table(text, _COLUMNS, name, advice))


def _classes(table: pd.DataFrame) -> tuple[Shaped[ndarray, " n"], Shaped[ndarray, " n"]]:
    return table["actual"].to_numpy(np.str_), table["predicted"].to_numpy(np.str_)
