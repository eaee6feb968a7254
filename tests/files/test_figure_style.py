from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pytest
from colour import RGB_to_XYZ, XYZ_to_Lab, cctf_decoding, delta_E
from colour.blindness import CVD_MATRICES_MACHADO2010
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from numpy import ndarray

from mnistpipe.files.figure_style import (
    CLASS_COLOURS,
    CLASS_COLOURS_ON_DARK,
    OTHER_COLOUR,
    TEST_COLOUR,
    TRAINING_COLOUR,
    label_shares,
    spread,
)
from tests.figures import lines_seen

# The pairs of digits that the study's eleven networks confuse most: two thirds of their mistakes.
CONFUSED = ((4, 9), (8, 9), (3, 5), (0, 6), (2, 7), (5, 9), (4, 6), (7, 9), (2, 3), (3, 7), (6, 8))
# By Machado, Oliveira and Fernandes (2009), of those who lack one of the three kinds of cones.
EYES: dict[str, ndarray] = {
    "usual": np.eye(3),
    **{name: by_severity[1.0] for name, by_severity in CVD_MATRICES_MACHADO2010.items()},
}


def xyz(colours: Sequence[str], eye: ndarray) -> ndarray:
    linear = cctf_decoding(np.array([to_rgb(colour) for colour in colours])) @ eye.T
    return np.asarray(RGB_to_XYZ(linear.clip(0, 1), "sRGB"))


@pytest.mark.parametrize("colours", [CLASS_COLOURS, CLASS_COLOURS_ON_DARK], ids=["light", "dark"])
@pytest.mark.parametrize("eye", EYES)
def test_the_colours_of_the_classes_are_told_apart_by_any_eye(
    eye: str, colours: Sequence[str]
) -> None:
    """By CIEDE2000, where petroff10 has 17 at the least, and 12 to the colour-blind."""
    seen = XYZ_to_Lab(xyz(colours, EYES[eye]))
    pairs = list(combinations(range(10), 2))
    apart = {(a, b): float(delta_E(seen[a], seen[b], method="CIE 2000")) for a, b in pairs}
    assert min(apart.values()) > (21 if eye == "usual" else 15)
    assert min(apart[pair] for pair in CONFUSED) > 20


@pytest.mark.parametrize(
    ("colours", "page"), [(CLASS_COLOURS, "#ffffff"), (CLASS_COLOURS_ON_DARK, "#1e1e1e")]
)
def test_the_colours_of_the_classes_stand_out_from_their_page(
    colours: Sequence[str], page: str
) -> None:
    """By the contrast that WCAG 2.2 asks of graphical objects (1.4.11)."""
    luminance = xyz([*colours, page], np.eye(3))[:, 1]
    low, high = np.sort([luminance[:-1], np.full(10, luminance[-1])], axis=0)
    assert ((high + 0.05) / (low + 0.05)).min() >= 3


def test_the_colours_of_the_errors_are_three_of_them() -> None:
    assert {TRAINING_COLOUR, TEST_COLOUR, OTHER_COLOUR} < set(CLASS_COLOURS)
    assert len({TRAINING_COLOUR, TEST_COLOUR, OTHER_COLOUR}) == 3


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ((0.009, 0.09), ["1%", "1.5%", "2%", "3%", "5%", "7%"]),
        ((0.0009, 0.09), ["0.1%", "0.2%", "0.5%", "1%", "2%", "5%"]),
        ((0.00009, 0.09), ["0.01%", "0.03%", "0.1%", "0.3%", "1%", "3%"]),
        ((0.000009, 0.9), ["0.001%", "0.01%", "0.1%", "1%", "10%"]),
    ],
)
def test_shares_are_labelled_in_per_cent_at_as_many_ticks_as_have_room(
    limits: tuple[float, float], expected: list[str]
) -> None:
    figure = Figure()
    axes = figure.subplots()
    axes.plot([1, 2], [0.01, 0.02])
    axes.set(yscale="log", ylim=limits, xticks=[])
    label_shares(axes)
    assert lines_seen(figure) == expected
    assert any(line.get_visible() for line in axes.get_ygridlines())


@given(
    st.lists(st.floats(-1, 2), min_size=1, max_size=20).map(np.array),
    st.floats(0.01, 0.2),
)
def test_names_are_spread_in_their_order_and_apart(wanted: ndarray, gap: float) -> None:
    places = spread(wanted, gap)
    order = wanted.argsort(kind="stable")
    assert (np.diff(places[order]) >= gap - 1e-9).all()
    if gap * (len(wanted) - 1) <= 1:
        assert ((places >= 0) & (places <= 1 + 1e-9)).all()


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ([0.9, 0.2], [0.9, 0.2]),  # they have room
        ([0.5, 0.5], [0.45, 0.55]),  # each gives way as far as the other
        ([0.5, 0.51, 0.8], [0.455, 0.555, 0.8]),
        ([1.0, 0.98], [1.0, 0.9]),  # not beyond the edge
    ],
)
def test_names_stay_as_near_to_their_lines_as_they_can(
    wanted: list[float], expected: list[float]
) -> None:
    assert spread(np.array(wanted), gap=0.1) == pytest.approx(expected)
