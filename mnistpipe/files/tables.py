"""Tables on the disk: CSV files, through pandas."""

import io
from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from mnistpipe.files.artifacts import read_text, write_bytes
from mnistpipe.files.errors import UserError


def write_table(path: Path, table: pd.DataFrame) -> None:
    """As CSV, without the index; floats to nine significant digits."""
    text = table.to_csv(index=False, float_format="%.9g", lineterminator="\n")
    write_bytes(path, text.encode())


def read_table(path: Path, dtypes: Mapping[str, str]) -> pd.DataFrame:
    """The columns of a CSV file that are named, as NumPy's types of these names.

    Raises UserError if the file cannot be read, lacks a column or has a cell of another kind.
    """
    advice = "delete it and run: dvc repro"
    try:
        text = read_text(path)
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text; {advice}") from error
    return parse_table(text, dtypes, f"{path}", advice)


def parse_table(text: str, dtypes: Mapping[str, str], name: str, advice: str) -> pd.DataFrame:
    """Likewise of a CSV file's text, that the error calls `name`, with `advice` at its end."""
    try:
        # Without an index: a row that is longer than the header would else lend it its first cell.
        table = pd.read_csv(
            io.StringIO(text), usecols=[*dtypes], dtype=dict(dtypes), index_col=False
        )
    except (ValueError, OverflowError) as error:  # pandas' own errors are of the first kind, too
        raise UserError(f"{name} has no columns {_listed(dtypes)} of numbers; {advice}") from error
    if table.isna().to_numpy().any():
        raise UserError(f"{name} has an empty cell; {advice}")
    return table


def _listed(dtypes: Iterable[str]) -> str:
    return " and ".join(f"'{name}'" for name in dtypes)
