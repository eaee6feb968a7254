from functools import partial
from pathlib import Path

import pytest

from mnistpipe.confidence.params import Confidence
from mnistpipe.files.sections import read_section
from tests.conftest import PARAMS_FILE
from tests.mistakes import problems

read = partial(read_section, "confidence", Confidence)


def test_the_study_has_fifteen_bins() -> None:
    assert read(PARAMS_FILE) == Confidence(bins=15, bootstrap=1000, seed=0)


@pytest.mark.faults
@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("bins", "1", "bins should be greater than or equal to 2, not 1"),
        ("bins", "2.5", "bins should be a valid integer, not 2.5"),
        ("bootstrap", "99", "bootstrap should be greater than or equal to 100, not 99"),
        ("seed", "-1", "seed should be greater than or equal to 0, not -1"),
    ],
)
def test_a_mistake_is_named_with_its_key_and_what_is_allowed(
    tmp_path: Path, key: str, value: str, sentence: str
) -> None:
    keys = {"bins": "15", "bootstrap": "1000", "seed": "0"} | {key: value}
    text = "confidence:\n" + "".join(f"  {each}: {own}\n" for each, own in keys.items())
    (alone,) = problems(read, tmp_path, text)
    assert alone.startswith(f"confidence.{sentence}")
