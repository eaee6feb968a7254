"""What can be seen in the figures, after drawing them."""

import html
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.collections import Collection, PathCollection, PolyCollection
from matplotlib.colors import to_hex, to_rgb
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy import ndarray

from mnistpipe.analysis import Mistakes, Neighbours, find_neighbours
from mnistpipe.figures import (
    CLASS_COLOURS,
    OTHER_COLOUR,
    TEST_COLOUR,
    TRAINING_COLOUR,
    draw_confusion,
    draw_embedding,
    draw_kernels,
    draw_learning_curve,
    draw_mistakes,
    draw_neighbours,
    draw_robustness,
)
from mnistpipe.learning_curve import Point, fit_points
from mnistpipe.params import PAIRS, Perturbation
from mnistpipe.robustness import Measurement
from mnistpipe.significance import wilson_interval
from mnistpipe.split import Labelled, Split

LONG_TITLE = "scikit-learn digits (not MNIST)"
EPOCHS, UPDATES = "the recipe's epochs", "at least 11,900 updates"
CURVES = ("learning curve", "learning curve of seeds")


@pytest.fixture
def test_set(split: Split) -> Labelled:
    """Fifty random images; their labels are 0 to 9 in turn."""
    return split.test


def random_images(n: int) -> Labelled:
    images = np.random.default_rng(3).integers(0, 256, (n, 28, 28), dtype=np.uint8)
    return Labelled(images, np.arange(n) % 10)


def mistakes_at(indices: Sequence[int]) -> Mistakes:
    """As if each image had been taken for the class after its own."""
    chosen = np.array(indices, dtype=np.int64)
    return Mistakes(chosen, (chosen + 1) % 10, np.linspace(1.0, 0.35, len(chosen)))


def confusion_counts() -> ndarray:
    counts = np.diag(np.arange(960, 1060, 10))
    counts[3, 5], counts[9, 4] = 10, 1000
    return counts


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


def curve_figure(dataset: str) -> Figure:
    points = curve_points()
    return draw_learning_curve(points, fit_points(points[:5], 100, 0), dataset)


def neighbours_figure(test: Labelled, dataset: str, count: int = 8) -> Figure:
    neighbours = find_neighbours(test.images.reshape(len(test), -1) / np.float32(255), count)
    return draw_neighbours(test, np.arange(10), neighbours, dataset, share=0.9137)


FIGURES: dict[str, Callable[[str], Figure]] = {
    "robustness": lambda dataset: draw_robustness(measurements(), dataset),
    "learning curve": curve_figure,
    "learning curve of seeds": lambda dataset: draw_learning_curve(seed_points(), None, dataset),
    "mistakes": lambda dataset: draw_mistakes(
        random_images(50), mistakes_at(range(47)), 25, dataset
    ),
    "no mistakes": lambda dataset: draw_mistakes(random_images(50), mistakes_at([]), 25, dataset),
    "kernels": lambda dataset: draw_kernels(random_kernels(), dataset),
    "confusion": lambda dataset: draw_confusion(confusion_counts(), dataset, normalise=False),
    "confusion, shares": lambda dataset: draw_confusion(
        confusion_counts(), dataset, normalise=True
    ),
    "embedding": lambda dataset: draw_embedding(random_map(), np.arange(200) % 10, dataset),
    "neighbours": lambda dataset: neighbours_figure(random_images(50), dataset),
}


def random_kernels() -> ndarray:
    return np.random.default_rng(4).normal(size=(32, 1, 5, 5)).astype(np.float32)


def random_map() -> ndarray:
    return np.random.default_rng(5).normal(size=(200, 2)).astype(np.float32) * 40


def draw(figure: Figure) -> RendererAgg:
    """Lay the figure out and draw it, so that places and pixels can be asked for."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    renderer: RendererAgg = canvas.get_renderer()  # type: ignore[no-untyped-call]
    return renderer


def lines_seen(figure: Figure) -> list[str]:
    """Each line of text that is really drawn, hidden ones left out."""
    buffer = io.BytesIO()
    with mpl.rc_context({"svg.fonttype": "none"}):  # texts as texts, not as outlines
        figure.savefig(buffer, format="svg")
    found = re.findall(r"<text[^>]*>(.*?)</text>", buffer.getvalue().decode(), re.DOTALL)
    return [html.unescape(line) for line in found]


def pictures(figure: Figure) -> list[Axes]:
    return [axes for axes in figure.axes if axes.images]


def array_of(axes: Axes) -> ndarray:
    (image,) = axes.images
    return np.asarray(image.get_array())


def assert_no_text_is_cut(figure: Figure) -> None:
    box = figure.get_tightbbox(draw(figure))  # in inches, of all that is visible
    assert box.x0 >= 0
    assert box.y0 >= 0
    assert box.x1 <= figure.get_figwidth()
    assert box.y1 <= figure.get_figheight()


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("dataset", ["MNIST", LONG_TITLE])
def test_every_figure_names_its_data_set(name: str, dataset: str) -> None:
    assert any(dataset in line for line in lines_seen(FIGURES[name](dataset)))


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_a_png_of_its_size(name: str) -> None:
    buffer = io.BytesIO()
    figure = FIGURES[name]("MNIST")
    figure.savefig(buffer, format="png", dpi=50)
    content = buffer.getvalue()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = (int.from_bytes(content[start : start + 4], "big") for start in (16, 20))
    assert (width, height) == (
        int(figure.get_figwidth() * 50),
        int(figure.get_figheight() * 50),
    )


@pytest.mark.parametrize("name", FIGURES)
def test_no_text_is_cut_at_the_edge(name: str) -> None:
    assert_no_text_is_cut(FIGURES[name](LONG_TITLE))


def test_a_text_that_is_cut_would_be_noticed() -> None:
    figure = FIGURES["kernels"](LONG_TITLE * 3)
    with pytest.raises(AssertionError):
        assert_no_text_is_cut(figure)


@pytest.mark.parametrize("name", [*CURVES, "robustness", "confusion", "embedding"])
def test_tick_labels_do_not_run_into_each_other(name: str) -> None:
    figure = FIGURES[name](LONG_TITLE)
    renderer = draw(figure)
    axes = figure.axes[0]
    for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
        low, high = axes.bbox.get_points()
        boxes = [label.get_window_extent(renderer) for label in labels if label.get_text()]
        # Ticks outside the limits are not drawn.
        boxes = [
            box
            for box in boxes
            if low[0] <= (box.x0 + box.x1) / 2 <= high[0]
            or low[1] <= (box.y0 + box.y1) / 2 <= high[1]
        ]
        assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))


@pytest.mark.parametrize("count", [16, 25, 100])
def test_as_many_mistakes_are_shown_as_were_asked_for(count: int) -> None:
    test = random_images(150)
    indices = np.random.default_rng(0).permutation(150)
    figure = draw_mistakes(test, mistakes_at(indices.tolist()), count, LONG_TITLE)
    shown = pictures(figure)
    assert len(shown) == count
    for axes, index in zip(shown, indices, strict=False):
        assert np.array_equal(array_of(axes), test.images[index])
    assert_no_text_is_cut(figure)
    assert f"{LONG_TITLE}: {count} of 150 mistakes, the most confident first" in lines_seen(figure)


def test_the_mistakes_are_really_to_be_seen(test_set: Labelled) -> None:
    """They once came out blank: here the drawn pixels are compared with the images."""
    indices = [7, 3, 30, 12]
    figure = draw_mistakes(test_set, mistakes_at(indices), 25, "MNIST")
    pixels = np.asarray(draw(figure).buffer_rgba())[..., 0]  # type: ignore[no-untyped-call]
    for axes, index in zip(pictures(figure), indices, strict=True):
        box = axes.get_window_extent()
        # The pixel at the centre of each of the image's 28 x 28 fields; rows count from the top.
        steps = (np.arange(28) + 0.5) / 28
        rows = (len(pixels) - (box.y1 - steps * box.height)).astype(int)
        columns = (box.x0 + steps * box.width).astype(int)
        drawn = pixels[np.ix_(rows, columns)].astype(float)
        likeness = np.corrcoef(drawn.ravel(), 255.0 - test_set.images[index].ravel())[0, 1]
        assert likeness > 0.9


def test_a_mistake_says_label_prediction_and_confidence(test_set: Labelled) -> None:
    mistakes = Mistakes(np.array([4, 19, 21]), np.array([9, 7, 2]), np.array([0.99951, 0.97, 0.5]))
    figure = draw_mistakes(test_set, mistakes, 25, "MNIST")
    assert [axes.get_title() for axes in pictures(figure)] == [
        "true 4, taken for 9\n(>99.9%)",
        "true 9, taken for 7\n(97.0%)",
        "true 1, taken for 2\n(50.0%)",
    ]
    seen = lines_seen(figure)
    assert "true 4, taken for 9" in seen
    assert "(>99.9%)" in seen
    assert "MNIST: 3 of 3 mistakes, the most confident first" in seen


def test_unused_places_among_the_mistakes_stay_empty(test_set: Labelled) -> None:
    figure = draw_mistakes(test_set, mistakes_at([1, 2, 3, 4, 5, 6]), 25, "MNIST")
    assert [len(axes.images) for axes in figure.axes] == [1] * 6 + [0] * 4
    assert len(lines_seen(figure)) == 1 + 2 * 6  # no tick labels around the empty places


def test_all_kernels_are_shown_on_one_symmetric_scale() -> None:
    kernels = random_kernels()
    figure = draw_kernels(kernels, "MNIST")
    shown = pictures(figure)
    limit = float(np.abs(kernels).max())
    assert len(shown) == 32
    for axes, kernel in zip(shown, kernels, strict=True):
        assert np.array_equal(array_of(axes), kernel[0])
        assert axes.images[0].get_clim() == (-limit, limit)
    seen = lines_seen(figure)
    assert "The 32 kernels of Net's first layer, trained on MNIST" in seen
    assert "weight" in seen
    assert {str(number) for number in range(32)} <= set(seen)


def cell_texts(figure: Figure) -> dict[tuple[float, float], str]:
    """By (row, column)."""
    return {text.get_position()[::-1]: text.get_text() for text in figure.axes[0].texts}


def test_the_cells_of_the_confusion_matrix_are_the_counts() -> None:
    counts = confusion_counts()
    figure = draw_confusion(counts, "MNIST", normalise=False)
    expected = {(row, row): str(960 + 10 * row) for row in range(10)}
    expected |= {(3, 5): "10", (9, 4): "1000"}
    assert cell_texts(figure) == expected
    assert set(expected.values()) <= set(lines_seen(figure))


def test_the_normalised_cells_are_shares_of_the_true_class() -> None:
    figure = draw_confusion(confusion_counts(), "MNIST", normalise=True)
    expected = {(row, row): "1.000" for row in range(10)}
    expected |= {(3, 3): "0.990", (3, 5): "0.010", (9, 4): "0.488", (9, 9): "0.512"}
    assert cell_texts(figure) == expected
    assert "10,050 of 11,060 test images right (rows sum to one)" in lines_seen(figure)


@pytest.mark.parametrize("normalise", [False, True])
def test_the_axes_of_the_confusion_matrix_are_named(*, normalise: bool) -> None:
    figure = draw_confusion(confusion_counts(), "MNIST", normalise=normalise)
    seen = lines_seen(figure)
    assert {"predicted class", "true class"} <= set(seen)
    assert "share of the true class (square-root scale)" in seen
    axes = figure.axes[0]
    for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
        assert [label.get_text() for label in labels] == [str(number) for number in range(10)]
    image = array_of(axes)
    assert image[3, 5] == pytest.approx(np.sqrt(0.01))  # the true class is the row
    assert image[5, 3] == 0


def test_a_class_without_images_leaves_its_row_empty() -> None:
    counts = confusion_counts()
    counts[7] = 0
    rows = {row for row, _ in cell_texts(draw_confusion(counts, "MNIST", normalise=True))}
    assert rows == set(range(10)) - {7}


def colour_of(cloud: Collection) -> str:
    (colour,) = np.asarray(cloud.get_facecolor())
    return to_hex(tuple(colour))


def test_each_class_of_the_map_has_its_colour_its_name_and_its_entry_in_the_legend() -> None:
    embedded, labels = random_map(), np.arange(200) % 10
    figure = draw_embedding(embedded, labels, "MNIST")
    axes = figure.axes[0]
    clouds = [each for each in axes.collections if isinstance(each, PathCollection)]
    assert len(clouds) == 10
    for number, cloud in enumerate(clouds):
        assert np.array_equal(np.asarray(cloud.get_offsets()), embedded[labels == number])
    assert len({colour_of(cloud) for cloud in clouds}) == 10
    assert [text.get_text() for text in axes.texts] == [str(number) for number in range(10)]
    for number, text in enumerate(axes.texts):
        median = np.median(embedded[labels == number], axis=0)
        assert text.get_position() == pytest.approx(tuple(median))
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == [str(n) for n in range(10)]
    seen = lines_seen(figure)
    assert {"class", "t-SNE, first dimension", "t-SNE, second dimension"} <= set(seen)
    assert "MNIST: features of 200 test images" in seen


def test_a_class_keeps_its_colour_where_others_are_missing() -> None:
    figure = draw_embedding(random_map(), np.repeat([2, 7], 100), "MNIST")
    colours = [colour_of(cloud) for cloud in figure.axes[0].collections]
    assert colours == [to_hex(CLASS_COLOURS[2]), to_hex(CLASS_COLOURS[7])]


def test_a_row_of_neighbours_is_the_query_and_its_nearest(test_set: Labelled) -> None:
    neighbours = find_neighbours(test_set.images.reshape(50, -1) / np.float32(255), 4)
    queries = np.array([10, 31, 8])
    figure = draw_neighbours(test_set, queries, neighbours, "MNIST", share=0.5)
    rows = [figure.axes[start : start + 5] for start in (0, 5, 10)]
    assert len(figure.axes) == 15
    for row, query in zip(rows, queries, strict=True):
        shown = [query, *neighbours.indices[query]]
        for axes, index in zip(row, shown, strict=True):
            assert np.array_equal(array_of(axes), test_set.images[index])


def test_neighbours_say_label_and_distance_and_others_are_framed(test_set: Labelled) -> None:
    """Images 12 and 22 are of the query's class, image 37 is not."""
    indices, distances = np.zeros((50, 3), dtype=np.int64), np.zeros((50, 3))
    indices[2], distances[2] = [12, 37, 22], [0.5, 1.25, 13.0]
    neighbours = Neighbours(indices, distances)
    figure = draw_neighbours(test_set, np.array([2]), neighbours, "MNIST", share=2 / 3)
    assert [axes.get_title() for axes in figure.axes] == [
        "query: 2",
        "2\nat 0.50",
        "7 (other)\nat 1.25",
        "2\nat 13.00",
    ]
    frames = [{to_hex(s.get_edgecolor()) for s in a.spines.values()} for a in figure.axes]
    grey = to_hex("lightgrey")
    assert frames == [{to_hex("black")}, {grey}, {to_hex(TEST_COLOUR)}, {grey}]
    expected = "(over the whole test set 66.67% of the neighbours have the query's label)"
    assert expected in lines_seen(figure)


def seed_points() -> list[Point]:
    return [
        point("half", 100, 0.01, 0.2, 0.19, 0.22, 0.19),
        point("full", 200, 0.02, 0.1),
        point("half", 100, 0.01, 0.15, 0.14, 0.16, series=UPDATES),
    ]


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


def test_the_learning_curve_is_labelled() -> None:
    seen = lines_seen(FIGURES["learning curve"]("MNIST"))
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


def series_of(axes: Axes) -> dict[str, ErrorbarContainer]:
    handles, labels = axes.get_legend_handles_labels()
    assert all(isinstance(handle, ErrorbarContainer) for handle in handles)
    return dict(zip(labels, handles, strict=True))


def test_robustness_has_the_four_runs_above_and_the_parts_of_the_data_below() -> None:
    figure = draw_robustness(measurements(), "MNIST")
    stages = [stage for pair in PAIRS.values() for stage in pair]
    shown = [list(series_of(axes)) for axes in figure.axes]
    parts = ["train-net-augmented", *PARTS]  # the full data is the measure of the parts
    assert shown == [stages, stages, parts, parts]


def test_robustness_has_each_error_at_its_strength_with_its_interval() -> None:
    figure = draw_robustness(measurements(), "MNIST")
    for axes, perturbation in zip(figure.axes, [*STRENGTHS, *STRENGTHS], strict=True):
        assert axes.get_yscale() == "log"
        for stage, (line, _, (bars,)) in series_of(axes).items():
            own = [t for t in measurements() if (t.stage, t.perturbation) == (stage, perturbation)]
            drawn = np.asarray(line.get_xydata())
            assert drawn[:, 0].tolist() == STRENGTHS[perturbation]
            assert drawn[:, 1] == pytest.approx([max(t.test_error, 0.5 / 10_000) for t in own])
            for measurement, bar in zip(own, np.asarray(bars.get_segments()), strict=True):
                low, high = wilson_interval(measurement.errors, measurement.count)
                assert bar[:, 1] == pytest.approx([1 - high, 1 - low], abs=1e-9)


def test_robustness_without_any_error_is_drawn_at_half_an_image() -> None:
    perfect = [replace(measurement, test_error=0.0, errors=0) for measurement in measurements()]
    figure = draw_robustness(perfect, "MNIST")
    draw(figure)
    low, high = figure.axes[0].get_ylim()
    assert 0 < low < 0.5 / 10_000 < high


def test_robustness_is_labelled() -> None:
    seen = lines_seen(FIGURES["robustness"]("MNIST"))
    assert "Test error on blurred and on turned images, with 95 % intervals" in seen
    assert {"blur (passes of the 5x5 kernel)", "rotation to either side (degrees)"} <= set(seen)
    assert seen.count("share of images misclassified") == 2
    assert {"0", "1", "2", "3", "15", "30", "45", "1%", "10%"} <= set(seen)
    assert {"all of the data", "parts of the data", *PARTS} <= set(seen)


@pytest.mark.parametrize("n_sweeps", [1, 2])
def test_no_two_lines_of_a_panel_look_alike(n_sweeps: int) -> None:
    other = [f"partial-data-steps@{name}" for name in ("quarter", "eighth", "sixteenth")]
    figure = draw_robustness(measurements(PARTS + other * (n_sweeps - 1)), "MNIST")
    for axes in figure.axes:
        lines = [container[0] for container in series_of(axes).values()]
        looks = [(to_hex(line.get_color()), line.get_linestyle()) for line in lines]
        assert len(set(looks)) == len(looks)
    assert_no_text_is_cut(figure)


def test_a_network_has_one_colour_and_is_dashed_without_augmentation() -> None:
    lines = {
        stage: container[0]
        for stage, container in series_of(draw_robustness(measurements(), "MNIST").axes[0]).items()
    }
    for without, with_it in PAIRS.values():
        assert to_hex(lines[without].get_color()) == to_hex(lines[with_it].get_color())
        assert [lines[stage].get_linestyle() for stage in (without, with_it)] == ["--", "-"]
        assert lines[without].get_marker() != lines[with_it].get_marker()


def test_the_ten_colours_of_the_classes_are_distinct() -> None:
    colours = [np.array(to_rgb(colour)) for colour in CLASS_COLOURS]
    assert len(colours) == 10
    assert min(np.linalg.norm(one - other) for one, other in combinations(colours, 2)) > 0.15
