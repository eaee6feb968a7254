"""Convolution, pooling, ReLU and dropout in one step, whose backward pass skips what is zero.

Max pooling hands each gradient to one place of its window, so that of a 4x4 window's sixteen
fifteen are zero; ReLU and dropout stop more than half of the others. PyTorch's convolution
multiplies by the zeros all the same, which is the largest part of a training step on a processor.
Here only the places that have a gradient are visited: the same sums, in another order. On a GPU,
and where no gradient is wanted, the layers are PyTorch's own.
"""

from functools import lru_cache
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F  # noqa: N812 (PyTorch's own convention)


def convolve_and_pool(
    layer: nn.Conv2d,
    images: Float[Tensor, "n c_in side side"],
    window: int,
    dropout: float,
    *,
    average: bool = False,
) -> Float[Tensor, "n c_out pooled pooled"]:
    """Convolve, pool, rectify, and drop whole channels.

    Rows and columns at the end that the pooling leaves out are not convolved. With an average,
    ReLU comes before the pooling; with a maximum the order makes no difference.

    Args:
        layer: gives weights and zero padding; its stride is one.
        images: square, with channels.
        window: side of the pooling windows, in pixels.
        dropout: the probability of zeroing a channel; the others are scaled up. 0 when scoring.
        average: pool by the average instead of the maximum.

    """
    padding = int(layer.padding[0])
    assert layer.bias is not None  # noqa: S101 (for the type checker)
    map_side = images.shape[-1] + 2 * padding - layer.kernel_size[0] + 1
    far = padding - map_side % window
    padded = F.pad(images, (padding, far, padding, far))
    if padded.device.type != "cpu" or not torch.is_grad_enabled():
        maps = F.conv2d(padded, layer.weight, layer.bias)
        pooled = (
            F.avg_pool2d(F.relu(maps), window) if average else F.relu(F.max_pool2d(maps, window))
        )
        return F.dropout2d(pooled, dropout)
    if average:
        maps = _ConvolveAndPool.apply(padded, layer.weight, layer.bias, 1, 0.0)
        return F.dropout2d(F.avg_pool2d(maps, window), dropout)
    pooled = _ConvolveAndPool.apply(padded, layer.weight, layer.bias, window, dropout)
    assert isinstance(pooled, Tensor)  # noqa: S101 (for the type checker)
    return pooled


class _ConvolveAndPool(torch.autograd.Function):
    """Convolution without padding, max pooling, ReLU and dropout on the processor."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401 (PyTorch has no type for it)
        images: Tensor,
        weight: Tensor,
        bias: Tensor,
        window: int,
        dropout: float,
    ) -> Tensor:
        maps = F.conv2d(images, weight, bias)
        output, places = F.max_pool2d(maps, window, return_indices=True)
        output.relu_()
        if dropout > 0:
            kept = output.new_empty((*output.shape[:2], 1, 1)).bernoulli_(1 - dropout)
            output.mul_(kept.div_(1 - dropout))
        ctx.save_for_backward(images, weight, output, places)
        ctx.map_width, ctx.scale = maps.shape[-1], 1 / (1 - dropout)
        return output

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any,  # noqa: ANN401 (likewise)
        gradient: Tensor,
    ) -> tuple[Tensor | None, Tensor, Tensor, None, None]:
        # Only training needs the compiler: half a second and 80 MB.
        from mnistpipe.networks.sparse_gradient import add_gradients  # noqa: PLC0415

        images, weight, output, places = ctx.saved_tensors
        n_threads = torch.get_num_threads()
        maps = _channels_last(gradient), _channels_last(output), _channels_last(places)
        kernels, seen = _rows(weight), _rows(images)
        to_images = np.zeros_like(seen) if ctx.needs_input_grad[0] else seen[:0]
        to_weights = np.zeros((n_threads, *kernels.shape), np.float32)
        to_biases = np.zeros((n_threads, len(kernels)), np.float32)
        if n_threads > 1:
            _share_threads(n_threads)
        results = to_images, to_weights, to_biases
        add_gradients(*maps, ctx.map_width, ctx.scale, seen, kernels, *results)
        return (
            _as_tensor(to_images, images) if ctx.needs_input_grad[0] else None,
            _as_tensor(to_weights.sum(axis=0), weight),
            torch.from_numpy(to_biases.sum(axis=0)),
            None,
            None,
        )


def _channels_last(tensor: Tensor) -> ndarray:
    """The numbers of (n, c, h, w) as an array (n, h, w, c), in single precision."""
    array = tensor.detach().permute(0, 2, 3, 1).contiguous()
    return (array.float() if array.is_floating_point() else array).numpy()


def _rows(tensor: Tensor) -> ndarray:
    """The numbers of (n, c, h, w) as an array (n, h, w * c)."""
    array = _channels_last(tensor)
    return array.reshape(*array.shape[:2], array.shape[2] * array.shape[3])


def _as_tensor(rows: ndarray, like: Tensor) -> Tensor:
    """Back from an array (n, h, w * c)."""
    n, c, h, w = like.shape
    return torch.from_numpy(rows).view(n, h, w, c).permute(0, 3, 1, 2).to(like.dtype)


@lru_cache(maxsize=1)  # called again only when the number changes
def _share_threads(n_threads: int) -> None:
    """Let Numba's parallel loops take as many threads as PyTorch's."""
    import numba  # noqa: PLC0415 (see above)

    numba.set_num_threads(min(n_threads, numba.config.NUMBA_NUM_THREADS))  # type: ignore[attr-defined]
    # Both may use the same OpenMP, whose number Numba sets when it starts its threads.
    torch.set_num_threads(n_threads)
