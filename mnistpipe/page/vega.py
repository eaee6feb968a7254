"""Charts as SVG that takes colours and type from the page around it."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import vl_convert

Spec = dict[str, Any]  # of Vega-Lite: data, marks, encodings

WIDE, NARROW = 760, 350  # pixels: beside the text, and on a phone
OURS, THEIRS = "var(--accent)", "var(--ink)"
SERIES = [f"var(--series-{number})" for number in (1, 2, 3, 4)]
POINT: Spec = {"type": "point", "size": 60, "opacity": 1, "strokeWidth": 0}
# The write-up's numbers, in all charts.
DIAMOND: Spec = {"type": "point", "shape": "diamond", "size": 80, "opacity": 1}
DIAMOND |= {"stroke": THEIRS, "strokeWidth": 1.5, "fill": "var(--paper)"}
_STEPS = (1, 2, 5), range(1, 10), (1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5, 6, 7, 8, 9)
_FEW = 2  # ticks of an axis, by which nobody can read it
LABEL: Spec = {"type": "text", "fontSize": 12, "align": "left", "fill": "var(--ink)"}
# The font by which Vega measures, which comes with it; the page then writes in its own.
_FONT = "Roboto"
# Vega's names for parts of a drawing, too, would only be in the way of who hears the page read.
_OWN_WORDS = re.compile(rf' (?:font-family="{_FONT}"|(?:class|role|aria-[a-z]+)="[^"]*")')
_CONFIG: Spec = {
    "aria": False,  # the page says in words what a chart shows
    "font": _FONT,
    "view": {"stroke": None},
    "axis": {
        "labelColor": "var(--muted)",
        "titleColor": "var(--muted)",
        "gridColor": "var(--line)",
        "domainColor": "var(--muted)",
        "tickColor": "var(--muted)",
        "labelFontSize": 12,
        "labelFlush": False,  # else the ends' labels stand beside their ticks
        "titleFontSize": 12,
        "titleFontWeight": "normal",
    },
}


@dataclass(frozen=True)
class Chart:
    """A chart as it stands in the page.

    Attributes:
        svg: for wide and for narrow windows; one for both.
        alt: what it shows, in a sentence.

    """

    svg: tuple[str, ...]
    alt: str


def draw(spec: Spec, width: int, height: int) -> str:
    """An SVG element. Equal specs give equal text.

    `width` and `height` are in pixels, axes included, unless the spec has an `autosize` of its own.
    """
    whole = {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "config": _CONFIG,
        "background": None,
        "width": width,
        "height": height,
        "autosize": {"type": "fit", "contains": "padding"},
        "padding": 4,
        **spec,
    }
    return _OWN_WORDS.sub("", vl_convert.vegalite_to_svg(whole))


def log_axis(values: Sequence[float]) -> Spec:
    """A logarithmic axis of shares around these: its scale, and ticks in per cent."""
    low, high = min(values) / 1.3, max(values) * 1.15
    return {
        "type": "quantitative",
        "scale": {"type": "log", "domain": [low, high], "nice": False},
        "axis": {"values": log_ticks(low, high), "format": ".2~%"},
    }


def log_ticks(low: float, high: float) -> list[float]:
    """Round numbers between the ends of a logarithmic axis: the shorter it is, the closer."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in _STEPS:
        ticks = [float(f"{step}e{power}") for power in powers for step in steps]
        ticks = [tick for tick in ticks if low <= tick <= high]
        if len(ticks) > _FEW:
            break
    return ticks


def spread(values: Mapping[str, float], gap: float) -> dict[str, float]:
    """Places for labels beside these values, in their order, at least `gap` apart."""
    placed: dict[str, float] = {}
    for name in sorted(values, key=lambda name: values[name]):
        placed[name] = max(values[name], max(placed.values(), default=-math.inf) + gap)
    shift = sum(placed[name] - values[name] for name in values) / len(values)
    return {name: place - shift for name, place in placed.items()}
