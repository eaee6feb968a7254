import pytest

from mnistpipe.page.results_chart import results_chart
from mnistpipe.report.runs import gather_runs
from mnistpipe.report.summary import MNIST
from tests.report.example import DIGITS, summary_of


def test_it_says_each_runs_error_its_interval_and_the_write_ups() -> None:
    chart = results_chart(gather_runs(summary_of(MNIST), comparable=True))
    assert "Net + augmentation 0.70% (0.55% to 0.88%, the write-up's 1.07%)" in chart.alt
    wide, narrow = chart.svg
    assert ">2.00%, within noise<" in wide
    assert "within noise" not in narrow
    assert narrow.count(">1/2 of the data<") == 1  # in a line of its own


def test_elsewhere_our_numbers_stand_alone() -> None:
    runs = gather_runs(summary_of(DIGITS), comparable=False)
    chart = results_chart(runs)
    assert "write-up" not in chart.alt
    assert ">2.00%<" in chart.svg[0]


@pytest.mark.parametrize("errors", [0, 10_000])
def test_no_mistake_at_all_can_be_shown_too(errors: int) -> None:
    summary = summary_of(DIGITS)
    summary["train-net"]["test"] |= {"errors": errors, "accuracy": 1 - errors / 10_000}
    chart = results_chart(gather_runs(summary, comparable=False))
    assert "NaN" not in "".join(chart.svg)
    assert "Infinity" not in "".join(chart.svg)
