"""The test error of each run with its interval, and the write-up's beside it."""

from collections.abc import Sequence
from typing import Any

from mnistpipe.page.vega import (
    DIAMOND,
    LABEL,
    NARROW,
    OURS,
    POINT,
    WIDE,
    Chart,
    Spec,
    draw,
    log_axis,
)
from mnistpipe.report.formats import listed, percent
from mnistpipe.report.runs import Run

_ROW = 34  # pixels
# A name with a comma goes on in a second line, and both stand around the row's middle.
_TWO_LINES: Spec = {
    "labelLimit": 200,
    "labelExpr": "split(datum.label, ', ')",
    "labelOffset": {
        "condition": {"test": "indexof(datum.label, ', ') > 0", "value": -7},
        "value": 0,
    },
}


def results_chart(runs: Sequence[Run]) -> Chart:
    """A row for each run."""
    rows: list[dict[str, Any]] = [
        {
            "run": run.name,
            "error": _above_zero(1 - run.test.accuracy, run),
            "low": _above_zero(1 - run.interval[1], run),
            "high": 1 - run.interval[0],
            "says": _verdict(run),
            "theirs": None if run.their_accuracy is None else 1 - run.their_accuracy,
        }
        for run in runs
    ]
    x = log_axis([row[key] for row in rows for key in ("low", "high", "theirs") if row[key]])
    x["axis"] |= {"title": "test error", "orient": "top"}
    label: Spec = {"title": None, "domain": False, "ticks": False, "labelColor": "var(--ink)"}
    spec: Spec = {
        "data": {"values": rows},
        "encoding": {
            "y": {
                "field": "run",
                "type": "nominal",
                "sort": None,
                "axis": label | _TWO_LINES,
            }
        },
        "layer": [
            {
                "mark": {"type": "rule", "stroke": OURS, "strokeWidth": 3},
                "encoding": {"x": x | {"field": "low"}, "x2": {"field": "high"}},
            },
            {
                "mark": POINT | {"fill": OURS, "size": 90},
                "encoding": {"x": x | {"field": "error"}},
            },
            {
                "transform": [{"filter": "datum.theirs !== null"}],
                "mark": DIAMOND,
                "encoding": {"x": x | {"field": "theirs"}},
            },
            {
                "mark": LABEL | {"dx": 12},
                "encoding": {"x": {"value": "width"}, "text": {"field": "says"}},
            },
        ],
    }
    height = _ROW * len(rows) + 40
    alt = f"Test error of each run with its 95% interval: {listed(map(_say, runs))}."
    # On a phone there is no room for the texts at the rows' ends.
    narrow = spec | {"layer": spec["layer"][:-1]}
    return Chart((draw(spec, WIDE, height), draw(narrow, NARROW, height)), alt)


def _above_zero(error: float, run: Run) -> float:
    """What a logarithmic axis can show: at least a quarter of an image."""
    return max(error, 0.25 / run.test.count)


def _verdict(run: Run) -> str:
    """What stands at the end of its row."""
    said = percent(1 - run.test.accuracy)
    return f"{said}, {run.difference.verdict}" if run.difference else said


def _say(run: Run) -> str:
    low, high = (percent(1 - end) for end in reversed(run.interval))
    theirs = run.their_accuracy
    beside = "" if theirs is None else f", the write-up's {percent(1 - theirs)}"
    return f"{run.name} {percent(1 - run.test.accuracy)} ({low} to {high}{beside})"
