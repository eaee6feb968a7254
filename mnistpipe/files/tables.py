"""Tables on the disk: CSV files, through pandas."""

import io
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from mnistpipe.files.artifacts import read_text, write_bytes
from mnistpipe.files.errors import UserError

NONE = r"(?!)"  # the pattern that fits nothing


def write_table(path: Path, table: pd.DataFrame) -> None:
    """As CSV, without the index; floats to nine significant digits."""
    text = table.to_csv(index=False, float_format="%.9g", lineterminator="\n")
    write_bytes(path, text.encode())


def read_table(path: Path, dtypes: Mapping[str, str], also: str = NONE) -> pd.DataFrame:
    """The columns of a CSV file that are named, as types of these names: of NumPy's, or `str`.

    Those whose whole name the pattern `also` fits come along as text; there may be none.

    Raises UserError if the file cannot be read, lacks a column or has a cell of another kind.
    """
    advice = "delete it and run: dvc repro"
    try:
        text = read_text(path)
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text; {advice}") from error
    return parse_table(text, dtypes, f"{path}", advice, also)


def parse_table(
    text: str, dtypes: Mapping[str, str], name: str, advice: str, also: str = NONE
) -> pd.DataFrame:
    """Likewise of a CSV file's text, that the error calls `name`, with `advice` at its end."""
    header = text.partition("\n")[0].strip().split(",")
    dtypes = {**dtypes, **{column: "str" for column in header if re.fullmatch(also, column)}}
    # Words that pandas takes for empty cells, such as None, may be what a cell of text says.
    empty = {name: [""] if dtype == "str" else ["", "nan"] for name, dtype in dtypes.items()}
    try:
        # Without an index: a row that is longer than the header would else lend it its first cell.
        table = pd.read_csv(
            io.StringIO(text),
            usecols=[*dtypes],
            dtype=dict(dtypes),
            index_col=False,
            na_values=empty,
            keep_default_na=False,
        )
    except (ValueError, OverflowError) as error:  # pandas' own errors are of the first kind, too
        kind = " of numbers" if {*dtypes.values()} != {"str"} else ""
        raise UserError(f"{name} has no columns {_listed(dtypes)}{kind}; {advice}") from error
    if table.isna().to_numpy().any():
        raise UserError(f"{name} has an empty cell; {advice}")
    return table


def _listed(dtypes: Iterable[str]) -> str:
    return " and ".join(f"'{name}'" for name in dtypes)
