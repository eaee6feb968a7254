"""The map of the test images, and the field to draw in: what they are made of."""

import json

from jinja2 import Environment, StrictUndefined

from mnistpipe.analysis.examined import Examined
from mnistpipe.analysis.features import count_confusions
from mnistpipe.data.params import Data
from mnistpipe.data.split import Split
from mnistpipe.files.figure_style import CLASS_COLOURS, CLASS_COLOURS_ON_DARK
from mnistpipe.networks.models import Net
from mnistpipe.page.payload import pack_images, pack_network, pick_images
from mnistpipe.page.widgets import Widget, read_asset
from mnistpipe.scoring.scores import PIXEL_MEAN, PIXEL_STD

_PARTS = ("net", "prepare", "images", "map", "draw", "explore")


def is_drawn(data: Data) -> bool:
    """Whether a drawing can be made like the data set's images, so that a network can know it.

    Where they are single strokes of a pen, as MNIST's are, or were prepared in its way.
    """
    if data.dataset == "folder":
        return data.prepare == "mnist"
    return data.dataset in ("mnist", "digits") or data.dataset.startswith("emnist-")


def explore_widgets(
    split: Split, examined: Examined, network: Net, sure_from: float, *, drawn: bool
) -> list[Widget]:
    """The map, and the field to draw in if that makes sense.

    Args:
        split: whose test images are shown.
        examined: what the network makes of them.
        network: runs in the page.
        sure_from: the probability from which on its answer is called sure.
        drawn: whether there is a field to draw in; see `is_drawn`.

    """
    numbers = pick_images(len(split.test.labels))
    labels, predicted = examined.labels[numbers], examined.logits[numbers].argmax(axis=1)
    counts = count_confusions(labels, predicted, len(split.classes))
    payload = {
        "classes": split.classes,
        **pack_images(split.test.images, examined),
        "network": pack_network(network, PIXEL_MEAN, PIXEL_STD) | {"sureFrom": sure_from},
    }
    words = {
        "classes": split.classes,
        "counts": counts.tolist(),
        "mistakes": int((labels != predicted).sum()),
        "shown": len(numbers),
        "last": int(numbers[-1]),
        "all": len(split.test.labels),
        "payload": _as_html(payload),
    }
    script = "\n".join(read_asset(f"{part}.js.j2") for part in _PARTS)
    style = _fill("explore.css.j2", {"light": CLASS_COLOURS, "dark": CLASS_COLOURS_ON_DARK})
    the_map = Widget("map", _fill("map.html.j2", words), style, script)
    return [Widget("draw", _fill("draw.html.j2", words)), the_map] if drawn else [the_map]


def _fill(template: str, words: dict[str, object]) -> str:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(read_asset(template)).render(words)


def _as_html(payload: dict[str, object]) -> str:
    """JSON that no HTML parser takes for a tag."""
    return json.dumps(payload, separators=(",", ":")).replace("<", "\\u003c")
