import numpy as np
import pytest

from mnistpipe.images.rules import main_parts, without_rules
from tests.images.drawings import draw


def contrast(digit: int, width: int = 12) -> np.ndarray:
    return (1 - draw(digit, width=width) / 255).astype(np.float32)


def test_rules_as_dark_as_the_ink_go_and_leave_no_gaps() -> None:
    drawn = contrast(1)
    ruled = drawn.copy()
    for y in (50, 130, 200):
        ruled[y : y + 3] = 1
    left = without_rules(ruled, 0.4)
    assert (left != (drawn > 0.4)).mean() < 0.002
    assert main_parts(left)[45:235].any(axis=1).all()


def test_fainter_rules_go_whatever_they_cross() -> None:
    drawn = contrast(7)
    ruled = np.maximum(drawn, 0.55 * (np.arange(280) % 30 < 2)[:, None]).astype(np.float32)
    assert (without_rules(ruled, 0.4) != (drawn > 0.4)).mean() < 0.01


def test_a_cells_frame_is_not_taken_for_faint_by_its_soft_edges() -> None:
    """As dark as it is, it would have ink of another pen go with it."""
    drawn = 0.85 * contrast(2)
    framed = drawn.copy()
    for inset, level in ((12, 0.5), (13, 1), (14, 0.5)):
        framed[[inset, -inset], inset:-inset] = framed[inset:-inset, [inset, -inset]] = level
    left = without_rules(framed, 0.4)
    assert (left != (drawn > 0.4)).mean() < 0.002


@pytest.mark.parametrize("digit", range(10))
def test_a_digits_own_lines_stay_in_a_picture_that_is_cut_to_its_box(digit: int) -> None:
    drawn = contrast(digit, width=6)
    rows, columns = np.nonzero(drawn > 0.4)
    cut = drawn[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    assert np.array_equal(without_rules(cut, 0.4), cut > 0.4)


def test_nothing_but_a_line_is_no_rule() -> None:
    line = np.zeros((40, 200), np.float32)
    line[18:22] = 1
    assert np.array_equal(without_rules(line, 0.4), line > 0.4)


def test_specks_and_neighbours_go_and_parts_stay() -> None:
    ink = np.zeros((200, 300), bool)
    ink[40:160, 40:50] = True  # a stem ...
    ink[40:50, 54:100] = True  # ... a bar that does not quite touch it
    wanted = ink.copy()
    ink[20:26, 20:26] = True  # a speck
    ink[40:160, 250:260] = True  # another digit's
    ink[100:130, 250:260] = False
    assert np.array_equal(main_parts(ink), wanted)


def test_a_broken_stroke_is_one_part() -> None:
    dots = np.zeros((200, 200), bool)
    dots[20:180:3, 100] = True
    assert np.array_equal(main_parts(dots), dots)
    assert not main_parts(np.zeros((5, 5), bool)).any()
