"""What the map and the drawing field work with: test images, what Net makes of them, Net."""

import base64
import io
from typing import Any

import numpy as np
from jaxtyping import Int64, UInt8
from numpy import ndarray
from PIL import Image
from torch import Tensor, nn

from mnistpipe.analysis.examined import Examined
from mnistpipe.analysis.features import find_neighbours
from mnistpipe.networks.models import Net
from mnistpipe.scoring.probabilities import softmax

MOST_IMAGES = 10_000  # which take 3 MB of the page
NEIGHBOURS = 8
_TINTS = 16  # of the images' ink: half a byte a pixel


def pick_images(count: int) -> Int64[ndarray, " n"]:
    """The numbers of the images that the page has: all, or so many evenly spaced ones."""
    return np.linspace(0, count - 1, min(count, MOST_IMAGES)).round().astype(np.int64)


def pack_images(images: UInt8[ndarray, "n 28 28"], examined: Examined) -> dict[str, Any]:
    """The images that `pick_images` names, as JSON with base64 inside, for `explore.js`.

    Their places are numbers of 16 bits, their features of 8, probabilities half per cents.
    Neighbours are those of the exact features, among the images that are there.
    """
    numbers = pick_images(len(images))
    features = examined.features[numbers]
    neighbours = find_neighbours(features, NEIGHBOURS).indices
    scale = np.maximum(features.max(axis=0), 1e-9) / 255
    places = examined.embedded[numbers]
    places = places - places.min(axis=0)
    places += (places.max() - places.max(axis=0)) / 2  # into the middle of a square
    return {
        "numbers": _pack(numbers, "<u4"),
        "labels": _pack(examined.labels[numbers], "u1"),
        "predicted": _pack(examined.logits[numbers].argmax(axis=1), "u1"),
        "probabilities": _pack(np.round(200 * softmax(examined.logits[numbers])), "u1"),
        "places": _pack(np.round(places / places.max() * 65_535), "<u2"),
        "neighbours": _pack(neighbours, "<u2"),
        "features": _pack(np.round(features / scale), "u1"),
        "scale": _pack(scale, "<f4"),
        "sprite": _draw_sprite(images[numbers]),
    }


def pack_network(network: Net, mean: float, std: float) -> dict[str, Any]:
    """Net's weights in single precision, for `net.js`; mean and deviation are of its pixels."""
    norm = network.norm1
    layers: dict[str, dict[str, Any]] = {
        name: {
            "shape": list(layer.weight.shape),
            "padding": int(layer.padding[0]) if isinstance(layer, nn.Conv2d) else 0,
            "weight": _pack_weights(layer.weight),
            "bias": _pack_weights(layer.bias),
        }
        for name, layer in network.named_children()
        if isinstance(layer, nn.Conv2d | nn.Linear)
    }
    layers["norm1"] = {
        "weight": _pack_weights(norm.weight),
        "bias": _pack_weights(norm.bias),
        "mean": _pack_weights(norm.running_mean),
        "variance": _pack_weights(norm.running_var),
        "epsilon": norm.eps,
    }
    return {"mean": mean, "std": std, "layers": layers}


def _pack_weights(weights: Tensor | None) -> str:
    assert weights is not None  # noqa: S101 (for the type checker: layers without a bias have none)
    return _pack(weights.detach().numpy(), "<f4")


def _pack(array: ndarray, kind: str) -> str:
    return base64.b64encode(array.astype(kind).tobytes()).decode()


def _draw_sprite(images: UInt8[ndarray, "n 28 28"]) -> str:
    """All images in one picture, row by row in about a square: ink that is more or less opaque."""
    side = images.shape[1]
    columns = int(np.ceil(np.sqrt(len(images))))
    rows = -(-len(images) // columns)
    tiles = np.zeros((rows * columns, side, side), dtype=np.uint8)
    step = 255 // (_TINTS - 1)
    tiles[: len(images)] = np.round(images / step)
    sheet = tiles.reshape(rows, columns, side, side).swapaxes(1, 2)
    picture = Image.fromarray(sheet.reshape(rows * side, columns * side), "P")
    picture.putpalette([0] * 3 * _TINTS)
    png = io.BytesIO()
    opacity = bytes(range(0, 256, step))
    picture.save(png, format="PNG", bits=4, transparency=opacity, optimize=True)
    return f"data:image/png;base64,{base64.b64encode(png.getvalue()).decode()}"
