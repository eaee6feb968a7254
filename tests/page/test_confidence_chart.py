import numpy as np

from mnistpipe.confidence.calibration import Answers
from mnistpipe.page.confidence_chart import confidence_chart
from mnistpipe.scoring.significance import wilson_interval


def test_it_says_what_its_charts_show() -> None:
    """Of 100 answers 90 are certain, one of them wrong; the others toss a coin."""
    right = np.array([True] * 89 + [False] + [True, False] * 5)
    confidence = np.array([1.0] * 90 + [0.5] * 10)
    sure = confidence_chart(Answers(np.zeros(100, dtype=np.int64), confidence, right), bins=10)
    assert [(share.of, share.part, share.count) for share in sure.bins] == [
        (0.5, 5, 10),
        (1.0, 89, 90),
    ]
    assert sure.bins[1].interval == wilson_interval(89, 90)
    # No threshold parts equal confidences.
    assert [(share.of, share.part, share.count) for share in sure.risks] == [
        (1.0, 6, 100),
        (0.9, 1, 90),
    ]
    assert sure.chart.alt == (
        "Right answers by confidence: 50% of 10 at 50% and 99% of 90 at 100%. "
        "Wrong answers among the most confident: 6.00% of 100% and 1.11% of 90%."
    )
    assert len(sure.chart.svg) == 2


def test_without_a_mistake_there_is_something_to_draw() -> None:
    answers = Answers(np.zeros(5, dtype=np.int64), np.linspace(0.5, 1, 5), np.ones(5, dtype=bool))
    drawn = "".join(confidence_chart(answers, bins=15).chart.svg)
    assert "NaN" not in drawn
    assert "Infinity" not in drawn
