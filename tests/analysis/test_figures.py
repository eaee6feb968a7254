from collections.abc import Callable, Sequence
from functools import cache, partial

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import Collection, PathCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from numpy import ndarray

from mnistpipe.analysis.features import Mistakes, Neighbours, find_neighbours
from mnistpipe.analysis.figures import (
    draw_confusion,
    draw_embedding,
    draw_kernels,
    draw_mistakes,
    draw_neighbours,
)
from mnistpipe.data.catalogue import TITLE_ENDS
from mnistpipe.data.split import Labelled, Split
from mnistpipe.files.figure_style import CLASS_COLOURS, TEST_COLOUR, name_classes
from tests.conftest import TEN
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


def neighbours_figure(test: Labelled, dataset: str, count: int = 8) -> Figure:
    neighbours = find_neighbours(test.images.reshape(len(test), -1) / np.float32(255), count)
    return draw_neighbours(test, np.arange(10), neighbours, TEN, dataset, share=0.9137)


FIGURES: dict[str, Callable[[str], Figure]] = {
    "mistakes": lambda dataset: draw_mistakes(
        random_images(50), mistakes_at(range(47)), 25, TEN, dataset
    ),
    "no mistakes": lambda dataset: draw_mistakes(
        random_images(50), mistakes_at([]), 25, TEN, dataset
    ),
    "kernels": lambda dataset: draw_kernels(random_kernels(), dataset),
    "confusion": lambda dataset: draw_confusion(confusion_counts(), TEN, dataset, normalise=False),
    "confusion, shares": lambda dataset: draw_confusion(
        confusion_counts(), TEN, dataset, normalise=True
    ),
    "embedding": lambda dataset: draw_embedding(random_map(), np.arange(200) % 10, TEN, dataset),
    "neighbours": lambda dataset: neighbours_figure(random_images(50), dataset),
}


def random_kernels() -> ndarray:
    return np.random.default_rng(4).normal(size=(32, 1, 5, 5)).astype(np.float32)


def random_map() -> ndarray:
    return np.random.default_rng(5).normal(size=(200, 2)).astype(np.float32) * 40


def pictures(figure: Figure) -> list[Axes]:
    return [axes for axes in figure.axes if axes.images]


def array_of(axes: Axes) -> ndarray:
    (image,) = axes.images
    return np.asarray(image.get_array())


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


def test_a_text_that_is_cut_would_be_noticed() -> None:
    figure = FIGURES["kernels"](LONG_TITLE * 3)
    with pytest.raises(AssertionError):
        assert_is_fit_for_print(figure)


@pytest.mark.parametrize("count", [16, 25, 100])
def test_as_many_mistakes_are_shown_as_were_asked_for(count: int) -> None:
    test = random_images(150)
    indices = np.random.default_rng(0).permutation(150)
    figure = laid_out(draw_mistakes(test, mistakes_at(indices.tolist()), count, TEN, LONG_TITLE))
    shown = pictures(figure)
    assert len(shown) == count
    for axes, index in zip(shown, indices, strict=False):
        assert np.array_equal(array_of(axes), test.images[index])
    assert_is_fit_for_print(figure)
    assert f"{LONG_TITLE}: {count} of 150 mistakes, the most confident first" in lines_seen(figure)


@pytest.mark.parametrize(
    ("dataset", "sign"), [("MNIST", -1), (f"pets {TITLE_ENDS['resize']}", 1)], ids=["ink", "whole"]
)
def test_the_images_are_really_to_be_seen(test_set: Labelled, dataset: str, sign: int) -> None:
    """They once came out blank: here the drawn pixels are compared with the images."""
    indices = np.array([7, 3, 30, 12])
    check = partial(assert_pixels_are, sign=sign)
    figure = draw_mistakes(test_set, mistakes_at([*indices]), 25, TEN, dataset)
    check(figure, test_set.images[indices])
    found = Neighbours(np.tile(indices, (50, 1)), np.ones((50, 4)))
    figure = draw_neighbours(test_set, indices[:1], found, TEN, dataset, share=0.5)
    check(figure, test_set.images[[7, *indices]])


def assert_pixels_are(figure: Figure, images: ndarray, sign: int) -> None:
    """What is drawn is like the images, or like their negatives."""
    pixels = np.asarray(draw(figure).buffer_rgba())[..., 0]  # type: ignore[no-untyped-call]
    for axes, image in zip(pictures(figure), images, strict=True):
        box = axes.get_window_extent()
        # The pixel at the centre of each of the image's 28 x 28 fields; rows count from the top.
        steps = (np.arange(28) + 0.5) / 28
        rows = (len(pixels) - (box.y1 - steps * box.height)).astype(int)
        columns = (box.x0 + steps * box.width).astype(int)
        drawn = pixels[np.ix_(rows, columns)].astype(float)
        assert sign * np.corrcoef(drawn.ravel(), image.ravel())[0, 1] > 0.9


def test_a_mistake_says_label_prediction_and_confidence(test_set: Labelled) -> None:
    mistakes = Mistakes(np.array([4, 19, 21]), np.array([9, 7, 2]), np.array([0.99951, 0.97, 0.5]))
    figure = draw_mistakes(test_set, mistakes, 25, TEN, "MNIST")
    assert [axes.get_title() for axes in pictures(figure)] == [
        "true 4, taken for 9\n(>99.9%)",
        "true 9, taken for 7\n(97.0%)",
        "true 1, taken for 2\n(50.0%)",
    ]
    seen = lines_seen(figure)
    assert "true 4, taken for 9" in seen
    assert "(>99.9%)" in seen
    assert "MNIST: 3 of 3 mistakes, the most confident first" in seen


def test_where_there_is_no_mistake_it_is_said(test_set: Labelled) -> None:
    figure = draw_mistakes(test_set, mistakes_at([]), 25, TEN, "MNIST")
    assert lines_seen(figure) == ["MNIST: no mistakes"]


def test_unused_places_among_the_mistakes_stay_empty(test_set: Labelled) -> None:
    figure = draw_mistakes(test_set, mistakes_at([1, 2, 3, 4, 5, 6]), 25, TEN, "MNIST")
    assert [len(axes.images) for axes in figure.axes] == [1] * 6 + [0]
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
    assert {"The 32 kernels of Net's first layer, trained on", "MNIST"} <= set(seen)
    assert "weight" in seen
    assert {str(number) for number in range(32)} <= set(seen)


def cell_texts(figure: Figure) -> dict[tuple[float, float], str]:
    """By (row, column)."""
    return {text.get_position()[::-1]: text.get_text() for text in figure.axes[0].texts}


def test_the_cells_of_the_confusion_matrix_are_the_counts() -> None:
    counts = confusion_counts()
    figure = draw_confusion(counts, TEN, "MNIST", normalise=False)
    expected = {(row, row): str(960 + 10 * row) for row in range(10)}
    expected |= {(3, 5): "10", (9, 4): "1000"}
    assert cell_texts(figure) == expected
    assert set(expected.values()) <= set(lines_seen(figure))


def test_the_normalised_cells_are_shares_of_the_true_class() -> None:
    figure = draw_confusion(confusion_counts(), TEN, "MNIST", normalise=True)
    expected = {(row, row): "1.00" for row in range(10)}
    expected |= {(3, 3): ".990", (3, 5): ".010", (9, 4): ".488", (9, 9): ".512"}
    assert cell_texts(figure) == expected
    assert {"10,050 of 11,060 test images right", "in the cells: shares of the true class"} <= set(
        lines_seen(figure)
    )


@pytest.mark.parametrize("normalise", [False, True])
def test_the_axes_of_the_confusion_matrix_are_named(*, normalise: bool) -> None:
    figure = draw_confusion(confusion_counts(), TEN, "MNIST", normalise=normalise)
    seen = lines_seen(figure)
    assert {"predicted class", "true class"} <= set(seen)
    assert "colour: square root of the share of the true class" in seen
    axes = figure.axes[0]
    for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
        assert [label.get_text() for label in labels] == [str(number) for number in range(10)]
    image = array_of(axes)
    assert image[3, 5] == pytest.approx(np.sqrt(0.01))  # the true class is the row
    assert image[5, 3] == 0


def test_a_class_without_images_leaves_its_row_empty() -> None:
    counts = confusion_counts()
    counts[7] = 0
    rows = {row for row, _ in cell_texts(draw_confusion(counts, TEN, "MNIST", normalise=True))}
    assert rows == set(range(10)) - {7}


CLOTHES = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker")
MANY: dict[str, tuple[str, ...]] = {
    "two": ("cat", "dog"),
    "clothes": (*CLOTHES, "Bag", "Ankle boot"),
    "letters": tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    "long names": tuple(f"{name} of the kind {n}" for n in range(3) for name in CLOTHES),
    "odd": ("$a_b$", "US$", "_hidden", "お", "x, y", "n"),
}


def figures_of_classes(names: tuple[str, ...]) -> dict[str, Figure]:
    n = 4 * len(names)
    images = np.random.default_rng(3).integers(0, 256, (n, 28, 28), dtype=np.uint8)
    test = Labelled(images, np.arange(n) % len(names))
    taken = np.roll(test.labels, 1)
    counts = np.full((len(names), len(names)), 3)
    mistakes = Mistakes(np.arange(n), taken, np.linspace(1.0, 0.3, n))
    neighbours = find_neighbours(images.reshape(n, -1) / np.float32(255), 3)
    queries = np.arange(min(len(names), 8))
    places = np.random.default_rng(4).normal(size=(n, 2)).astype(np.float32)
    return {
        "mistakes": draw_mistakes(test, mistakes, 16, names, LONG_TITLE),
        "confusion": draw_confusion(counts, names, LONG_TITLE, normalise=True),
        "embedding": draw_embedding(places, test.labels, names, LONG_TITLE),
        "neighbours": draw_neighbours(test, queries, neighbours, names, LONG_TITLE, share=0.5),
    }


@pytest.mark.parametrize("names", MANY.values(), ids=MANY)
def test_figures_of_any_classes_are_whole_and_name_them(names: tuple[str, ...]) -> None:
    figures = {name: laid_out(figure) for name, figure in figures_of_classes(names).items()}
    for figure in figures.values():
        assert_is_fit_for_print(figure)
    axes = figures["confusion"].axes[0]
    shown = [label.get_text() for label in axes.get_xticklabels()]
    assert len(set(shown)) == len(names)
    seen = lines_seen(figures["embedding"])
    for name in shown:
        assert seen.count(name.replace(r"\$", "$")) == 1


def test_a_name_is_written_as_it_is_if_it_can_be() -> None:
    names = ("$a$", "T-shirt/top", "お", "the long name of a class of things")
    assert name_classes(names) == [r"\$a\$", "T-shirt/top", "#2", "the long n…of things"]


def test_of_a_hundred_classes_the_most_confused_are_shown_and_their_number_said() -> None:
    names = tuple(f"class {number} of a hundred with long names" for number in range(100))
    counts = 50 * np.eye(100, dtype=np.int64)
    counts[70:90, 3] = 5
    figure = laid_out(draw_confusion(counts, names, LONG_TITLE, normalise=False))
    assert_is_fit_for_print(figure)
    shown = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert {name_classes(names)[number] for number in (3, *range(70, 90))} < set(shown)
    assert f"{len(shown)} of 100 classes: those with the most mistakes" in lines_seen(figure)
    assert "5,000 of 5,100 test images right" in lines_seen(figure)


def test_names_that_are_alike_without_their_middle_are_numbers() -> None:
    alike = tuple(f"the kind {letter}, which is long" for letter in "ab")
    assert name_classes((*alike, "other"), longest=14) == ["#0", "#1", "other"]


def test_a_hundred_classes_differ_by_colour_or_shape() -> None:
    names = tuple(str(number) for number in range(100))
    labels = np.arange(300) % 100
    figure = draw_embedding(np.zeros((300, 2), dtype=np.float32), labels, names, "MNIST")
    clouds = [each for each in figure.axes[0].collections if isinstance(each, PathCollection)]
    shapes = [str(each.get_paths()[0].vertices) for each in clouds]
    assert len({*zip(map(colour_of, clouds), shapes, strict=True)}) == 100


def test_where_not_all_classes_have_a_query_it_is_said(test_set: Labelled) -> None:
    neighbours = find_neighbours(test_set.images.reshape(50, -1) / np.float32(255), 2)
    figure = draw_neighbours(test_set, np.arange(3), neighbours, TEN, "MNIST", share=0.5)
    assert "3 of 10 classes" in lines_seen(figure)


def colour_of(cloud: Collection) -> str:
    (colour,) = np.asarray(cloud.get_facecolor())
    return to_hex(tuple(colour))


def test_each_class_of_the_map_has_its_colour_and_its_name() -> None:
    labels = np.arange(200) % 10
    embedded = random_map() + 400 * np.stack([labels, labels**2 % 7], axis=1).astype(np.float32)
    figure = draw_embedding(embedded, labels, TEN, "MNIST")
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
    assert axes.get_legend() is None  # which would say the same once more
    seen = lines_seen(figure)
    assert {"t-SNE, first dimension", "t-SNE, second dimension"} <= set(seen)
    assert {"Features of 200 test images", "MNIST"} <= set(seen)


def test_a_class_keeps_its_colour_where_others_are_missing() -> None:
    figure = draw_embedding(random_map(), np.repeat([2, 7], 100), TEN, "MNIST")
    colours = [colour_of(cloud) for cloud in figure.axes[0].collections]
    assert colours == [to_hex(CLASS_COLOURS[2]), to_hex(CLASS_COLOURS[7])]


def test_a_row_of_neighbours_is_the_query_and_its_nearest(test_set: Labelled) -> None:
    neighbours = find_neighbours(test_set.images.reshape(50, -1) / np.float32(255), 4)
    queries = np.array([10, 31, 8])
    figure = draw_neighbours(test_set, queries, neighbours, TEN, "MNIST", share=0.5)
    rows = [figure.axes[start : start + 5] for start in (0, 5, 10)]
    assert len(figure.axes) == 15
    for row, query in zip(rows, queries, strict=True):
        shown = [query, *neighbours.indices[query]]
        for axes, index in zip(row, shown, strict=True):
            assert np.array_equal(array_of(axes), test_set.images[index])


def test_as_many_neighbours_are_shown_as_their_names_leave_room_for() -> None:
    names = ("house at the seaside", "bright lamp", *TEN[2:])
    test = random_images(50)
    neighbours = find_neighbours(test.images.reshape(50, -1) / np.float32(255), 9)
    figure = draw_neighbours(test, np.arange(2), neighbours, names, LONG_TITLE, share=0.5)
    assert_is_fit_for_print(figure)
    assert 2 * 6 < len(figure.axes) < 2 * 10


def test_neighbours_say_label_and_distance_and_others_are_framed(test_set: Labelled) -> None:
    """Images 12 and 22 are of the query's class, image 37 is not."""
    indices, distances = np.zeros((50, 3), dtype=np.int64), np.zeros((50, 3))
    indices[2], distances[2] = [12, 37, 22], [0.5, 1.25, 13.0]
    neighbours = Neighbours(indices, distances)
    figure = draw_neighbours(test_set, np.array([2]), neighbours, TEN, "MNIST", share=2 / 3)
    assert [axes.get_title() for axes in figure.axes] == [
        "query: 2",
        "2, 0.50",
        "7, 1.25",
        "2, 13.00",
    ]
    frames = [{to_hex(s.get_edgecolor()) for s in a.spines.values()} for a in figure.axes]
    grey = to_hex("lightgrey")
    assert frames == [{to_hex("black")}, {grey}, {to_hex(TEST_COLOUR)}, {grey}]
    expected = "framed: not of the query's class, as 33.33% of all neighbours"
    assert any(expected in line for line in lines_seen(figure))
