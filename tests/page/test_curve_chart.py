import re
from collections.abc import Mapping

from mnistpipe.page.curve_chart import curve_chart
from mnistpipe.page.vega import Chart
from mnistpipe.report.curve import learning_curve
from mnistpipe.report.runs import gather_runs
from mnistpipe.report.summary import MNIST
from tests.report.example import DIGITS, summary_of

LAW = {"scale": {"value": 32.0}, "exponent": {"value": 0.75}, "floor": {"value": 0.002}}


def chart_of(dataset: str, fit: Mapping[str, object] | None = None) -> Chart:
    summary = summary_of(dataset)
    if fit:
        summary["learning-curve"]["fit"] = fit
    comparable = dataset == MNIST
    runs = gather_runs(summary, comparable=comparable)
    return curve_chart(learning_curve(summary, comparable=comparable), runs)


def test_it_says_where_each_series_begins_and_ends() -> None:
    alt = chart_of(MNIST).alt
    assert "with the recipe's epochs from 3.00% with 3,185 to 0.70% with 51,000" in alt
    assert "the write-up's from 34.14% with 3,185 to 1.07% with 51,000" in alt
    assert "write-up" not in chart_of(DIGITS).alt


def test_series_are_named_beside_their_points() -> None:
    wide, narrow = chart_of(MNIST).svg
    for svg in (wide, narrow):
        assert ">at least 11,900 updates<" in svg
        assert ">the write-up<" in svg
    assert ">the write-up<" not in chart_of(DIGITS).svg[0]


def test_names_of_series_that_begin_in_one_point_do_not_lie_upon_each_other() -> None:
    summary = summary_of(DIGITS)
    same = summary["partial-data"]["sixteenth"]["test"]
    summary["partial-data-steps"]["sixteenth"]["test"] = same
    runs = gather_runs(summary, comparable=False)
    chart = curve_chart(learning_curve(summary, comparable=False), runs)
    for svg in chart.svg:
        named = r'translate\(([\d.]+),([\d.]+)\)"[^>]*>(?:the recipe|at least)'
        (x, above), (same_x, below) = re.findall(named, svg)
        assert x == same_x
        assert abs(float(above) - float(below)) > 12


def test_the_law_is_a_line_where_there_is_one() -> None:
    with_law, without = chart_of(MNIST, LAW).svg[0], chart_of(MNIST).svg[0]
    assert with_law.count("stroke-dasharray") == without.count("stroke-dasharray") + 1


def test_a_law_that_leaves_the_axis_does_not_shrink_the_chart() -> None:
    steep = LAW | {"scale": {"value": 1e5}}
    points = r'<path transform="translate\([\d.]+,[\d.]+\)" d="[^"]+" fill="var'
    assert re.findall(points, chart_of(DIGITS, steep).svg[0])
    assert re.findall(points, chart_of(DIGITS, steep).svg[0]) == re.findall(
        points, chart_of(DIGITS).svg[0]
    )
