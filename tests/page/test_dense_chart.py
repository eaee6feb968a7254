import re
from dataclasses import replace
from typing import Any

import pandas as pd

from mnistpipe.page.contents import study_widgets
from mnistpipe.page.dense_chart import dense_chart
from mnistpipe.page.document import render_page
from mnistpipe.report.summary import MNIST
from tests.page.example import results_of
from tests.report.example import NO_SPIKE, report_of

ERRORS = {100: (0.2, 0.24), 200: (0.12, 0.1), 400: (0.07, 0.06), 800: (0.04, 0.0), 1600: (0.03,)}
NETWORKS = pd.DataFrame(
    [
        {"images": images, "examples": images + 1, "test_error": error, "test_images": 500}
        for images, errors in ERRORS.items()
        for error in errors
    ]
)
FIT = {
    "scale": {"value": 8.0, "low": 5.0, "high": 12.0},
    "exponent": {"value": 0.8, "low": 0.7, "high": 0.9},
    "floor": {"value": 0.001, "low": 0.0, "high": 0.01},
    "p_value": 0.4,
    "fits": True,
}


def dense_of(*, told: bool) -> dict[str, Any]:
    points: dict[str, dict[str, Any]] = {
        f"images-{images}": {
            "examples": images + 1,
            "updates": 3_000,
            "seeds": len(errors),
            "test_error": sum(errors) / len(errors),
        }
        for images, errors in ERRORS.items()
    }
    if told:
        points["images-1600"]["predicted"] = {
            "value": 0.023,
            "low": 0.0,
            "high": 0.031,
            "within_interval": True,
        }
    fit = FIT if told else {"verdict": "cannot be told"}
    return {"fit_up_to": 800, "seed_spread": 0.1, "fit": fit, "points": points}


def test_every_network_is_a_ring_and_the_law_goes_on_dashed() -> None:
    for told in (True, False):
        for svg in dense_chart(dense_of(told=told), NETWORKS).svg:
            rings = re.findall(r'stroke="var\(--series-([12])\)" stroke-width="1.2"', svg)
            assert rings == ["1"] * 8 + ["2"]  # of which one is beyond the fit
            assert svg.count("stroke-dasharray") == told
            assert (">predicted<" in svg) == (">measured<" in svg) == told
            assert "NaN" not in svg
            assert "Infinity" not in svg  # of an error, and of an interval, that is zero


def test_it_says_what_was_measured_and_predicted() -> None:
    alt = dense_chart(dense_of(told=True), NETWORKS).alt
    assert alt.startswith("Test error of 9 networks")
    assert "22.00% with 101;" in alt
    assert "3.00% with 1,601, predicted 0.00% to 3.10%." in alt
    assert "predicted" not in dense_chart(dense_of(told=False), NETWORKS).alt


def test_it_stands_in_the_page_where_sizes_were_trained_and_nowhere_else() -> None:
    results = results_of(MNIST)
    assert "dense" not in {widget.name for widget in study_widgets(results)}
    for told in (True, False):
        summary = {**results.summary, "dense-curve": dense_of(told=told)}
        widgets = study_widgets(replace(results, summary=summary, dense=NETWORKS))
        page = render_page(report_of(MNIST, NO_SPIKE, summary, drawn=True), widgets)
        widget = page.partition('id="dense">')[2].partition("<table>")[0]
        assert "<code>dvc repro dense-curve</code>" in widget
        assert "</div>\n<details><summary>In numbers" in widget
        assert ("the law predicts" in widget) == told
