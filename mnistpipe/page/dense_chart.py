"""The dense learning curve: every network, the law of the small sizes, and what it predicts."""

import math
from typing import Any

import pandas as pd

from mnistpipe.page.curve_chart import law_line
from mnistpipe.page.vega import LABEL, NARROW, POINT, SERIES, WIDE, Chart, Spec, draw, log_axis
from mnistpipe.report.formats import percent, thousands
from mnistpipe.report.summary import Metrics

_HEIGHT = 380  # pixels
_BESIDE = 1.1  # times the examples: where what was predicted stands
_RING: Spec = {"type": "point", "size": 36, "opacity": 1, "strokeWidth": 1.2, "filled": False}
_WIDE_RANGE = 50  # times the fewest examples, from which on an axis has fewer ticks


def dense_chart(dense: Metrics, networks: pd.DataFrame) -> Chart:
    """Both axes logarithmic; an error of zero stands at that of half an image.

    Args:
        dense: the summary's part about the curve.
        networks: a row for each, with `images`, `examples`, `test_error` and `test_images`.

    """
    nothing = 0.5 / int(networks["test_images"].max())
    is_large = networks["images"] > dense["fit_up_to"]
    rings = networks[["examples"]].assign(
        error=networks["test_error"].clip(lower=nothing), large=is_large
    )
    predicted = [
        _predicted(point, nothing) for point in dense["points"].values() if _is_told(point)
    ]
    ends = [each[key] for each in predicted for key in ("low", "high")]
    y = log_axis([*rings["error"], *ends])
    y["axis"] |= {"title": "test error"}
    first, last = int(rings["examples"].min()), int(rings["examples"].max())
    x = _axis(first, last)
    small = rings.loc[~is_large, "examples"]
    fitted_to = int(small.max()) if len(small) else first
    colour: Spec = {"field": "large", "type": "nominal", "legend": None}
    colour |= {"scale": {"domain": [False, True], "range": SERIES[:2]}}
    line: Spec = {"x": x, "y": y | {"field": "error"}}
    is_law, shown = "scale" in dense["fit"], y["scale"]["domain"]
    law: Spec = {"type": "line", "stroke": SERIES[0], "strokeWidth": 1.5}
    beside: Spec = x | {"field": "beside"}
    layers: list[Spec] = [
        {
            "data": {"values": law_line(dense["fit"], first, fitted_to, shown) if is_law else []},
            "mark": law,
            "encoding": line,
        },
        {
            "data": {"values": law_line(dense["fit"], fitted_to, last, shown) if is_law else []},
            "mark": law | {"strokeDash": [5, 4]},
            "encoding": line,
        },
        {"mark": _RING, "encoding": line | {"stroke": colour}},
        {
            "data": {"values": predicted},
            "mark": {"type": "rule", "stroke": "var(--ink)", "strokeWidth": 2},
            "encoding": {"x": beside, "y": y | {"field": "low"}, "y2": {"field": "high"}},
        },
        {
            "data": {"values": predicted},
            "mark": POINT | {"shape": "stroke", "stroke": "var(--ink)", "strokeWidth": 2},
            "encoding": {"x": beside, "y": y | {"field": "error"}},
        },
        {
            "data": {"values": predicted},
            "mark": POINT | {"fill": SERIES[1], "size": 90},
            "encoding": {"x": x, "y": y | {"field": "measured"}},
        },
        {
            "data": {"values": predicted[:1]},
            "mark": LABEL | {"text": "predicted", "dx": 8, "dy": -8},
            "encoding": {"x": beside, "y": y | {"field": "high"}},
        },
        {
            "data": {"values": predicted[:1]},
            "mark": LABEL | {"text": "measured", "dx": -8, "dy": 10, "align": "right"},
            "encoding": {"x": x, "y": y | {"field": "measured"}},
        },
    ]
    spec: Spec = {"data": {"values": rings.to_dict("records")}, "layer": layers}
    svgs = tuple(draw(spec, width, _HEIGHT) for width in (WIDE, NARROW))
    return Chart(svgs, _say(dense, len(networks)))


def _is_told(point: Metrics) -> bool:
    return "predicted" in point


def _predicted(point: Metrics, nothing: float) -> dict[str, Any]:
    said = point["predicted"]
    return {
        "examples": point["examples"],
        "beside": _BESIDE * point["examples"],
        "error": max(said["value"], nothing),
        "low": max(said["low"], nothing),
        "high": max(said["high"], nothing),
        "measured": max(point["test_error"], nothing),
    }


def _axis(first: int, last: int) -> Spec:
    """Of examples: with the more ticks, the fewer decades there are."""
    steps = (1, 3) if last > _WIDE_RANGE * first else (1, 2, 5)
    powers = range(int(math.log10(first)), int(math.log10(last)) + 1)
    ticks = [step * 10**power for power in powers for step in steps]
    return {
        "field": "examples",
        "type": "quantitative",
        "scale": {"type": "log", "domain": [first / 1.2, last * 1.25], "nice": False},
        "axis": {
            "title": "training examples",
            "values": [tick for tick in ticks if first / 1.2 <= tick <= last * 1.25],
            "format": ",",
            "grid": False,
        },
    }


def _say(dense: Metrics, n_networks: int) -> str:
    points = [*dense["points"].values()]
    said = [
        f"{percent(point['test_error'])} with {thousands(point['examples'])}"
        + (
            f", predicted {percent(point['predicted']['low'])} to"
            f" {percent(point['predicted']['high'])}"
            if _is_told(point)
            else ""
        )
        for point in points
    ]
    return (
        f"Test error of {n_networks} networks against the number of training examples, means: "
        f"{'; '.join(said)}."
    )
