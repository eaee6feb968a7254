"""The networks, drawn from what PyTorch does when an image passes through them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from mnistpipe.data.split import SIDE
from mnistpipe.networks.models import NETWORKS, build_network
from mnistpipe.page.widgets import render

_SCALE = 3.5  # pixels of the drawing for a pixel of an image
_TIMES = "\N{MULTIPLICATION SIGN}"
_COLUMN = 64  # pixels from layer to layer


@dataclass(frozen=True)
class Layer:
    """A step of a network.

    Attributes:
        does: as a reader would say it.
        shape: of what leaves it, without the batch: channels, rows and columns, or features.
        parameters: how many numbers training can change in it.

    """

    does: str
    shape: tuple[int, ...]
    parameters: int

    @property
    def size(self) -> str:
        """Its shape as one writes it."""
        return _TIMES.join(map(str, self.shape))


def trace(name: str, n_classes: int) -> list[Layer]:
    """The layers of a network from the image on, without those that only rectify or reshape."""
    network = build_network(name, dropout=0.0, n_classes=n_classes).eval()
    image = torch.zeros(1, 1, SIDE, SIDE)
    with torch.no_grad(), _Watch() as watch:
        network(image)
    return [Layer("image", tuple(image.shape[1:]), 0), *watch.layers]


class _Watch(TorchFunctionMode):
    """Notes the operations that pool or have parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.layers: list[Layer] = []

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: object,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 (likewise)
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        given = [each for each in (*args, *kwargs.values()) if isinstance(each, nn.Parameter)]
        name = func.__name__
        if isinstance(result, Tensor) and name != "__get__" and (given or "pool" in name):
            parameters = sum(each.numel() for each in given)
            self.layers.append(Layer(_say(name, args), tuple(result.shape[1:]), parameters))
        return result


def _say(operation: str, args: Sequence[Any]) -> str:
    match operation:
        case "conv2d":
            return f"convolution {_TIMES.join(map(str, args[1].shape[2:]))}"
        case "max_pool2d":
            return f"maximum of {args[1]}{_TIMES}{args[1]}"
        case "avg_pool2d":
            return f"mean of {args[1]}{_TIMES}{args[1]}"
        case _:
            return operation.replace("_", " ")


def draw_networks(n_classes: int) -> str:
    """A drawing and a table of each of `NETWORKS`, as HTML."""
    return "".join(
        render(
            "network.html.j2",
            name=network.__name__,
            layers=layers,
            boxes=[_box(layer, place) for place, layer in enumerate(layers)],
            parameters=sum(layer.parameters for layer in layers),
            width=_COLUMN * len(layers),
            height=round(SIDE * _SCALE),
        )
        for name, network in NETWORKS.items()
        for layers in [trace(name, n_classes)]
    )


def _box(layer: Layer, place: int) -> dict[str, float]:
    """Where it is drawn: as high as its maps, and the wider, the more there are of them."""
    channels, side = (layer.shape[0], layer.shape[1]) if len(layer.shape) > 1 else (1, 0)
    height = side * _SCALE if side else min(layer.shape[0], SIDE) * _SCALE
    width = 4 + 5 * channels**0.5
    return {
        "x": _COLUMN * (place + 0.5) - width / 2,
        "y": SIDE * _SCALE - height,
        "width": width,
        "height": height,
        "middle": _COLUMN * (place + 0.5),
    }
