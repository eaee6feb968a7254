from functools import partial
from pathlib import Path

import pytest

from mnistpipe.files.sections import read_section
from mnistpipe.robustness.params import Robustness
from tests.conftest import PARAMS_FILE
from tests.mistakes import problems

STRENGTHS = {"blur_passes": "[0, 1, 2, 3]", "turn_degrees": "[0, 15, 30, 45]"}

read = partial(read_section, "robustness", Robustness)


def section(**changed: str) -> str:
    lines = [f"  {key}: {value}\n" for key, value in (STRENGTHS | changed).items()]
    return f"robustness:\n{''.join(lines)}  seed: 0\n"


def test_the_strengths_stand_by_their_kind() -> None:
    assert read(PARAMS_FILE).strengths == {"blur": (0, 1, 2, 3), "rotation": (0, 15, 30, 45)}


@pytest.mark.faults
@pytest.mark.parametrize("strengths", ["[]", "[0]", "[1, 2]", "[0, 2, 1]", "[0, 1, 1]", "[0, 0]"])
@pytest.mark.parametrize("key", STRENGTHS)
def test_strengths_rise_from_zero(tmp_path: Path, key: str, strengths: str) -> None:
    assert problems(read, tmp_path, section(**{key: strengths})) == [
        f"robustness: {key} should start with 0, the untouched images, and go on with at least "
        f"one number, each greater than the one before, not {strengths}."
    ]


@pytest.mark.faults
@pytest.mark.parametrize(
    ("key", "strengths", "line"),
    [
        ("blur_passes", "[-1, 1]", "blur_passes.0 should be greater than or equal to 0, not -1"),
        ("blur_passes", "[0, 1, 2, 21]", "blur_passes.3 should be less than or equal to 20, not 2"),
        ("blur_passes", "[0, 1, 2, 2.5]", "blur_passes.3 should be a valid integer, not 2.5"),
        ("blur_passes", "[0, 1, 2, yes]", "blur_passes.3 should be a valid integer, not True"),
        ("blur_passes", "3", "blur_passes should be a valid tuple, not 3"),
        ("turn_degrees", "[0, 15, 30, 181]", "turn_degrees.3 should be less than or equal to 180,"),
        ("seed", "-1", "seed should be greater than or equal to 0, not -1"),
    ],
)
def test_a_mistake_is_named_with_its_key_and_what_is_allowed(
    tmp_path: Path, key: str, strengths: str, line: str
) -> None:
    text = section(**{key: strengths})
    if key == "seed":
        text = section().replace("seed: 0", f"seed: {strengths}")
    (alone,) = problems(read, tmp_path, text)
    assert alone.startswith(f"robustness.{line}")
