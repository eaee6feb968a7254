import numpy as np

from mnistpipe.confidence.calibration import (
    Answers,
    reliability,
    risk_coverage,
    tabulate_reliability,
    tabulate_risks,
)
from mnistpipe.page.confidence_chart import at_coverages, confidence_chart
from mnistpipe.page.vega import Chart


def chart_of(answers: Answers, bins: int) -> Chart:
    return confidence_chart(
        tabulate_reliability(reliability(answers, bins)), tabulate_risks(risk_coverage(answers))
    )


def test_it_says_what_its_charts_show() -> None:
    """Of 100 answers 90 are certain, one of them wrong; the others toss a coin."""
    right = np.array([True] * 89 + [False] + [True, False] * 5)
    confidence = np.array([1.0] * 90 + [0.5] * 10)
    answers = Answers(np.zeros(100, dtype=np.int64), confidence, right)
    chart = chart_of(answers, bins=10)
    assert chart.alt == (
        "Right answers by confidence: 50% of 10 at 50% and 99% of 90 at 100%. "
        "Wrong answers among the most confident: 6.00% of 100% and 1.11% of 90%."
    )
    assert len(chart.svg) == 2


def test_each_coverage_that_is_given_lets_at_least_so_many_through() -> None:
    answers = Answers(
        np.zeros(30, dtype=np.int64), np.linspace(0.5, 1, 30), np.ones(30, dtype=bool)
    )
    rows = at_coverages(tabulate_risks(risk_coverage(answers)))
    assert rows["answers"].tolist() == [30, 29, 27, 24, 15]  # 99 % of 30 are all


def test_without_a_mistake_there_is_something_to_draw() -> None:
    answers = Answers(np.zeros(5, dtype=np.int64), np.linspace(0.5, 1, 5), np.ones(5, dtype=bool))
    drawn = "".join(chart_of(answers, bins=15).svg)
    assert "NaN" not in drawn
    assert "Infinity" not in drawn
