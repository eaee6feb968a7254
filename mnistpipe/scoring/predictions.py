"""Tables of predictions: a row for each image of a set, its true class and what networks say.

Classes stand there by their names, which need no list of them to be compared, and which `dvc plots`
shows. The first seed's network has the column `predicted`; where there are more, each of the others
has one of its own, `seed-2` and so on, and so has what they say together, `committee`.

Training imports this module, so that an edit of it trains every network again: what a reader says
of a table that does not suit it stands with that reader.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Int64, Shaped
from numpy import ndarray

from mnistpipe.files.tables import parse_table, read_table, write_table

PREDICTIONS = Path("plots/predictions")
_COLUMNS = {"actual": "str", "predicted": "str"}
_MORE = r"seed-\d+|committee"


@dataclass(frozen=True)
class Classified:
    """The classes of a set's images by their names, and what networks take them for.

    Attributes:
        actual: the true ones.
        by_seed: what each seed's network says, the first one's first, (seeds, n).
        committee: what they say together; None where there is one.

    """

    actual: Shaped[ndarray, " n"]
    by_seed: Shaped[ndarray, "seeds n"]
    committee: Shaped[ndarray, " n"] | None


def predictions_file(stage: str) -> Path:
    """Where the predictions of a train stage are, of all test images in their order."""
    return PREDICTIONS / f"{stage}.csv"


def write_predictions(
    path: Path,
    actual: Int64[ndarray, " n"],
    predicted: Mapping[str, Int64[ndarray, " n"]],
    classes: Sequence[str],
) -> None:
    """Write the true class of each image, and by column the predicted ones, by their names."""
    names = np.array(classes)
    columns = {column: names[numbers] for column, numbers in predicted.items()}
    write_table(path, pd.DataFrame({"actual": names[actual], **columns}))


def read_predictions(path: Path) -> Classified:
    """A table from its file.

    Raises UserError if it cannot be read or has not the first two columns, or has a gap.
    """
    return _classified(read_table(path, _COLUMNS, _MORE))


def parse_predictions(text: str, name: str, advice: str) -> Classified:
    """Likewise from a file's text, that the error calls `name`, with `advice` at its end."""
    return _classified(parse_table(text, _COLUMNS, name, advice, _MORE))


def _classified(table: pd.DataFrame) -> Classified:
    columns = {f"{column}": table[column].to_numpy(np.str_) for column in table}
    actual, committee = columns.pop("actual"), columns.pop("committee", None)
    first = columns.pop("predicted")
    return Classified(actual, np.stack([first, *columns.values()]), committee)
