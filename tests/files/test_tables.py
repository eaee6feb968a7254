import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mnistpipe.files.errors import UserError
from mnistpipe.files.tables import parse_table, read_table, write_table

LOSS = {"loss": "float64"}


def test_a_table_has_a_header_and_nine_significant_digits(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    table = pd.DataFrame(
        {"epoch": [1, 2, 3], "loss": [1 / 3, 1e-12, 2.0], "name": ["half", "x", ""]}
    )
    write_table(path, table)
    assert path.read_bytes() == b"epoch,loss,name\n1,0.333333333,half\n2,1e-12,x\n3,2,\n"
    assert read_table(path, LOSS)["loss"].tolist() == [0.333333333, 1e-12, 2.0]
    assert read_table(path, {"epoch": "int64"})["epoch"].tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (math.pi, "3.14159265"),
        (123456789.125, "123456789"),
        (1234567890.0, "1.23456789e+09"),
        (0.1 + 0.2, "0.3"),
        (0.0, "0"),
        (-1e-5, "-1e-05"),
        (1.0, "1"),
    ],
)
def test_a_number_is_written_as_printf_would(tmp_path: Path, number: float, text: str) -> None:
    write_table(tmp_path / "a.csv", pd.DataFrame({"loss": [number]}))
    assert (tmp_path / "a.csv").read_text() == f"loss\n{text}\n"
    assert f"{number:.9g}" == text


def test_what_is_read_is_what_was_written_whatever_stands_in_a_cell(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    names = ["scikit-learn digits, not MNIST", 'a "b" c', "two\nlines", "plain", "caf\xe9"]
    write_table(path, pd.DataFrame({"loss": np.arange(5) / 8, "name": names}))
    assert path.read_bytes() == (
        b'loss,name\n0,"scikit-learn digits, not MNIST"\n0.125,"a ""b"" c"\n'
        b'0.25,"two\nlines"\n0.375,plain\n0.5,caf\xc3\xa9\n'
    )
    table = read_table(path, {"loss": "float64", "name": "str"})
    assert table["loss"].tolist() == [0.0, 0.125, 0.25, 0.375, 0.5]
    assert table["name"].tolist() == names


def test_a_text_that_looks_like_nothing_is_a_text(tmp_path: Path) -> None:
    table = pd.DataFrame({"loss": [1.0, 2.0, 3.0], "name": ["NA", "nan", "None"]})
    write_table(tmp_path / "a.csv", table)
    read = read_table(tmp_path / "a.csv", {"loss": "float64", "name": "str"})
    assert read["name"].tolist() == ["NA", "nan", "None"]


def test_the_index_is_not_written(tmp_path: Path) -> None:
    table = pd.DataFrame({"epoch": [1, 2]}, index=["a", "b"])
    write_table(tmp_path / "a.csv", table)
    assert (tmp_path / "a.csv").read_bytes() == b"epoch\n1\n2\n"


def test_columns_are_read_by_their_names_as_what_is_asked_for() -> None:
    text = "epoch,loss,actual\n1,1,7\n2,0.5,9\n"
    table = parse_table(text, {"actual": "int64", "loss": "float64"}, "a table", "mend it")
    assert set(table.columns) == {"actual", "loss"}
    assert table["actual"].dtype == np.int64
    assert table["loss"].dtype == np.float64
    assert table["actual"].tolist() == [7, 9]
    assert table["loss"].tolist() == [1.0, 0.5]


def test_a_table_may_have_no_rows() -> None:
    assert len(parse_table("epoch,loss\n", LOSS, "a table", "mend it")) == 0


@pytest.mark.faults
@pytest.mark.parametrize("text", ["epoch,loss\n1,0.5,9\n", "epoch,loss\n1,0.5,9\n2,0.25\n"])
def test_a_row_that_is_too_long_shifts_no_column(text: str) -> None:
    assert parse_table(text, LOSS, "a table", "mend it")["loss"].tolist()[0] == 0.5


@pytest.mark.faults
@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "has no columns 'loss' of numbers"),
        (b"epoch,accuracy\n", "has no columns 'loss' of numbers"),
        (b"epoch,accuracy\n1,0.9\n", "has no columns 'loss' of numbers"),
        (b"epoch;loss\n1;0.9\n", "has no columns 'loss' of numbers"),
        (b"epoch,loss\n1,0.5\n2\n", "has an empty cell"),
        (b"epoch,loss\n1,0.5\n2,low\n", "has no columns 'loss' of numbers"),
        (b"epoch,loss\n1,\n", "has an empty cell"),
        (b"epoch,loss\n1,nan\n", "has an empty cell"),
        (b"epoch,loss\n1,0x10\n", "has no columns 'loss' of numbers"),
        (b'epoch,loss\n1,"0.5\n', "has no columns 'loss' of numbers"),
        (b"epoch,loss\n1,\0\n", "has no columns 'loss' of numbers"),
        (b"epoch,loss\n1,\xff\n", "is not UTF-8 text"),
    ],
    ids=[
        "empty",
        "no rows",
        "other column",
        "semicolons",
        "short row",
        "word",
        "empty cell",
        "not a number",
        "hexadecimal",
        "open quote",
        "zero byte",
        "not UTF-8",
    ],
)
def test_a_file_without_the_numbers_is_refused(tmp_path: Path, content: bytes, what: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_table(path, LOSS)
    assert str(caught.value) == f"{path} {what}; delete it and run: dvc repro"


@pytest.mark.faults
@pytest.mark.parametrize("cell", ["1.5", "low", "", "99999999999999999999", "-9" * 30])
def test_a_cell_that_is_no_whole_number_is_refused_where_one_is_wanted(cell: str) -> None:
    wanted = {"actual": "int64", "predicted": "int64"}
    with pytest.raises(UserError) as caught:
        parse_table(f"actual,predicted\n1,2\n3,{cell}\n", wanted, "HEAD: a.csv", "run it again")
    assert str(caught.value) == (
        "HEAD: a.csv has no columns 'actual' and 'predicted' of numbers; run it again"
    )


@pytest.mark.faults
def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"/a\.csv is missing; run: dvc repro$"):
        read_table(tmp_path / "a.csv", LOSS)
    with pytest.raises(UserError, match="cannot be read: Is a directory"):
        read_table(tmp_path, LOSS)
