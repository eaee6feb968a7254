from pathlib import Path

import numpy as np
import pytest

from mnistpipe.files.errors import UserError
from mnistpipe.scoring.predictions import (
    parse_predictions,
    predictions_file,
    read_predictions,
    write_predictions,
)

ACTUAL, PREDICTED = np.array([7, 2, 1, 0]), np.array([7, 2, 8, 0])
NAMES = ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9")
TEXT = "actual,predicted\n7,7\n2,2\n1,8\n0,0\n"


def test_each_train_stage_has_a_file_of_its_name() -> None:
    assert predictions_file("train-net") == Path("plots/predictions/train-net.csv")
    half = Path("plots/predictions/partial-data@half.csv")
    assert predictions_file("partial-data@half") == half


def test_a_table_has_a_row_for_each_image(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.csv"
    write_predictions(path, ACTUAL, {"predicted": PREDICTED}, NAMES)
    assert path.read_bytes() == TEXT.encode()


def test_what_is_read_is_what_was_written(tmp_path: Path) -> None:
    write_predictions(tmp_path / "a.csv", ACTUAL, {"predicted": PREDICTED}, NAMES)
    for table in (
        read_predictions(tmp_path / "a.csv"),
        parse_predictions(TEXT, "a table", "mend it"),
    ):
        assert table.actual.tolist() == ["7", "2", "1", "0"]
        assert table.by_seed.tolist() == [["7", "2", "8", "0"]]
        assert table.committee is None


def test_each_further_seed_has_a_column_and_so_has_the_committee(tmp_path: Path) -> None:
    path, second, both = tmp_path / "a.csv", np.array([7, 2, 1, 6]), np.array([7, 2, 1, 0])
    columns = {"predicted": PREDICTED, "seed-12": second, "committee": both}
    write_predictions(path, ACTUAL, columns, NAMES)
    text = "actual,predicted,seed-12,committee\n7,7,7,7\n2,2,2,2\n1,8,1,1\n0,0,6,0\n"
    assert path.read_bytes() == text.encode()
    for table in (read_predictions(path), parse_predictions(text, "a table", "mend it")):
        assert table.actual.tolist() == ["7", "2", "1", "0"]
        assert table.by_seed.tolist() == [["7", "2", "8", "0"], ["7", "2", "1", "6"]]
        assert table.committee is not None
        assert table.committee.tolist() == ["7", "2", "1", "0"]


# What CSV, pandas or a list of words for missing numbers could make something else of.
ODD_NAMES = (
    "T-shirt/top", "a, b", 'a "b"', '"', "Größe", "お", "NA", "nan", "None", "null", "007",
    "1e3", "-", " x ", "True", "#", "it's", "\u2028",
)  # fmt: skip


def test_any_name_is_read_as_it_was_written(tmp_path: Path) -> None:
    actual = np.arange(len(ODD_NAMES))
    write_predictions(tmp_path / "a.csv", actual, {"predicted": actual[::-1]}, ODD_NAMES)
    table = read_predictions(tmp_path / "a.csv")
    assert table.actual.tolist() == list(ODD_NAMES)
    assert table.by_seed.tolist() == [list(ODD_NAMES)[::-1]]


def test_columns_are_told_apart_by_their_names() -> None:
    text = "seed-2,predicted,loss,actual,seed-x\n9,8,0.5,1,\n4,3,0.25,3,\n"
    table = parse_predictions(text, "a table", "mend it")
    assert table.actual.tolist() == ["1", "3"]
    assert table.by_seed.tolist() == [["8", "3"], ["9", "4"]]


def test_a_table_may_have_no_rows() -> None:
    table = parse_predictions("actual,predicted,seed-2\n", "a table", "mend it")
    assert (table.actual.shape, table.by_seed.shape) == ((0,), (2, 0))


@pytest.mark.faults
@pytest.mark.parametrize(
    "text",
    ["", "actual\n1\n", "1,2\n3,4\n", 'actual,predicted\n1,"2\n'],
    ids=["empty", "one column", "no header", "open quote"],
)
def test_a_table_without_the_two_columns_is_refused(tmp_path: Path, text: str) -> None:
    what = "has no columns 'actual' and 'predicted'"
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        read_predictions(path)
    assert str(caught.value) == f"{path} {what}; delete it and run: dvc repro"
    with pytest.raises(UserError) as caught:
        parse_predictions(text, "HEAD: a.csv", "name another revision.")
    assert str(caught.value) == f"HEAD: a.csv {what}; name another revision."


@pytest.mark.faults
@pytest.mark.parametrize("row", ["1,", ",1", '1,""', "1"])
def test_a_gap_in_a_table_is_refused(row: str) -> None:
    with pytest.raises(UserError, match=r"^a table has an empty cell; mend it$"):
        parse_predictions(f"actual,predicted\n2,2\n{row}\n", "a table", "mend it")


@pytest.mark.faults
def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"/a\.csv is missing; run: dvc repro$"):
        read_predictions(tmp_path / "a.csv")
