"""The map of the test images, and the field to draw in: what they are made of."""

import json
from collections.abc import Iterable
from dataclasses import replace

from mnistpipe.analysis.examined import Examined
from mnistpipe.analysis.features import count_confusions
from mnistpipe.data.params import Data
from mnistpipe.data.split import Split
from mnistpipe.files.figure_style import CLASS_COLOURS, CLASS_COLOURS_ON_DARK
from mnistpipe.networks.models import Net
from mnistpipe.page.payload import pack_images, pack_network, pick_images
from mnistpipe.page.provenance import Origin
from mnistpipe.page.widgets import Widget, figure, read_asset, render
from mnistpipe.scoring.probabilities import NEVER, SURE
from mnistpipe.scoring.scores import PIXEL_MEAN, PIXEL_STD

_PARTS = ("net", "prepare", "images", "paint", "map", "draw", "explore")


def is_drawn(data: Data) -> bool:
    """Whether a drawing can be made like the data set's images, so that a network can know it.

    Where they are single strokes of a pen, as MNIST's are, or were prepared in its way.
    """
    if data.dataset == "folder":
        return data.prepare == "mnist"
    return data.dataset in ("mnist", "digits") or data.dataset.startswith("emnist-")


def explore_widgets(
    split: Split,
    examined: Examined,
    network: Net,
    sure_from: float,
    origins: Iterable[Origin],
    *,
    drawn: bool,
) -> list[Widget]:
    """The map, and the field to draw in if that makes sense.

    Args:
        split: whose test images are shown.
        examined: what the network makes of them.
        network: runs in the page.
        sure_from: the probability from which on its answer is called sure.
        origins: the stages that made this.
        drawn: whether there is a field to draw in; see `is_drawn`.

    """
    numbers = pick_images(len(split.test.labels))
    labels, predicted = examined.labels[numbers], examined.logits[numbers].argmax(axis=1)
    payload = {
        "classes": split.classes,
        **pack_images(split.test.images, examined),
        "network": pack_network(network, PIXEL_MEAN, PIXEL_STD) | {"sureFrom": sure_from},
    }
    html = render(
        "map.html.j2",
        classes=split.classes,
        counts=count_confusions(labels, predicted, len(split.classes)).tolist(),
        n_all=len(split.test.labels),
        n_shown=len(numbers),
        last=int(numbers[-1]),
        payload=_as_html(payload),
    )
    the_map = replace(
        figure("map", html, "", origins),
        style=render("explore.css.j2", light=CLASS_COLOURS, dark=CLASS_COLOURS_ON_DARK),
        script="\n".join(read_asset(f"{part}.js") for part in _PARTS),
    )
    if not drawn:
        return [the_map]
    share = f"{SURE:.1%}".replace(".0%", "%")
    caption = (
        f"An answer is called sure from a probability of {sure_from:.0%} on: of the validation "
        f"images for which it was that high, at least {share} are right."
        if sure_from < NEVER
        else "No answer is called sure: the network has too many of the validation images wrong, "
        "or was trained on them."
    )
    return [figure("draw", render("draw.html.j2"), caption, origins), the_map]


def _as_html(payload: dict[str, object]) -> str:
    """JSON that no HTML parser takes for a tag."""
    return json.dumps(payload, separators=(",", ":")).replace("<", "\\u003c")
