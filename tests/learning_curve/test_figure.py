from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_hex
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy import ndarray

from mnistpipe.files.figure_style import OTHER_COLOUR, TEST_COLOUR, TRAINING_COLOUR
from mnistpipe.learning_curve.figure import draw_learning_curve
from mnistpipe.learning_curve.points import Point, fit_points
from tests.figures import (
    LONG_TITLE,
    assert_is_a_png_of_its_size,
    assert_is_fit_for_print,
    assert_names_its_data_set,
    laid_out,
    lines_seen,
)

pytestmark = pytest.mark.slow

EPOCHS, UPDATES = "the recipe's epochs", "at least 11,900 updates"


def point(
    name: str, examples: int, training: float, test: float, *seeds: float, series: str = EPOCHS
) -> Point:
    seed_sd = float(np.std(seeds, ddof=1)) if seeds else None
    return Point(name, series, examples, 100, training, test, 10_000, seeds or (test,), seed_sd)


def curve_points() -> list[Point]:
    """Of two series, which share the half."""
    return [
        point("sixteenth", 3185, 0.0, 0.0275),
        point("eighth", 6373, 0.0, 0.0191),
        point("quarter", 12748, 0.0013, 0.0121),
        point("half", 25500, 0.0017, 0.0088),
        point("full", 51000, 0.0021, 0.0064),
        point("sixteenth", 3185, 0.0, 0.0195, series=UPDATES),
        point("eighth", 6373, 0.0, 0.0153, series=UPDATES),
        point("half", 25500, 0.0017, 0.0088, series=UPDATES),
    ]


def seed_points() -> list[Point]:
    return [
        point("half", 100, 0.01, 0.2, 0.19, 0.22, 0.19),
        point("full", 200, 0.02, 0.1),
        point("half", 100, 0.01, 0.15, 0.14, 0.16, series=UPDATES),
    ]


def curve_figure(dataset: str) -> Figure:
    points = curve_points()
    return draw_learning_curve(points, fit_points(points[:5], 100, 0), dataset)


FIGURES: dict[str, Callable[[str], Figure]] = {
    "learning curve": curve_figure,
    "learning curve of seeds": lambda dataset: draw_learning_curve(seed_points(), None, dataset),
}


@cache
def figure_of(name: str, dataset: str) -> Figure:
    return laid_out(FIGURES[name](dataset))


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("dataset", ["MNIST", LONG_TITLE])
def test_every_figure_names_its_data_set(name: str, dataset: str) -> None:
    assert_names_its_data_set(figure_of(name, dataset), dataset)


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_a_png_of_its_size(name: str) -> None:
    assert_is_a_png_of_its_size(figure_of(name, "MNIST"))


@pytest.mark.parametrize("name", FIGURES)
def test_the_figure_is_fit_for_print(name: str) -> None:
    assert_is_fit_for_print(figure_of(name, LONG_TITLE))


def curve_handle(figure: Figure, label: str) -> Any:  # noqa: ANN401 (of many kinds)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    return handles[labels.index(label)]


def curve_line(figure: Figure, label: str) -> Line2D:
    """The line through a series, with its markers, or the law's."""
    handle = curve_handle(figure, label)
    line = handle.lines[0] if isinstance(handle, ErrorbarContainer) else handle
    assert isinstance(line, Line2D)
    return line


def bars(figure: Figure, label: str) -> ndarray:
    """Low and high end of each bar of a series."""
    (drawn,) = curve_handle(figure, label).lines[2]
    return np.array(drawn.get_segments())[:, :, 1]


def test_the_learning_curve_has_its_series_on_logarithmic_axes() -> None:
    figure = draw_learning_curve(seed_points(), None, "MNIST")
    axes = figure.axes[0]
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    training = curve_line(figure, f"training error, {EPOCHS}")
    test, other = (curve_line(figure, f"test error, {series}") for series in (EPOCHS, UPDATES))
    assert np.asarray(training.get_xydata()).tolist() == [[100, 0.01], [200, 0.02]]
    assert np.asarray(test.get_xydata()).tolist() == [[100, 0.2], [200, 0.1]]
    assert np.asarray(other.get_xydata()).tolist() == [[100, 0.15]]
    lines = (training, test, other)
    colours = [TRAINING_COLOUR, TEST_COLOUR, OTHER_COLOUR]
    assert [to_hex(line.get_color()) for line in lines] == [to_hex(colour) for colour in colours]
    assert len({line.get_marker() for line in lines}) == 3
    assert len({line.get_linestyle() for line in lines}) == 3


def test_each_test_error_has_the_bar_of_its_interval() -> None:
    points = curve_points()
    figure = draw_learning_curve(points, None, "MNIST")
    drawn = [*bars(figure, f"test error, {EPOCHS}"), *bars(figure, f"test error, {UPDATES}")]
    assert np.array(drawn) == pytest.approx(np.array([point.interval for point in points]))
    assert any("Wilson's 95% interval" in line for line in lines_seen(figure))
    assert not any("each seed" in line for line in lines_seen(figure))


def test_each_seed_has_its_stroke_beside_the_point() -> None:
    figure = draw_learning_curve(seed_points(), None, "MNIST")
    beside = [
        np.asarray(line.get_ydata()).tolist()
        for line in figure.axes[0].lines
        if np.asarray(line.get_xdata())[0] == pytest.approx(106)
    ]
    assert beside == [[0.19, 0.22, 0.19], [0.14, 0.16]]
    assert "Strokes beside a point: the error of each seed." in lines_seen(figure)


def test_the_law_is_a_line_with_its_band() -> None:
    points = curve_points()
    law = fit_points(points[:5], 100, 0)
    assert law is not None
    figure = draw_learning_curve(points, law, "MNIST")
    _, labels = figure.axes[0].get_legend_handles_labels()
    (label,) = [label for label in labels if label.startswith("fit: ")]
    assert f"{{-{law.exponent.value:.2f}}}" in label
    line = np.asarray(curve_line(figure, label).get_xydata())
    assert line[[0, -1], 0] == pytest.approx([3185, 51_000])
    error = law.error(51_000.0)
    assert line[-1, 1] == pytest.approx(error.value)
    (band,) = [each for each in figure.axes[0].collections if isinstance(each, PolyCollection)]
    edge = np.asarray(band.get_paths()[0].vertices)
    at_full = edge[np.isclose(edge[:, 0], 51_000), 1]
    assert (at_full.min(), at_full.max()) == pytest.approx((error.low, error.high))
    # It stands in the place of the line from point to point.
    assert curve_line(figure, f"test error, {EPOCHS}").get_linestyle() == "None"
    assert curve_line(figure, f"test error, {UPDATES}").get_linestyle() == "--"


def test_the_axis_ends_above_all_images_where_a_law_goes_on() -> None:
    points = curve_points()
    law = fit_points(points[:5], 100, 0)
    assert law is not None
    steep = replace(law, fitted=np.array([1e4, 0.8, 0.0]))
    assert draw_learning_curve(points, steep, "MNIST").axes[0].get_ylim()[1] == pytest.approx(1.1)


def test_the_learning_curve_is_labelled() -> None:
    seen = lines_seen(figure_of("learning curve", "MNIST"))
    for each in curve_points():
        assert seen.count(f"{each.examples:,}") == 1
        assert seen.count(f"({each.name})") == 1
    assert {"training examples", "share of images misclassified"} <= set(seen)
    assert {f"test error, {series}" for series in (EPOCHS, UPDATES)} <= set(seen)
    assert {f"training error, {EPOCHS}", f"training error, {EPOCHS}: zero"} <= set(seen)
    assert len([line for line in seen if line.endswith("%")]) >= 3
    assert "1%" in seen


def test_errors_of_zero_are_marked_below_all_others() -> None:
    figure = draw_learning_curve(curve_points(), None, "MNIST")
    zeros = curve_line(figure, f"training error, {EPOCHS}: zero")
    places = np.asarray(zeros.get_xydata())
    lowest = 0.0013 / 1.5
    assert places == pytest.approx(np.array([[3185, lowest], [6373, lowest]]))
    assert (zeros.get_marker(), zeros.get_linestyle()) == ("v", "None")
    drawn = np.asarray(curve_line(figure, f"training error, {EPOCHS}").get_ydata(), dtype=float)
    assert np.isnan(drawn).tolist() == [True, True, False, False, False]
    low, high = figure.axes[0].get_ylim()
    assert low < lowest < high


def test_a_curve_without_any_error_is_all_marks_with_bars() -> None:
    points = [point("half", 10, 0.0, 0.0), point("full", 20, 0.0, 0.0)]
    figure = draw_learning_curve(points, None, "MNIST")
    seen = set(lines_seen(figure))
    assert {f"{kind} error, {EPOCHS}: zero" for kind in ("test", "training")} <= seen
    high = bars(figure, f"test error, {EPOCHS}: zero")[:, 1]
    assert high == pytest.approx([points[0].interval[1]] * 2)


def test_ticks_of_many_points_and_of_many_powers_of_ten_have_room() -> None:
    points = [
        point(f"size-{n}", 51_000 >> n, 1e-5 if n == 0 else 0.01 * n, 0.01 * (n + 1))
        for n in range(10)
    ]
    assert_is_fit_for_print(draw_learning_curve(points[::-1], None, LONG_TITLE))
