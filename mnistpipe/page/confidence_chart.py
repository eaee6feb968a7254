"""Whether a network is as sure as it is right: two charts."""

import pandas as pd

from mnistpipe.confidence.calibration import LEAST_COVERAGE
from mnistpipe.page.vega import NARROW, OURS, POINT, Chart, Spec, draw
from mnistpipe.report.formats import listed, percent, thousands

_HEIGHT = 300  # pixels
_COVERAGES = (1.0, 0.99, 0.95, 0.9, 0.8, 0.5)  # that are given in numbers


def confidence_chart(reliability: pd.DataFrame, risks: pd.DataFrame) -> Chart:
    """A reliability diagram, beside risk against coverage.

    Args:
        reliability: with `RELIABILITY_COLUMNS`.
        risks: with `RISK_COLUMNS`, the smallest coverage first.

    """
    right = [
        f"{percent(row['accuracy'], 0)} of {thousands(row['answers'])} "
        f"at {percent(row['confidence'], 0)}"
        for row in reliability.to_dict("records")
    ]
    wrong = [
        f"{percent(row['risk'])} of {percent(row['coverage'], 0)}"
        for row in at_coverages(risks).to_dict("records")
    ]
    alt = (
        f"Right answers by confidence: {listed(right)}. "
        f"Wrong answers among the most confident: {listed(wrong)}."
    )
    shown = risks[risks["coverage"] >= LEAST_COVERAGE]
    return Chart((_draw_reliability(reliability), _draw_risks(shown)), alt)


def at_coverages(risks: pd.DataFrame) -> pd.DataFrame:
    """The rows that are given in numbers, all answers first."""
    places = risks["coverage"].searchsorted(_COVERAGES)
    return risks.iloc[list(dict.fromkeys(places.tolist()))]


def _draw_reliability(reliability: pd.DataFrame) -> str:
    x = _axis("confidence", "confidence", 1.0, ".0%")
    y = _axis("accuracy", "right answers", 1.0, ".0%")
    corners = [{"confidence": end, "accuracy": end} for end in (0, 1)]
    layers: list[Spec] = [
        {
            "data": {"values": corners},
            "mark": {"type": "line", "stroke": "var(--muted)", "strokeDash": [3, 3]},
            "encoding": {"x": x, "y": y},
        },
        {
            "mark": {"type": "rule", "stroke": OURS, "strokeWidth": 3, "opacity": 0.4},
            "encoding": {"x": x, "y": y | {"field": "low"}, "y2": {"field": "high"}},
        },
        {"mark": POINT | {"fill": OURS}, "encoding": {"x": x, "y": y}},
    ]
    rows = reliability.to_dict("records")
    return draw({"data": {"values": rows}, "layer": layers}, NARROW, _HEIGHT)


def _draw_risks(risks: pd.DataFrame) -> str:
    # An interval of few answers may reach higher. Vega would number its clips anew each time.
    top = max(1.2 * risks["high"].iloc[-1], risks["risk"].max())
    rows = risks.assign(high=risks["high"].clip(upper=top)).to_dict("records")
    x = _axis("coverage", "coverage: the most confident answers", 1.0, ".0%")
    y = _axis("risk", "risk: wrong answers", top, ".2~%")
    layers: list[Spec] = [
        {
            "mark": {"type": "area", "fill": OURS, "fillOpacity": 0.2},
            "encoding": {"x": x, "y": y | {"field": "low"}, "y2": {"field": "high"}},
        },
        {
            "mark": {"type": "line", "stroke": OURS, "strokeWidth": 2},
            "encoding": {"x": x, "y": y},
        },
    ]
    return draw({"data": {"values": rows}, "layer": layers}, NARROW, _HEIGHT)


def _axis(field: str, title: str, top: float, written: str) -> Spec:
    return {
        "field": field,
        "type": "quantitative",
        "scale": {"domain": [0, top], "nice": False},
        "axis": {"title": title, "format": written, "tickCount": 5, "labelOverlap": False},
    }
