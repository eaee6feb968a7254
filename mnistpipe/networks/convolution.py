"""Convolution, pooling, ReLU and dropout in one step, by compiled loops where a processor trains.

Max pooling hands each gradient to one place of its window, ReLU and dropout stop more than half of
the others. PyTorch's layers convolve what is dropped, write down maps that are pooled at once, and
multiply by the gradients' zeros. Here each layer takes the way on which least is done.

The loops are a shortcut for the plain case: single precision on a processor, and nobody who watches
or transforms what the layers do. Everywhere else, and for a few images that are scored, the layers
are called and are PyTorch's own; the loops are tested against them.
"""

from typing import Any, TypeGuard

import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.nn import functional as F  # noqa: N812 (PyTorch's own convention)
from torch.nn.modules.module import _has_any_global_hook

FEW_CHANNELS = 8  # up to which plane by plane is faster than sums over the channels
MANY_IMAGES = 64  # from which scoring is worth loading the compiled loops: a second, and 80 MB


def convolve_and_pool(
    layer: nn.Module,
    images: Float[Tensor, "n c_in rows columns"],
    window: int,
    dropout: float,
    *,
    average: bool = False,
) -> Float[Tensor, "n c_out h w"]:
    """Convolve, pool, rectify, and drop whole channels.

    With an average, ReLU comes before the pooling; with a maximum the order makes no difference.

    Args:
        layer: any layer that convolves.
        images: with channels.
        window: side of the pooling windows, in pixels. Rows and columns at the end that fill no
            window are left out.
        dropout: the probability of zeroing a channel; the others are scaled up. 0 when scoring.
        average: pool by the average instead of the maximum.

    """
    if _is_watched(layer) or not _suits_the_loops(layer, images, window):
        maps = layer(images)
        pooled = (
            F.avg_pool2d(F.relu(maps), window) if average else F.relu(F.max_pool2d(maps, window))
        )
        return F.dropout2d(pooled, dropout) if dropout > 0 else pooled
    padding = int(layer.padding[0])
    map_side = images.shape[-1] + 2 * padding - layer.kernel_size[0] + 1
    far = max(0, padding - map_side % window)
    padded = F.pad(images, (padding, far, padding, far)) if padding > 0 else images
    if average:
        maps = _ConvolveAndPool.apply(padded, layer.weight, layer.bias, 1, 0.0)
        return F.dropout2d(F.avg_pool2d(maps, window), dropout)
    pooled = _ConvolveAndPool.apply(padded, layer.weight, layer.bias, window, dropout)
    assert isinstance(pooled, Tensor)  # noqa: S101 (for the type checker)
    return pooled


def _is_watched(layer: nn.Module) -> bool:
    """Whether anything would miss a call of the layer, or of the operations that it consists of.

    The names with an underscore are those by which PyTorch itself decides this.
    """
    if torch.compiler.is_compiling():
        return True  # first: a compiler does not follow the others
    signs = (
        layer._forward_hooks,  # noqa: SLF001 (see above, as all of these)
        layer._forward_pre_hooks,  # noqa: SLF001
        layer._backward_hooks,  # noqa: SLF001
        layer._backward_pre_hooks,  # noqa: SLF001
        _has_any_global_hook(),  # type: ignore[no-untyped-call]
        torch._C._get_tracing_state() is not None,  # noqa: SLF001
        torch._C._are_functorch_transforms_active(),  # noqa: SLF001
        torch._C._len_torch_dispatch_stack() > 0,  # noqa: SLF001
        forward_ad._current_level >= 0,  # noqa: SLF001
    )
    return any(signs)


def _suits_the_loops(layer: nn.Module, images: Tensor, window: int) -> TypeGuard[nn.Conv2d]:
    """Whether the loops compute what the layer would, and no slower."""
    if type(layer) is not nn.Conv2d or "forward" in vars(layer):
        return False  # a parametrized or quantised one, another's in its place
    if torch.is_autocast_enabled("cpu"):
        return False
    if not all(map(_is_plain, (images, layer.weight, layer.bias))):
        return False
    side, padding, kernel = images.shape[-1], layer.padding[0], layer.kernel_size[0]
    settings = layer.stride, layer.dilation, layer.groups, layer.padding_mode
    return (
        settings == ((1, 1), (1, 1), 1, "zeros")
        and (layer.padding, layer.kernel_size) == ((padding, padding), (kernel, kernel))
        and images.shape[1:] == (layer.in_channels, side, side)
        and side + 2 * int(padding) - kernel + 1 >= window
        and len(images) >= (1 if torch.is_grad_enabled() else MANY_IMAGES)
    )


def _is_plain(tensor: Tensor | None) -> bool:
    """Whether it is single precision in a processor's memory, and of no class of its own."""
    return (
        (type(tensor) is Tensor or type(tensor) is nn.Parameter)
        and tensor.dtype == torch.float32
        and tensor.is_cpu
        and tensor.layout == torch.strided
    )


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
        kept = images.new_ones(n, n_out)
        if dropout > 0:
            kept.bernoulli_(1 - dropout).div_(1 - dropout)
        output = images.new_empty(n, pooled, pooled, n_out)
        places = images.new_empty(n, pooled, pooled, n_out, dtype=torch.uint8)
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
        ctx.save_for_backward(images, weight, bias, kept, output, places)
        ctx.window = window
        return output.permute(0, 3, 1, 2)

    @staticmethod
    def backward(
        ctx: Any,  # noqa: ANN401 (likewise)
        gradient: Tensor,
    ) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():  # a gradient of the gradient is wanted
            return *_differentiable_gradients(ctx, gradient), None, None
        from mnistpipe.networks import compiled, planes, sparse_gradient  # noqa: PLC0415 (see above)

        images, weight, _, *saved = ctx.saved_tensors
        kept, output, places = (each.numpy() for each in saved)
        n_parts, seen = compiled.count_parts(_operations(images, weight)), _rows(images)
        maps = _channels_last(gradient), output, places, kept
        n_out, n_in, *kernel = weight.shape
        to_biases, image_wanted = gradient.new_zeros(n_parts, n_out), ctx.needs_input_grad[0]
        if n_in == 1 and ctx.window == planes.WINDOW and not image_wanted:
            to_weights = gradient.new_zeros(n_parts, n_out, *kernel)
            planes.add_weight_gradients(*maps, seen, to_weights.numpy(), to_biases.numpy())
            to_images, to_weight = None, to_weights.sum(0).unsqueeze(1)
        else:
            kernels = _rows(weight)
            to_weights = gradient.new_zeros(n_parts, *kernels.shape)
            image_rows = gradient.new_empty(len(images) if image_wanted else 0, *seen.shape[1:])
            results = image_rows.numpy(), to_weights.numpy(), to_biases.numpy()
            sparse_gradient.add_gradients(*maps, ctx.window, seen, kernels, *results)
            to_images = _from_rows(image_rows, images) if image_wanted else None
            to_weight = _from_rows(to_weights.sum(0), weight)
        return to_images, to_weight, to_biases.sum(0), None, None


def _differentiable_gradients(
    ctx: Any,  # noqa: ANN401 (likewise)
    gradient: Tensor,
) -> tuple[Tensor | None, ...]:
    """Those of images, weights and biases by PyTorch's layers, as the loops' have no derivative."""
    *inputs, kept, _, _ = ctx.saved_tensors
    pooled = F.relu(F.max_pool2d(F.conv2d(*inputs), ctx.window)) * kept[:, :, None, None]
    wanted = [each for each in inputs if each.requires_grad]
    found = iter(torch.autograd.grad(pooled, wanted, gradient, create_graph=True))
    return tuple(next(found) if each.requires_grad else None for each in inputs)


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
