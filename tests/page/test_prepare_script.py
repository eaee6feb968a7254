"""prepare.js makes of a drawing what `mnistpipe.images.prepare.mnist` does, to the byte."""

from pathlib import Path

import numpy as np
import pytest
from numpy import ndarray

from mnistpipe.images.prepare import mnist
from tests.images.drawings import changed, draw
from tests.page.javascript import PICTURES, as_picture, run_javascript

STROKE_WIDTHS = (3, 8, 14, 20, 40, 60)


def prepared_in_javascript(folder: Path, inks: list[ndarray]) -> list[ndarray | None]:
    expression = f"{PICTURES}.map(prepare).map((image) => image && Array.from(image))"
    found = run_javascript(folder, ["prepare"], expression, list(map(as_picture, inks)))
    return [None if each is None else np.array(each, np.uint8).reshape(28, 28) for each in found]


@pytest.mark.parametrize("width", STROKE_WIDTHS)
def test_strokes_of_any_width_give_the_same_bytes(tmp_path: Path, width: int) -> None:
    greys = [draw(digit, side=120 + 17 * digit, width=width) for digit in range(10)]
    found = prepared_in_javascript(tmp_path, [255 - grey for grey in greys])
    np.testing.assert_array_equal(found, [mnist(grey) for grey in greys])


@pytest.mark.parametrize("change", ["specked", "cut to its box", "one pixel wide"])
def test_so_do_specks_and_margins(tmp_path: Path, change: str) -> None:
    greys = [changed(change, digit) for digit in range(10)]
    found = prepared_in_javascript(tmp_path, [255 - grey for grey in greys])
    np.testing.assert_array_equal(found, [mnist(grey) for grey in greys])


def test_so_does_what_the_field_makes_of_strokes(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    strokes = [generator.uniform(20, 260, (2, 6, 2)).round(1).tolist() for _ in range(20)]
    expression = (
        "given.map((strokes) => inkOf(strokes))"
        ".map((ink) => [Array.from(ink.data), Array.from(prepare(ink))])"
    )
    for ink, found in run_javascript(tmp_path, ["prepare", "draw"], expression, strokes):
        grey = 255 - np.array(ink, np.uint8).reshape(280, 280)
        np.testing.assert_array_equal(np.array(found).reshape(28, 28), mnist(grey))


def test_nothing_comes_of_an_empty_field(tmp_path: Path) -> None:
    assert prepared_in_javascript(tmp_path, [np.zeros((280, 280), np.uint8)]) == [None]
