from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from itertools import combinations

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgba
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.text import Annotation, Text

from mnistpipe.robustness.figure import draw_robustness
from mnistpipe.robustness.measure import Measurement
from mnistpipe.robustness.params import Perturbation
from mnistpipe.scoring.significance import wilson_interval
from mnistpipe.training.plan import PAIRS
from tests.figures import (
    LONG_TITLE,
    assert_is_a_png_of_its_size,
    assert_is_fit_for_print,
    assert_names_its_data_set,
    draw,
    laid_out,
    lines_seen,
)

pytestmark = pytest.mark.slow

PARTS = [f"partial-data@{name}" for name in ("half", "quarter", "eighth", "sixteenth")]
STRENGTHS: dict[Perturbation, list[int]] = {"blur": [0, 1, 2, 3], "rotation": [0, 15, 30, 45]}


def measurements(parts: Sequence[str] = PARTS) -> list[Measurement]:
    """Eight networks or more, each one worse than the one before; the first is perfect at first."""
    networks = {stage: network for network, pair in PAIRS.items() for stage in pair}
    networks |= dict.fromkeys(parts, "net")
    return [
        Measurement(stage, network, perturbation, strength, errors / 10_000, errors, 10_000)
        for number, (stage, network) in enumerate(networks.items())
        for perturbation, strengths in STRENGTHS.items()
        for strength in strengths
        for errors in [100 * number + strength**2 + (0 if strength == 0 else 90)]
    ]


@cache
def robustness_figure(dataset: str) -> Figure:
    return laid_out(draw_robustness(measurements(), dataset))


@pytest.mark.parametrize("dataset", ["MNIST", LONG_TITLE])
def test_the_figure_names_its_data_set(dataset: str) -> None:
    assert_names_its_data_set(robustness_figure(dataset), dataset)


def test_the_figure_is_a_png_of_its_size() -> None:
    assert_is_a_png_of_its_size(robustness_figure("MNIST"))


def test_the_figure_is_fit_for_print() -> None:
    assert_is_fit_for_print(robustness_figure(LONG_TITLE))


def series_of(axes: Axes) -> dict[str, ErrorbarContainer]:
    handles, labels = axes.get_legend_handles_labels()
    assert all(isinstance(handle, ErrorbarContainer) for handle in handles)
    return dict(zip(labels, handles, strict=True))


def test_robustness_has_the_four_runs_above_and_the_parts_of_the_data_below() -> None:
    figure = robustness_figure("MNIST")
    stages = [stage for pair in PAIRS.values() for stage in pair]
    shown = [list(series_of(axes)) for axes in figure.axes]
    parts = ["train-net-augmented", *PARTS]  # the full data is the measure of the parts
    assert shown == [stages, stages, parts, parts]


def test_robustness_has_each_error_at_its_strength_with_its_interval() -> None:
    figure = robustness_figure("MNIST")
    for axes, perturbation in zip(figure.axes, [*STRENGTHS, *STRENGTHS], strict=True):
        assert axes.get_yscale() == "log"
        for stage, (line, _, (bars,)) in series_of(axes).items():
            own = [t for t in measurements() if (t.stage, t.perturbation) == (stage, perturbation)]
            drawn = np.asarray(line.get_xydata())
            assert drawn[:, 0].tolist() == STRENGTHS[perturbation]
            assert drawn[:, 1] == pytest.approx([max(t.test_error, 0.5 / 10_000) for t in own])
            for measurement, bar in zip(own, np.asarray(bars.get_segments()), strict=True):
                interval = wilson_interval(measurement.errors, measurement.count)
                assert bar[:, 1] == pytest.approx(interval, abs=1e-9)


def test_robustness_without_any_error_is_drawn_at_half_an_image() -> None:
    perfect = [replace(measurement, test_error=0.0, errors=0) for measurement in measurements()]
    figure = draw_robustness(perfect, "MNIST")
    draw(figure)
    low, high = figure.axes[0].get_ylim()
    assert 0 < low < 0.5 / 10_000 < high


def test_robustness_is_labelled() -> None:
    seen = lines_seen(robustness_figure("MNIST"))
    assert "Test error on blurred and on turned images, with Wilson's 95% intervals" in seen
    assert {"blur (passes of the 5x5 kernel)", "rotation to either side (degrees)"} <= set(seen)
    assert seen.count("share of images misclassified") == 2
    assert {"0", "1", "2", "3", "15", "30", "45", "1%", "10%"} <= set(seen)
    assert {"all of the data", "parts of the data"} <= set(seen)


def test_every_line_is_named_at_its_end_and_no_two_names_overlap() -> None:
    figure = robustness_figure("MNIST")
    renderer = draw(figure)
    for axes in figure.axes:
        lines = series_of(axes)
        short = [stage.removeprefix("partial-data@") for stage in lines]
        names = [text for text in axes.texts if isinstance(text, Annotation)]
        assert [name.get_text() for name in names] == short
        ends = [np.asarray(line[0].get_xydata())[-1] for line in lines.values()]
        assert [name.xy for name in names] == [pytest.approx(end) for end in ends]
        colours = [name.arrow_patch.get_edgecolor() for name in names if name.arrow_patch]
        assert colours == [to_rgba(line[0].get_color()) for line in lines.values()]
        boxes = [Text.get_window_extent(name, renderer) for name in names]
        assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))


@pytest.mark.parametrize("n_sweeps", [1, 2])
def test_no_two_lines_of_a_panel_look_alike(n_sweeps: int) -> None:
    other = [f"partial-data-steps@{name}" for name in ("quarter", "eighth", "sixteenth")]
    figure = draw_robustness(measurements(PARTS + other * (n_sweeps - 1)), "MNIST")
    for axes in figure.axes:
        lines = [container[0] for container in series_of(axes).values()]
        looks = [(to_hex(line.get_color()), line.get_linestyle()) for line in lines]
        assert len(set(looks)) == len(looks)
    assert_is_fit_for_print(figure)


def test_a_network_has_one_colour_and_is_dashed_without_augmentation() -> None:
    lines = {
        stage: container[0]
        for stage, container in series_of(robustness_figure("MNIST").axes[0]).items()
    }
    for without, with_it in PAIRS.values():
        assert to_hex(lines[without].get_color()) == to_hex(lines[with_it].get_color())
        assert [lines[stage].get_linestyle() for stage in (without, with_it)] == ["--", "-"]
        assert lines[without].get_marker() != lines[with_it].get_marker()
