import numpy as np
import pytest

from mnistpipe.images.ink import find_ink
from mnistpipe.images.strokes import THICKEST, THINNEST, normalise_strokes, stroke_width
from tests.images.drawings import draw


@pytest.mark.parametrize("width", [1, 2, 5, 10, 20])
def test_the_width_of_a_line_is_measured(width: int) -> None:
    assert stroke_width(np.ones((400, width), bool)) == pytest.approx(width, abs=1)
    assert stroke_width(np.ones((width, 400), bool)) == pytest.approx(width, abs=1)


@pytest.mark.parametrize("width", [1, 2, 4, 8, 60])
def test_strokes_come_to_lie_between_the_bounds(width: int) -> None:
    for digit in (0, 2, 7):
        ink = normalise_strokes(find_ink(draw(digit, width=width)))
        share = stroke_width(ink > 0.5) / max(ink.shape)
        assert THINNEST * 0.85 < share < THICKEST * 1.1
        assert ink[0].any()
        assert ink[-1].any()
        assert ink[:, 0].any()
        assert ink[:, -1].any()


def test_strokes_like_mnists_are_left_as_they_are() -> None:
    ink = find_ink(draw(3, width=26))
    assert normalise_strokes(ink) is ink
