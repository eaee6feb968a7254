from itertools import combinations

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from mnistpipe.files.figure_style import (
    CLASS_COLOURS,
    OTHER_COLOUR,
    TEST_COLOUR,
    TRAINING_COLOUR,
    label_shares,
)
from tests.figures import lines_seen


def test_the_ten_colours_of_the_classes_are_distinct() -> None:
    colours = [np.array(to_rgb(colour)) for colour in CLASS_COLOURS]
    assert len(colours) == 10
    assert min(np.linalg.norm(one - other) for one, other in combinations(colours, 2)) > 0.15


def test_the_colours_of_the_errors_are_three_of_them() -> None:
    assert {TRAINING_COLOUR, TEST_COLOUR, OTHER_COLOUR} < set(CLASS_COLOURS)
    assert len({TRAINING_COLOUR, TEST_COLOUR, OTHER_COLOUR}) == 3


@pytest.mark.parametrize(
    ("ticks", "expected"),
    [((1.0, 2.0, 5.0), ["0.1%", "0.2%", "0.5%", "1%", "2%", "5%"]), ((1.0,), ["0.1%", "1%"])],
)
def test_shares_are_labelled_in_per_cent_at_the_ticks_alone(
    ticks: tuple[float, ...], expected: list[str]
) -> None:
    figure = Figure()
    axes = figure.subplots()
    axes.plot([1, 2], [0.01, 0.02])
    axes.set(yscale="log", ylim=(0.0009, 0.09), xticks=[])
    label_shares(axes, ticks)
    assert lines_seen(figure) == expected
    assert any(line.get_visible() for line in axes.get_ygridlines())
