"""Tables of predictions: a row for each image of a set, its true class and what a network says.

Training imports this module, so that an edit of it trains every network again: what a reader says
of a table that does not suit it stands with that reader.
"""

from pathlib import Path

import pandas as pd
from jaxtyping import Int64
from numpy import ndarray

from mnistpipe.files.tables import parse_table, read_table, write_table

PREDICTIONS = Path("plots/predictions")
_COLUMNS = {"actual": "int64", "predicted": "int64"}


def predictions_file(stage: str) -> Path:
    """Where the predictions of a train stage are, of all test images in their order."""
    return PREDICTIONS / f"{stage}.csv"


def write_predictions(
    path: Path, actual: Int64[ndarray, " n"], predicted: Int64[ndarray, " n"]
) -> None:
    """Write the true and the predicted class of each image, 0 to 9."""
    write_table(path, pd.DataFrame({"actual": actual, "predicted": predicted}))


def read_predictions(path: Path) -> tuple[Int64[ndarray, " n"], Int64[ndarray, " n"]]:
    """The true and the predicted classes.

    Raises UserError if the file cannot be read or has not these two columns of whole numbers.
    """
    return _classes(read_table(path, _COLUMNS))


def parse_predictions(
    text: str, name: str, advice: str
) -> tuple[Int64[ndarray, " n"], Int64[ndarray, " n"]]:
    """Likewise from a file's text, that the error calls `name`, with `advice` at its end."""
    return _classes(parse_table(text, _COLUMNS, name, advice))


def _classes(table: pd.DataFrame) -> tuple[Int64[ndarray, " n"], Int64[ndarray, " n"]]:
    return table["actual"].to_numpy(), table["predicted"].to_numpy()
