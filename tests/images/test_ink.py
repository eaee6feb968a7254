import warnings

import numpy as np
import pytest
from scipy import ndimage

from mnistpipe.images.ink import LONGEST, EmptyImageError, find_ink
from tests.images.drawings import CHANGES, changed, draw


@pytest.mark.parametrize("change", [name for name in CHANGES if name not in ("thick", "small")])
def test_the_box_is_the_digits_however_it_was_written(change: str) -> None:
    """A 1 is upright and a 0 is not quite; of each change the box keeps that shape."""
    for digit, ratio in ((0, 0.6), (1, 0.1)):
        ink = find_ink(changed(change, digit))
        assert ink.shape[1] / ink.shape[0] == pytest.approx(ratio, abs=0.12), change
        assert ink.dtype == np.float32
        assert ink.min() >= 0
        assert ink.max() == 1


def test_ink_is_light_whichever_side_was() -> None:
    grey = draw(4)
    assert np.array_equal(find_ink(grey), find_ink(255 - grey))
    assert 0.02 < (find_ink(grey) > 0.5).mean() < 0.3


def test_a_photographs_detail_is_looked_at_closely() -> None:
    page = np.full((4000, 3000), 240, np.uint8)
    page[3000:3280, 2000:2280] = draw(8)
    assert LONGEST / 4000 * 200 < 40 < find_ink(page).shape[0]


@pytest.mark.parametrize(
    "grey",
    [
        np.full((50, 60), 255, np.uint8),
        np.random.default_rng(0).normal(200, 8, (300, 300)).clip(0, 255).astype(np.uint8),
        np.tile(np.linspace(80, 220, 300).astype(np.uint8), (200, 1)),
        np.full((50, 60), 200, np.uint8)
        - np.pad(np.full((9, 9), 9, np.uint8), ((20, 21), (25, 26))),
    ],
    ids=["blank", "noise", "light from a side", "too faint"],
)
def test_without_a_drawing_it_says_so(grey: np.ndarray) -> None:
    with pytest.raises(EmptyImageError, match="nothing is drawn there"):
        find_ink(grey)


def test_any_picture_has_ink_or_none() -> None:
    generator = np.random.default_rng(0)
    n_empty = 0
    for number in range(240):
        height, width = generator.integers(1, (4, 30, 120, 600)[number % 4], 2)
        noise = generator.random((height, width))
        lines = np.zeros((height, width))
        lines[generator.integers(height)], lines[:, generator.integers(width)] = 1, 0.8
        blobs = (ndimage.gaussian_filter(noise, 3) > noise.mean()).astype(float)
        grey = (255 * (noise, lines, blobs)[number % 3]).astype(np.uint8)
        try:
            with warnings.catch_warnings(action="error"):
                ink = find_ink(grey)
        except EmptyImageError:
            n_empty += 1
        else:
            assert ink.max() == 1
    assert 0 < n_empty < 200
