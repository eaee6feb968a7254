from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import StepPatch
from numpy import ndarray

from mnistpipe.confidence.calibration import Answers, reliability, risk_coverage
from mnistpipe.confidence.figures import draw_calibration, draw_disputed
from mnistpipe.confidence.labels import Disputed
from mnistpipe.data.catalogue import TITLE_ENDS
from mnistpipe.data.split import Labelled
from mnistpipe.files.figure_style import PAGE, TEST_COLOUR
from mnistpipe.scoring.significance import wilson_interval
from tests.conftest import TEN
from tests.figures import (
    LONG_TITLE,
    assert_is_a_png_of_its_size,
    assert_is_fit_for_print,
    assert_names_its_data_set,
    laid_out,
    lines_seen,
)

pytestmark = pytest.mark.slow

LONG_NAMES = tuple(f"a long name of class {number}" for number in range(10))


def answers(n: int = 300, errors: int = 30) -> Answers:
    """The last ones are wrong, and less sure than the others."""
    right = np.arange(n) < n - errors
    return Answers(np.zeros(n, np.int64), np.linspace(1, 0.3, n), right)


def calibration_figure(dataset: str, own: Answers | None = None) -> Figure:
    own = own or answers()
    return draw_calibration(reliability(own, 15), risk_coverage(own), "train-net", dataset)


def predicted(n: int = 60) -> ndarray:
    """By five networks; of image 7 four of them say 3 and one says 8."""
    said = np.tile((np.arange(n) + 1) % 10, (5, 1)).T
    said[7] = [3, 3, 8, 3, 3]
    return said


def disputed_figure(
    dataset: str, n: int = 60, classes: tuple[str, ...] = TEN, rejected: tuple[int, ...] = ()
) -> Figure:
    images = np.random.default_rng(1).integers(0, 256, (60, 28, 28), dtype=np.uint8)
    indices, votes = np.arange(n), np.full(n, 5)
    disputed = Disputed(indices, predicted()[:n, 0], votes, votes, np.linspace(0, 0.3, n))
    test = Labelled(images, np.arange(60) % 10)
    return draw_disputed(test, disputed, predicted(), classes, dataset, rejected)


FIGURES: dict[str, Callable[[str], Figure]] = {
    "calibration": calibration_figure,
    "disputed": disputed_figure,
    "none disputed": lambda dataset: disputed_figure(dataset, 0),
    "disputed, with long names": lambda dataset: disputed_figure(dataset, classes=LONG_NAMES),
}


@cache
def figure_of(name: str, dataset: str) -> Figure:
    return laid_out(FIGURES[name](dataset))


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_names_its_data_set_and_is_fit_for_print(name: str) -> None:
    figure = figure_of(name, LONG_TITLE)
    assert_names_its_data_set(figure, LONG_TITLE)
    assert_is_fit_for_print(figure)


@pytest.mark.parametrize("name", ["calibration", "disputed"])
def test_a_figure_is_a_png_of_its_size(name: str) -> None:
    assert_is_a_png_of_its_size(figure_of(name, LONG_TITLE))


def test_each_bin_is_drawn_with_its_interval() -> None:
    axes = figure_of("calibration", LONG_TITLE).axes[0]
    (bars,) = axes.containers
    line, _, (segments,) = bars
    bins = reliability(answers(), 15)
    used = bins.count > 0
    drawn = np.asarray(line.get_xydata())
    assert drawn[:, 0] == pytest.approx(bins.confidence[used])
    assert drawn[:, 1] == pytest.approx(bins.right[used] / bins.count[used])
    for right, count, bar in zip(
        bins.right[used], bins.count[used], segments.get_segments(), strict=True
    ):
        assert bar[:, 1] == pytest.approx(wilson_interval(int(right), int(count)))


def test_the_risk_rises_to_that_of_all_images() -> None:
    axes = next(a for a in figure_of("calibration", LONG_TITLE).axes if "risk" in a.get_ylabel())
    curve = np.asarray(axes.lines[0].get_xydata())
    assert curve[-1] == pytest.approx([1, 0.1])
    assert (curve[curve[:, 0] < 0.9, 1] == 0).all()


@pytest.mark.parametrize("right", [True, False])
def test_all_right_and_all_wrong_are_drawn(right: bool) -> None:  # noqa: FBT001 (parametrized)
    own = Answers(np.zeros(9, np.int64), np.full(9, 0.5), np.full(9, right))
    assert_is_fit_for_print(calibration_figure("MNIST", own))


def test_each_image_stands_with_its_label_and_what_the_networks_say() -> None:
    seen = lines_seen(figure_of("disputed", LONG_TITLE))
    assert "labelled 7" in seen
    assert "3 by 4, 8 by 1" in seen
    assert any("48 of 60 test images that most of the 5 networks" in line for line in seen)
    assert not any("reviewers" in line for line in seen)


def test_ink_is_dark_and_a_whole_picture_as_it_is() -> None:
    titles = ["MNIST", f"pets {TITLE_ENDS['mnist']}", f"pets {TITLE_ENDS['resize']}"]
    shown = [disputed_figure(title, 1).axes[0].images[0] for title in titles]
    assert [image.cmap(255)[0] for image in shown] == [0, 0, 1]
    assert [image.cmap(0)[0] for image in shown] == [1, 1, 0]


def test_where_no_image_is_disputed_it_is_said() -> None:
    said = "no test image that most of the 5 networks call the same other class"
    assert lines_seen(figure_of("none disputed", "MNIST")) == [f"MNIST: {said}"]


def test_what_reviewers_rejected_is_framed() -> None:
    figure = disputed_figure("MNIST", rejected=(3, 20))
    framed = [
        place
        for place, axes in enumerate(figure.axes)
        if to_hex(axes.spines["left"].get_edgecolor()) == to_hex(TEST_COLOUR)
    ]
    assert framed == [3, 20]
    assert any("framed: human reviewers" in line for line in lines_seen(figure))


def test_of_classes_with_long_names_a_page_shows_fewer_images_and_says_so() -> None:
    figure = figure_of("disputed, with long names", LONG_TITLE)
    assert figure.get_figheight() <= PAGE
    shown = sum(len(axes.images) for axes in figure.axes)
    assert 20 < shown < 48
    assert any(f"{shown} of 60 test images" in line for line in lines_seen(figure))


def test_on_a_logarithmic_axis_no_bar_is_filled() -> None:
    axes = figure_of("calibration", LONG_TITLE).axes
    counts = next(each for each in axes if each.get_ylabel() == "images")
    assert counts.get_yscale() == "log"
    (outline,) = counts.patches
    assert isinstance(outline, StepPatch)
    assert not outline.get_fill()
    values, *_ = outline.get_data()
    assert values.tolist() == reliability(answers(), 15).count.tolist()
