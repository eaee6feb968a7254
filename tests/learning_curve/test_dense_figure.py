import numpy as np
import pytest
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure

from mnistpipe.learning_curve.dense import Dense
from mnistpipe.learning_curve.dense_figure import draw_dense_curve
from tests.figures import (
    LONG_TITLE,
    assert_is_a_png_of_its_size,
    assert_is_fit_for_print,
    assert_names_its_data_set,
    laid_out,
    lines_seen,
)
from tests.learning_curve.test_dense import N_TEST, curve, drawn, measured

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def lawful() -> Dense:
    return curve(drawn(np.random.default_rng(1), 0.1))


@pytest.fixture(scope="module")
def figure(lawful: Dense) -> Figure:
    return laid_out(draw_dense_curve(lawful, LONG_TITLE))


def test_the_figure_passes_what_every_figure_has_to(figure: Figure) -> None:
    assert_is_a_png_of_its_size(figure)
    assert_names_its_data_set(figure, LONG_TITLE)
    assert_is_fit_for_print(figure)


def test_every_network_is_a_point_of_the_figure(figure: Figure, lawful: Dense) -> None:
    (axes,) = figure.axes
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    lines = {f"{line.get_label()}": line for line in axes.get_lines()}
    small, large = lines["up to 12,750 images"], lines["more images"]
    assert len(np.asarray(small.get_ydata())) == 5 * 8
    errors = [error for size in lawful.sizes[-2:] for error in size.seed_errors]
    assert np.asarray(large.get_ydata()).tolist() == errors
    (bars,) = [each for each in axes.containers if isinstance(each, ErrorbarContainer)]
    (segments,) = [lines.get_segments() for lines in bars.lines[2]]
    ends = [[part[0][1], part[1][1]] for part in np.asarray(segments)]
    assert np.array(ends) == pytest.approx(
        np.array([[each.predicted.low, each.predicted.high] for each in lawful.held_out])
    )


def test_a_network_without_mistakes_and_a_curve_without_sizes_have_a_figure() -> None:
    zero = draw_dense_curve(curve([measured(100, 0.2), measured(51_000, 0.0)]), "digits")
    lines = {f"{line.get_label()}": line for line in zero.axes[0].get_lines()}
    assert np.asarray(lines["more images"].get_ydata()).tolist() == [0.5 / N_TEST]
    assert "dense-curve.sizes is empty" in lines_seen(draw_dense_curve(curve([]), "digits"))
