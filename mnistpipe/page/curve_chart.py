"""The test error against the number of training examples."""

from collections.abc import Mapping, Sequence
from typing import Any

from mnistpipe.learning_curve.points import Point
from mnistpipe.page.vega import (
    DIAMOND,
    LABEL,
    NARROW,
    POINT,
    SERIES,
    WIDE,
    Chart,
    Spec,
    draw,
    log_axis,
)
from mnistpipe.report.curve import Curve
from mnistpipe.report.formats import percent, thousands
from mnistpipe.report.runs import Run
from mnistpipe.training.plan import SWEEP

_HEIGHT = 380  # pixels
_STEPS = 40  # of the law's line


def curve_chart(curve: Curve, runs: Sequence[Run]) -> Chart:
    """Both axes logarithmic: the points of both series, the law, the write-up's points.

    Args:
        curve: of the report.
        runs: likewise; of them, the write-up's accuracies, if there are any.

    """
    rows = [_row(point) for point in curve.points]
    theirs = [
        {"examples": run.examples, "error": 1 - run.their_accuracy}
        for run in runs
        if run.their_accuracy is not None
        and (run.stage == curve.full_stage or run.stage.startswith(f"{SWEEP}@"))
    ]
    names = list(dict.fromkeys(point.series for point in curve.points))
    series = {name: [row for row in rows if row["series"] == name] for name in names}
    shown = [row[key] for row in rows for key in ("low", "high")]
    y = log_axis(shown + [row["error"] for row in theirs])
    y["axis"] |= {"title": "test error"}
    examples = sorted({point.examples for point in curve.points})
    span = examples[0], examples[-1], y["scale"]["domain"]
    law = law_line(curve.law, *span) if curve.law else []
    x = {
        "field": "examples",
        "type": "quantitative",
        "scale": {"type": "log", "domain": [examples[0] / 1.2, examples[-1] * 1.2], "nice": False},
        "axis": {"title": "training examples", "values": examples, "format": ",", "grid": False},
    }
    colour: Spec = {"field": "series", "type": "nominal", "legend": None}
    colour |= {"scale": {"domain": names, "range": SERIES[: len(names)]}}
    # A point that stands in both series shows as a ring around a dot.
    size: Spec = {"field": "series", "type": "nominal", "legend": None}
    size |= {"scale": {"domain": names, "range": [40, 130][: len(names)]}}
    # The lower of two points is named below it, so that no name lies upon another.
    above, *below = sorted((rows[0] for rows in series.values()), key=lambda row: -row["error"])
    labels = [([above], -8), (below, 14)]
    if theirs:
        first = min(theirs, key=lambda row: row["examples"])
        labels[0][0].append(first | {"series": "the write-up"})
    layers: list[Spec] = [
        {
            "data": {"values": law},
            "mark": {"type": "line", "stroke": SERIES[0], "strokeDash": [2, 4]},
            "encoding": {"x": x, "y": y | {"field": "error"}},
        },
        {
            "mark": {"type": "rule", "strokeWidth": 3},
            "encoding": {
                "x": x,
                "y": y | {"field": "low"},
                "y2": {"field": "high"},
                "stroke": colour,
            },
        },
        {
            "mark": POINT,
            "encoding": {"x": x, "y": y | {"field": "error"}, "fill": colour, "size": size},
        },
        {
            "data": {"values": theirs},
            "mark": DIAMOND,
            "encoding": {"x": x, "y": y | {"field": "error"}},
        },
        *(
            {
                "data": {"values": beside},
                "mark": LABEL | {"dx": 10, "dy": dy},
                "encoding": {"x": x, "y": y | {"field": "error"}, "text": {"field": "series"}},
            }
            for beside, dy in labels
        ),
    ]
    spec: Spec = {"data": {"values": rows[::-1]}, "layer": layers}
    said = [f"with {name} {_from_to(rows)}" for name, rows in series.items()]
    if theirs:
        said.append(f"the write-up's {_from_to(theirs)}")
    alt = f"Test error against the number of training examples: {'; '.join(said)}."
    return Chart(tuple(draw(spec, width, _HEIGHT) for width in (WIDE, NARROW)), alt)


def _row(point: Point) -> dict[str, Any]:
    nothing = 0.25 / point.test_images  # what a logarithmic axis can show
    low, high = point.interval
    return {
        "series": point.series,
        "examples": point.examples,
        "error": max(point.test_error, nothing),
        "low": max(low, nothing),
        "high": high,
    }


def law_line(
    law: Mapping[str, Any], first: int, last: int, errors: Sequence[float]
) -> list[dict[str, float]]:
    """Points of a law's line, from as many examples to as many; `law` is as metrics have it.

    What is outside of these errors, the ends of an axis, is left out: a chart would shrink for it.
    """
    scale, exponent, floor = (law[key]["value"] for key in ("scale", "exponent", "floor"))
    ratio = (last / first) ** (1 / _STEPS)
    places = [first * ratio**step for step in range(_STEPS + 1)]
    line = [{"examples": n, "error": scale * n**-exponent + floor} for n in places]
    low, high = errors
    return [point for point in line if low <= point["error"] <= high]


def _from_to(rows: Sequence[dict[str, Any]]) -> str:
    first, last = (
        f"{percent(row['error'])} with {thousands(row['examples'])}"
        for row in sorted(rows, key=lambda row: row["examples"])[:: max(1, len(rows) - 1)][:2]
    )
    return f"from {first} to {last}"
