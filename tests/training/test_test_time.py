from collections.abc import Sequence

import pytest
import torch

from mnistpipe.networks.models import Net, build_network
from mnistpipe.scoring.scores import BATCH_SIZE, predict
from mnistpipe.training.recipe import Affine, Blur, Original, Rotation, View
from mnistpipe.training.test_time import predict_by_views
from mnistpipe.training.views import blur, rotate

STILL = Affine(name="affine", degrees=0.0, translation=0.0, scale=0.0, shear=0.0)
TURNED = Rotation(name="rotation", degrees=180.0)
ORIGINAL, BLUR = Original(name="original"), Blur(name="blur")


@pytest.fixture
def network() -> Net:
    torch.manual_seed(0)
    built = build_network("net", dropout=0.5, n_classes=10)
    assert isinstance(built, Net)
    return built


@pytest.fixture
def images() -> torch.Tensor:
    """One more than are looked at at once."""
    generator = torch.Generator().manual_seed(0)
    return torch.randint(256, (BATCH_SIZE + 1, 28, 28), generator=generator, dtype=torch.uint8)


@pytest.mark.parametrize("views", [(ORIGINAL,), (STILL,), (ORIGINAL, STILL)])
def test_views_that_change_nothing_give_the_networks_own_answer(
    network: Net, images: torch.Tensor, views: Sequence[View]
) -> None:
    own = predict(network, images).logits.log_softmax(1).double()
    answer = predict_by_views(network, images, views, 3).logits
    torch.testing.assert_close(answer, own, atol=1e-4, rtol=0)


def test_the_answer_is_the_mean_probability_of_all_views(
    network: Net, images: torch.Tensor
) -> None:
    pixels = images.unsqueeze(1).float() / 255
    each = [predict(network, view).logits.softmax(1) for view in (pixels, blur(pixels))]
    answer = predict_by_views(network, images, (ORIGINAL, BLUR), 5).logits
    torch.testing.assert_close(answer.exp().float(), torch.stack(each).mean(0))


def test_the_draws_cover_the_range_and_are_the_same_for_each_image(
    network: Net, images: torch.Tensor
) -> None:
    alike = images[:1].expand(BATCH_SIZE + 1, -1, -1)
    answer = predict_by_views(network, alike, (TURNED,), 64).logits.exp()
    torch.testing.assert_close(answer, answer[:1].expand_as(answer), atol=1e-6, rtol=0)
    pixels = alike[:1].unsqueeze(1).float() / 255
    angles = torch.linspace(-180, 180, 361)[:-1]
    turned = rotate(pixels.expand(len(angles), -1, -1, -1), angles)
    evenly = predict(network, turned).logits.softmax(1).mean(0)
    torch.testing.assert_close(answer[0].float(), evenly, atol=0.002, rtol=0)


def test_a_networks_mode_is_left_as_it_was(network: Net, images: torch.Tensor) -> None:
    network.train()
    assert torch.equal(
        predict_by_views(network, images, (TURNED,), 2).logits,
        predict_by_views(network, images, (TURNED,), 2).logits,  # without dropout
    )
    assert network.training
