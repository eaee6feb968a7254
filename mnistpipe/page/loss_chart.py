"""The loss curves of all runs, side by side."""

from collections.abc import Mapping

import pandas as pd

from mnistpipe.page.vega import OURS, POINT, Chart, Spec, draw, log_ticks
from mnistpipe.report.formats import decimals

_WIDTH, _HEIGHT = 176, 170  # pixels


def loss_chart(losses: Mapping[str, pd.DataFrame], settled: Mapping[str, int]) -> Chart:
    """A small chart for each run, all on the same axes.

    Args:
        losses: by the run's name, after each `epoch`: `training_loss` and `validation_loss`.
        settled: by the run's name, the epoch at which it has settled.

    """
    columns = ["training_loss", "validation_loss"]
    every = pd.concat(losses.values())[columns].to_numpy()
    low, high = float(every.min()) / 1.3, float(every.max()) * 1.1
    svgs = tuple(_draw(name, table, settled[name], low, high) for name, table in losses.items())
    said = [
        f"{name} from {decimals(table['validation_loss'].iloc[0], 3)} to"
        f" {decimals(table['validation_loss'].iloc[-1], 3)}, settled at epoch {settled[name]}"
        for name, table in losses.items()
    ]
    return Chart(svgs, f"Validation loss of each run over its epochs: {'; '.join(said)}.")


def _draw(name: str, losses: pd.DataFrame, settled: int, low: float, high: float) -> str:
    last = int(losses["epoch"].max())
    y = {
        "type": "quantitative",
        "scale": {"type": "log", "domain": [low, high], "nice": False},
        "axis": {"title": "loss", "values": log_ticks(low, high), "format": "~g"},
    }
    x = {"field": "epoch", "type": "quantitative", "scale": {"domain": [1, last], "nice": False}}
    x |= {"axis": {"title": "epoch", "values": [1, *range(5, last + 1, 5)], "grid": False}}
    spec: Spec = {
        "title": {
            "text": [*name.split(", "), ""][:2],  # all of two lines, so that the axes are alike
            "anchor": "start",
            "fontSize": 12,
            "color": "var(--ink)",
            "fontWeight": "normal",
        },
        "data": {
            "values": losses[["epoch", "training_loss", "validation_loss"]].to_dict("records")
        },
        "layer": [
            {
                "mark": {"type": "line", "stroke": "var(--muted)", "strokeDash": [3, 3]},
                "encoding": {"x": x, "y": y | {"field": "training_loss"}},
            },
            {
                "mark": {"type": "line", "stroke": OURS, "strokeWidth": 2},
                "encoding": {"x": x, "y": y | {"field": "validation_loss"}},
            },
            {
                "transform": [{"filter": {"field": "epoch", "equal": settled}}],
                "mark": POINT | {"fill": OURS},
                "encoding": {"x": x, "y": y | {"field": "validation_loss"}},
            },
        ],
    }
    return draw(spec, _WIDTH, _HEIGHT)
