import numpy as np
import pytest

from mnistpipe.images.prepare import EmptyImageError, mnist, resize


def test_what_has_mnists_size_is_not_changed_by_resizing() -> None:
    grey = np.random.default_rng(0).integers(0, 256, (28, 28), dtype=np.uint8)
    assert np.array_equal(resize(grey), grey)


def test_resizing_keeps_the_shape_and_fills_up_with_the_borders_grey() -> None:
    grey = np.full((100, 50), 77, dtype=np.uint8)
    grey[30:70, 20:30] = 200  # of a quarter's width, after the margins a tenth
    small = resize(grey)
    assert (small[:, :7] == 77).all()
    rows, columns = np.nonzero(small > 140)
    assert 11 <= np.ptp(rows) + 1 <= 12
    assert 2 <= np.ptp(columns) + 1 <= 3


def test_resizing_does_not_step_over_fine_detail() -> None:
    """A pattern finer than the pixels becomes grey; picking pixels would give stripes."""
    stripes = np.tile(np.array([0, 255], dtype=np.uint8), (280, 140))
    assert np.abs(resize(stripes).astype(int) - 127).max() < 8


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (28, 28), (64, 64)])
@pytest.mark.parametrize("level", [0, 128, 255])
def test_nothing_drawn_is_said(shape: tuple[int, int], level: int) -> None:
    with pytest.raises(EmptyImageError, match="Nothing is drawn"):
        mnist(np.full(shape, level, dtype=np.uint8))
