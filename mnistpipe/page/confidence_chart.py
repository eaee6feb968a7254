"""Whether a network is as sure as it is right: two charts, and their numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mnistpipe.confidence.calibration import (
    Answers,
    Reliability,
    RiskCoverage,
    reliability,
    risk_coverage,
)
from mnistpipe.page.vega import NARROW, OURS, POINT, Chart, Spec, draw
from mnistpipe.report.formats import listed, percent, thousands
from mnistpipe.scoring.significance import wilson_interval

_HEIGHT = 300  # pixels
_COVERAGES = (1.0, 0.99, 0.95, 0.9, 0.8, 0.5)  # that are given in numbers
_LEAST_COVERAGE = 10  # per cent: of fewer answers, a risk says nothing


@dataclass(frozen=True)
class Share:
    """Some of the answers, and the share of them that is right, or wrong.

    Attributes:
        of: mean confidence of these answers, or their share of all.
        part: how many are right, or wrong.
        count: how many there are.
        interval: Wilson's 95 % interval of `part / count`.

    """

    of: float
    part: int
    count: int
    interval: tuple[float, float]

    @property
    def value(self) -> float:
        """`part / count`."""
        return self.part / self.count


@dataclass(frozen=True)
class Sureness:
    """What the charts show, as a table has it.

    Attributes:
        chart: a reliability diagram, and risk against coverage.
        bins: right answers by confidence, of those bins that have answers.
        risks: wrong answers among the most confident ones.

    """

    chart: Chart
    bins: list[Share]
    risks: list[Share]


def confidence_chart(answers: Answers, bins: int) -> Sureness:
    """A reliability diagram in that many bins, beside risk against coverage."""
    by_bin = _by_bin(reliability(answers, bins))
    curve = risk_coverage(answers)
    risks = _risks(curve, _COVERAGES)
    through = _risks(curve, [share / 100 for share in range(_LEAST_COVERAGE, 101)])
    right = [
        f"{percent(share.value, 0)} of {thousands(share.count)} at {percent(share.of, 0)}"
        for share in by_bin
    ]
    wrong = [f"{percent(share.value)} of {percent(share.of, 0)}" for share in risks]
    alt = (
        f"Right answers by confidence: {listed(right)}. "
        f"Wrong answers among the most confident: {listed(wrong)}."
    )
    return Sureness(Chart((_draw_bins(by_bin), _draw_risks(through)), alt), by_bin, risks)


def _by_bin(bins: Reliability) -> list[Share]:
    columns = (bins.confidence.tolist(), bins.right.tolist(), bins.count.tolist())
    return [
        Share(of, right, count, wilson_interval(right, count))
        for of, right, count in zip(*columns, strict=True)
        if count
    ]


def _risks(curve: RiskCoverage, coverages: Sequence[float]) -> list[Share]:
    """Equal confidences stand or fall together, so that some shares are larger than asked for."""
    found: dict[int, Share] = {}
    for coverage in coverages:
        errors, count = curve.at(coverage)
        interval = wilson_interval(errors, count)
        found[count] = Share(count / curve.total, errors, count, interval)
    return [*found.values()]


def _draw_bins(bins: Sequence[Share]) -> str:
    x = _axis("of", "confidence", 1.0, ".0%")
    y = _axis("value", "right answers", 1.0, ".0%")
    layers: list[Spec] = [
        {
            "data": {"values": [{"of": 0, "value": 0}, {"of": 1, "value": 1}]},
            "mark": {"type": "line", "stroke": "var(--muted)", "strokeDash": [3, 3]},
            "encoding": {"x": x, "y": y},
        },
        {
            "mark": {"type": "rule", "stroke": OURS, "strokeWidth": 3, "opacity": 0.4},
            "encoding": {"x": x, "y": y | {"field": "low"}, "y2": {"field": "high"}},
        },
        {"mark": POINT | {"fill": OURS}, "encoding": {"x": x, "y": y}},
    ]
    return draw({"data": {"values": _rows(bins)}, "layer": layers}, NARROW, _HEIGHT)


def _draw_risks(risks: Sequence[Share]) -> str:
    # An interval of few answers may reach higher. Vega would number its clips anew each time.
    top = max(1.2 * risks[-1].interval[1], *(share.value for share in risks))
    rows = [row | {"high": min(row["high"], top)} for row in _rows(risks)]
    x = _axis("of", "coverage: the most confident answers", 1.0, ".0%")
    y = _axis("value", "risk: wrong answers", top, ".2~%")
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


def _rows(shares: Sequence[Share]) -> list[dict[str, Any]]:
    return [
        {
            "of": share.of,
            "value": share.value,
            "low": share.interval[0],
            "high": share.interval[1],
        }
        for share in shares
    ]
