import numpy as np
import pytest

from mnistpipe.scoring.probabilities import sure_from

PROBABILITIES = np.array([[0.9, 0.1]] * 5 + [[0.7, 0.3]] * 5 + [[0.6, 0.4]] * 5)


def test_sure_are_the_answers_that_are_right() -> None:
    labels = np.array([0] * 10 + [1] * 5)
    assert sure_from(PROBABILITIES, labels) == pytest.approx(0.61)
    assert sure_from(PROBABILITIES, labels, share=0.6) == 0


def test_no_answer_is_sure_where_the_most_probable_are_wrong() -> None:
    assert sure_from(PROBABILITIES, np.ones(15, dtype=np.int64)) == 1
