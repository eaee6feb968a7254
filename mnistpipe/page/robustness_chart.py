"""The accuracy of the networks on perturbed test images."""

from collections.abc import Mapping

import pandas as pd

from mnistpipe.page.vega import LABEL, SERIES, Chart, Spec, draw, spread
from mnistpipe.report.formats import listed, percent

_WIDTH, _HEIGHT = 165, 260  # pixels between the axes; labels stand on the right
_AXES = {"blur": "passes of the blur kernel", "rotation": "degrees turned"}


def robustness_chart(scores: pd.DataFrame, names: Mapping[str, str]) -> Chart:
    """Side by side, a chart of each perturbation.

    Args:
        scores: columns `stage`, `perturbation`, `strength` and `test_error`.
        names: of the runs that are told apart, by stage; the others are grey.

    """
    svgs, said = [], []
    scores = scores.assign(accuracy=1 - scores["test_error"])
    for perturbation, rows in scores.groupby("perturbation", sort=False):
        strongest = rows[rows["strength"] == rows["strength"].max()].set_index("stage")["accuracy"]
        untouched = rows[rows["strength"] == 0].set_index("stage")["accuracy"]
        svgs.append(_draw(rows, strongest.to_dict(), names, _AXES[str(perturbation)]))
        falls = [
            f"{name} from {percent(untouched[stage])} to {percent(strongest[stage])}"
            for stage, name in names.items()
        ]
        said.append(f"with {rows['strength'].max()} {_AXES[str(perturbation)]}: {listed(falls)}")
    return Chart(tuple(svgs), f"What perturbed test images do to the accuracy; {'; '.join(said)}.")


def _draw(
    rows: pd.DataFrame, strongest: Mapping[str, float], names: Mapping[str, str], title: str
) -> str:
    least, high = float(rows["accuracy"].min()), 1.0
    low = max(0.0, least - 0.06 * (high - least))  # no mark on the axis itself
    last = int(rows["strength"].max())
    places = spread({stage: strongest[stage] for stage in names}, (high - low) * 16 / _HEIGHT)
    labels = [
        {"strength": last, "place": place, "name": names[stage]} for stage, place in places.items()
    ]
    x = {
        "field": "strength",
        "type": "quantitative",
        "scale": {"domain": [0, last], "nice": False},
        "axis": {"title": title, "values": sorted({*rows["strength"].tolist()}), "grid": False},
    }
    y = {
        "type": "quantitative",
        "scale": {"domain": [low, high], "zero": False, "nice": False},
        "axis": {"title": "accuracy", "format": ".0%", "tickCount": 5},
    }
    line: Spec = {"x": x, "y": y | {"field": "accuracy"}, "detail": {"field": "stage"}}
    named = [*names]
    colour: Spec = {"field": "stage", "type": "nominal", "legend": None}
    colour |= {"scale": {"domain": named, "range": SERIES}}
    is_named = {"field": "stage", "oneOf": named}
    spec: Spec = {
        "autosize": "pad",
        "data": {"values": rows[["stage", "strength", "accuracy"]].to_dict("records")},
        "layer": [
            {
                "transform": [{"filter": {"not": is_named}}],
                "mark": {"type": "line", "stroke": "var(--line)", "strokeWidth": 1.5},
                "encoding": line,
            },
            {
                "transform": [{"filter": is_named}],
                "mark": {"type": "line", "strokeWidth": 2.5, "point": {"size": 50}},
                "encoding": line | {"color": colour},
            },
            {
                "data": {"values": labels},
                "mark": LABEL | {"dx": 8},
                "encoding": {"x": x, "y": y | {"field": "place"}, "text": {"field": "name"}},
            },
        ],
    }
    return draw(spec, _WIDTH, _HEIGHT)
