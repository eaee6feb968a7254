from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (PyTorch's own convention)

from mnistpipe.networks import compiled
from mnistpipe.networks.convolution import MANY_IMAGES, convolve_and_pool

# Of each convolution: channels in and out, kernel, padding, side, window, average.
LAYERS = {
    "ConvNet's first": (1, 8, 3, 0, 28, 2, False),
    "ConvNet's second": (8, 8, 3, 0, 13, 2, False),
    "Net's first": (1, 32, 5, 2, 28, 2, False),
    "Net's second": (32, 32, 5, 2, 14, 4, False),
    "Net's third": (32, 64, 3, 2, 3, 2, True),
    "Net's fourth": (64, 32, 3, 2, 2, 2, False),
}
Case = tuple[int, int, int, int, int, int, bool]


@pytest.fixture(params=[1, 2, 3])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def plain(
    layer: nn.Conv2d, images: Tensor, window: int, dropout: float, *, average: bool
) -> Tensor:
    """The same by PyTorch's layers, one after the other."""
    maps = F.relu(layer(images))
    pooled = F.avg_pool2d(maps, window) if average else F.max_pool2d(maps, window)
    return F.dropout2d(pooled, dropout)


def layer_and_images(case: Case, n: int = 7) -> tuple[nn.Conv2d, Tensor]:
    torch.manual_seed(0)
    n_in, n_out, size, padding, side = case[:5]
    layer = nn.Conv2d(n_in, n_out, size, padding=padding).to(memory_format=torch.channels_last)
    images = torch.randn(n, n_in, side, side).contiguous(memory_format=torch.channels_last)
    return layer, images.requires_grad_()


@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("case", LAYERS.values(), ids=LAYERS)
def test_output_and_gradients_are_those_of_pytorchs_layers(
    case: Case, dropout: float, threads: int
) -> None:
    layer, images = layer_and_images(case)
    window, average = case[5:]
    results = []
    for function in (plain, convolve_and_pool):
        torch.manual_seed(1)  # the same channels are dropped
        output = function(layer, images, window, dropout, average=average)
        loss = (
            output * torch.randn(output.shape, generator=torch.Generator().manual_seed(2))
        ).sum()
        inputs = [images, *layer.parameters()]
        results.append([output, *torch.autograd.grad(loss, inputs)])
    for expected, ours in zip(*results, strict=True):
        torch.testing.assert_close(
            ours, expected, rtol=1e-4, atol=1e-4 * float(expected.detach().abs().max())
        )
    assert torch.get_num_threads() == threads  # Numba has not changed it


@pytest.mark.parametrize("case", LAYERS.values(), ids=LAYERS)
def test_a_batch_in_parts_gives_what_the_images_give_one_by_one(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a part's share is, with more parts than images, too."""
    monkeypatch.setattr(compiled, "count_parts", lambda _: 3)
    layer, images = layer_and_images(case, n=2)
    window, average = case[5:]
    whole = convolve_and_pool(layer, images, window, 0.0, average=average)
    single = [
        convolve_and_pool(layer, image[None], window, 0.0, average=average) for image in images
    ]
    torch.testing.assert_close(whole, torch.cat(single))


def test_scoring_a_set_takes_the_compiled_loops_and_a_few_images_pytorchs_layers() -> None:
    layer, images = layer_and_images(LAYERS["Net's second"], n=MANY_IMAGES)
    with torch.no_grad():
        many = convolve_and_pool(layer, images, 4, 0.0)
        few = convolve_and_pool(layer, images[:7], 4, 0.0)
        assert torch.equal(few, plain(layer, images[:7], 4, 0.0, average=False))
    trained = convolve_and_pool(layer, images, 4, 0.0)
    assert torch.equal(many, trained)
    torch.testing.assert_close(many[:7], few, rtol=1e-4, atol=1e-4 * float(few.abs().max()))


def test_images_that_need_no_gradient_get_none() -> None:
    layer, images = layer_and_images(LAYERS["ConvNet's first"])
    images = images.detach()
    convolve_and_pool(layer, images, 2, 0.0).sum().backward()  # type: ignore[no-untyped-call]
    assert images.grad is None
    assert layer.weight.grad is not None
    assert layer.weight.grad.abs().max() > 0


@pytest.mark.parametrize("gradient_wanted", [True, False])
def test_dropout_zeroes_whole_channels_and_scales_the_others_up(gradient_wanted: bool) -> None:  # noqa: FBT001 (a parameter of the test)
    layer, images = layer_and_images(LAYERS["Net's second"], n=40)
    with torch.set_grad_enabled(gradient_wanted):
        whole = convolve_and_pool(layer, images, 4, 0.0)
        dropped = convolve_and_pool(layer, images, 4, 0.75)
    gone = (dropped == 0).flatten(2).all(dim=2)
    assert 0.7 < gone.float().mean() < 0.8
    torch.testing.assert_close(dropped[~gone], 4 * whole[~gone])


def test_in_bf16_the_layers_are_pytorchs() -> None:
    layer, images = layer_and_images(LAYERS["Net's second"])
    results = []
    for function in (plain, convolve_and_pool):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            results.append(function(layer, images, 4, 0.0, average=False))
    assert results[1].dtype == torch.bfloat16
    assert torch.equal(*results)


@pytest.mark.parametrize("case", LAYERS.values(), ids=LAYERS)
def test_second_derivatives_are_those_of_pytorchs_layers(case: Case) -> None:
    layer, images = layer_and_images(case)
    window, average = case[5:]
    results = []
    for function in (plain, convolve_and_pool):
        torch.manual_seed(1)  # the same channels are dropped
        output = function(layer, images, window, 0.3, average=average).pow(3).sum()
        (gradient,) = torch.autograd.grad(output, images, create_graph=True)
        results.append(torch.autograd.grad(gradient.pow(2).sum(), [images, *layer.parameters()]))
    for expected, ours in zip(*results, strict=True):
        torch.testing.assert_close(
            ours, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max())
        )


@pytest.mark.parametrize(
    "settings",
    [
        {"stride": 2},
        {"dilation": 2},
        {"groups": 2},
        {"bias": False},
        {"padding": "same"},
        {"padding": (1, 2)},
        {"padding": 1, "padding_mode": "reflect"},
    ],
    ids=str,
)
def test_a_layer_of_another_kind_is_called(settings: dict[str, Any]) -> None:
    layer, images = nn.Conv2d(4, 6, 3, **settings), torch.randn(5, 4, 11, 11)
    expected = plain(layer, images, 2, 0.0, average=False)
    assert torch.equal(convolve_and_pool(layer, images, 2, 0.0), expected)


def test_elsewhere_than_on_the_processor_the_layers_are_pytorchs() -> None:
    layer, images = layer_and_images(LAYERS["Net's third"])
    output = convolve_and_pool(layer.to("meta"), images.to("meta"), 2, 0.5, average=True)
    assert output.shape == (7, 64, 2, 2)
    names, node = set(), output.grad_fn
    while node is not None:
        names.add(node.name())
        node = node.next_functions[0][0] if node.next_functions else None
    assert "ConvolutionBackward0" in names
