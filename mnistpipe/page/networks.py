"""The networks, drawn from what PyTorch does when an image passes through them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

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


class _Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes the operations that change a shape or have parameters."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.layers: list[Layer] = []
        self._parameters = 0  # of a layer that is on its way: a linear one's are turned before

    def __torch_dispatch__(  # type: ignore[no-untyped-def]
        self,
        func,  # noqa: ANN001 (PyTorch has no public type for it)
        types: object,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 (likewise)
        result = func(*args, **(kwargs or {}))
        self._parameters += sum(each.numel() for each in args if isinstance(each, nn.Parameter))
        operation = func.__name__.partition(".")[0]
        if operation != "t" and (self._parameters or "pool" in operation):
            output = result if isinstance(result, Tensor) else result[0]
            layer = Layer(_say(operation, args), tuple(output.shape[1:]), self._parameters)
            self.layers.append(layer)
            self._parameters = 0
        return result


def _say(operation: str, args: Sequence[Any]) -> str:
    match operation:
        case "convolution":
            return f"convolution {_TIMES.join(map(str, args[1].shape[2:]))}"
        case "max_pool2d_with_indices":
            return f"maximum of {_TIMES.join(map(str, args[1]))}"
        case "avg_pool2d":
            return f"mean of {_TIMES.join(map(str, args[1]))}"
        case "addmm":
            return "linear"
        case "native_batch_norm":
            return "batch norm"
        case _:
            return operation


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
