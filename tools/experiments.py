"""A table of DVC's experiments that fits a terminal: python -m tools experiments.

`dvc exp show` has a column for each parameter and file of the study, some 150. Here are the
parameters that differ and the validation accuracies that do: experiments are chosen by these.
"""

import argparse
import re
import shutil
from collections.abc import Mapping, Sequence

import dvc.api
import pandas as pd

from mnistpipe.files.errors import UserError

ACCURACY = re.compile(r"metrics/accuracy/(.+)\.json:validation")
PARAMETER = re.compile(r"[^/]+\.[^/]+")


def main() -> None:
    """Print it, in blocks where it is wider than the terminal."""
    argparse.ArgumentParser(description="Print DVC's experiments.").parse_args()
    print(show(dvc.api.exp_show(), shutil.get_terminal_size().columns))


def show(experiments: Sequence[Mapping[str, object]], width: int) -> str:
    """The table; its rows are the working tree, the branch, and the experiments upon it.

    Args:
        experiments: as `dvc.api.exp_show` returns them.
        width: of a line, in characters.

    Raises UserError if there is nothing to compare.

    """
    names = [f"{row['Experiment'] or row['rev']}" for row in experiments]
    table = pd.DataFrame({"": [row["State"] or "" for row in experiments]}, index=names)
    for key in experiments[0]:
        values = [row.get(key) for row in experiments]
        if all(value == values[0] for value in values):
            continue
        if PARAMETER.fullmatch(key):
            table[key] = [f"{value}" for value in values]
        elif accuracy := ACCURACY.fullmatch(key):
            table[accuracy[1]] = [
                f"{value:.2%}" if isinstance(value, float) else "-" for value in values
            ]
    if table.shape[1] == 1:
        raise UserError("No experiment differs yet; run one: dvc exp run -S train-net.lr=0.002")
    return table.to_string(line_width=width)
