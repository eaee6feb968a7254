from pathlib import Path

import numpy as np
import pytest

from mnistpipe.data.idx import read_idx
from mnistpipe.images.prepare import BOX, SIDE, EmptyImageError, mnist, resize
from tests.images.drawings import CHANGES, changed


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
    with pytest.raises(EmptyImageError, match="nothing is drawn"):
        mnist(np.full(shape, level, dtype=np.uint8))


@pytest.mark.parametrize("change", CHANGES)
def test_a_digit_is_put_where_mnist_has_it(change: str) -> None:
    for digit in (2, 6):
        small = mnist(changed(change, digit))
        rows, columns = np.nonzero(small)
        assert max(np.ptp(rows), np.ptp(columns)) + 1 == BOX
        mass = small / small.sum()
        assert mass.sum(axis=1) @ np.arange(SIDE) == pytest.approx(14, abs=0.51)
        assert mass.sum(axis=0) @ np.arange(SIDE) == pytest.approx(14, abs=0.51)
        assert small.max() == 255


def test_ink_stays_within_though_its_mass_is_at_one_end() -> None:
    flag = np.full((300, 120), 255, np.uint8)
    flag[30:110, 20:100] = 0
    flag[110:270, 20:24] = 0
    small = mnist(flag)
    assert np.ptp(np.nonzero(small)[0]) + 1 == BOX


@pytest.mark.mnist
def test_mnists_own_images_stay_nearly_as_they_are(mnist_mirror: Path) -> None:
    images = read_idx(mnist_mirror / "t10k-images-idx3-ubyte.gz")[:200]
    differences = [np.abs(mnist(image).astype(int) - image).mean() for image in images]
    assert np.median(differences) < 0.5
