"""Convolution, pooling, ReLU and dropout in one step, by compiled loops where a processor trains.

Max pooling hands each gradient to one place of its window, ReLU and dropout stop more than half of
the others. PyTorch's layers convolve what is dropped, write down maps that are pooled at once, and
multiply by the gradients' zeros. Here each layer takes the way on which least is done. On a GPU, in
bf16, and for a few images that are scored, the layers are PyTorch's own; the loops are tested
against them.
"""

from typing import Any

import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F  # noqa: N812 (PyTorch's own convention)

FEW_CHANNELS = 8  # up to which plane by plane is faster than sums over the channels
MANY_IMAGES = 64  # from which scoring is worth loading the compiled loops: a second, and 80 MB


def convolve_and_pool(
    layer: nn.Conv2d,
    images: Float[Tensor, "n c_in side side"],
    window: int,
    dropout: float,
    *,
    average: bool = False,
) -> Float[Tensor, "n c_out pooled pooled"]:
    """Convolve, pool, rectify, and drop whole channels.

    With an average, ReLU comes before the pooling; with a maximum the order makes no difference.

    Args:
        layer: gives weights and zero padding; its stride is one.
        images: square, with channels.
        window: side of the pooling windows, in pixels. Rows and columns at the end that fill no
            window are left out.
        dropout: the probability of zeroing a channel; the others are scaled up. 0 when scoring.
        average: pool by the average instead of the maximum.

    """
    padding = int(layer.padding[0])
    assert layer.bias is not None  # noqa: S101 (for the type checker)
    map_side = images.shape[-1] + 2 * padding - layer.kernel_size[0] + 1
    far = max(0, padding - map_side % window)
    padded = F.pad(images, (padding, far, padding, far)) if padding > 0 else images
    many = torch.is_grad_enabled() or len(images) >= MANY_IMAGES
    if padded.device.type != "cpu" or torch.is_autocast_enabled("cpu") or not many:
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
        # Loaded late: the compiler takes half a second and 80 MB.
        from mnistpipe.networks import compiled, planes, pooling, winograd  # noqa: PLC0415

        (n, n_in, side, _), (n_out, _, kernel, _) = images.shape, weight.shape
        pooled = (side - kernel + 1) // window
        kept = torch.ones(n, n_out)
        if dropout > 0:
            kept.bernoulli_(1 - dropout).div_(1 - dropout)
        output = torch.empty(n, pooled, pooled, n_out)
        places = torch.empty(n, pooled, pooled, n_out, dtype=torch.uint8)
        n_parts, seen = compiled.count_parts(_operations(images, weight)), _rows(images)
        results = kept.numpy(), output.numpy(), places.numpy()
        if n_in <= FEW_CHANNELS and window == planes.WINDOW:
            kernels = weight.detach().contiguous().numpy()
            planes.convolve_planes(seen, kernels, bias.detach().numpy(), *results, n_parts)
        else:
            if kernel == winograd.KERNEL and side % winograd.TILE == 0:
                maps = winograd.convolve_winograd(seen, weight, bias.detach().numpy(), n_parts)
            else:
                maps = _channels_last(F.conv2d(images, weight, bias))
            pooling.pool_maps(maps, window, *results)
        ctx.save_for_backward(images, weight, output, places, kept)
        ctx.window = window
        return output.permute(0, 3, 1, 2)

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any,  # noqa: ANN401 (likewise)
        gradient: Tensor,
    ) -> tuple[Tensor | None, Tensor, Tensor, None, None]:
        from mnistpipe.networks import compiled, planes, sparse_gradient  # noqa: PLC0415 (see above)

        images, weight, *saved = ctx.saved_tensors
        output, places, kept = (each.numpy() for each in saved)
        n_parts, seen = compiled.count_parts(_operations(images, weight)), _rows(images)
        maps = _channels_last(gradient), output, places, kept
        n_out, n_in, *kernel = weight.shape
        to_biases, image_wanted = torch.zeros(n_parts, n_out), ctx.needs_input_grad[0]
        if n_in == 1 and ctx.window == planes.WINDOW and not image_wanted:
            to_weights = torch.zeros(n_parts, n_out, *kernel)
            planes.add_weight_gradients(*maps, seen, to_weights.numpy(), to_biases.numpy())
            to_images, to_weight = None, to_weights.sum(0).unsqueeze(1)
        else:
            kernels = _rows(weight)
            to_weights = torch.zeros(n_parts, *kernels.shape)
            image_rows = torch.empty(len(images) if image_wanted else 0, *seen.shape[1:])
            results = image_rows.numpy(), to_weights.numpy(), to_biases.numpy()
            sparse_gradient.add_gradients(*maps, ctx.window, seen, kernels, *results)
            to_images = _from_rows(image_rows, images) if image_wanted else None
            to_weight = _from_rows(to_weights.sum(0), weight)
        return to_images, to_weight, to_biases.sum(0), None, None


def _operations(images: Tensor, weight: Tensor) -> int:
    """Multiplications and additions of a convolution without padding."""
    side = images.shape[-1] - weight.shape[-1] + 1
    return 2 * len(images) * side * side * weight.numel()


def _channels_last(tensor: Tensor) -> ndarray:
    """The numbers of (n, c, h, w) as an array (n, h, w, c)."""
    return tensor.detach().permute(0, 2, 3, 1).contiguous().numpy()


def _rows(tensor: Tensor) -> ndarray:
    """The numbers of (n, c, h, w) as an array (n, h, w * c)."""
    array = _channels_last(tensor)
    return array.reshape(*array.shape[:2], array.shape[2] * array.shape[3])


def _from_rows(rows: Tensor, like: Tensor) -> Tensor:
    """Back from (n, h, w * c)."""
    n, c, h, w = like.shape
    return rows.view(n, h, w, c).permute(0, 3, 1, 2)
