from typing import Literal, get_args

import pytest
import torch

from mnistpipe.networks.models import (
    NETWORKS,
    Classifier,
    ConvNet,
    Net,
    build_network,
    count_parameters,
)
from mnistpipe.training.recipe import Recipe

CONVNET_SHAPES = [
    ("conv1.weight", (8, 1, 3, 3)),
    ("conv1.bias", (8,)),
    ("conv2.weight", (8, 8, 3, 3)),
    ("conv2.bias", (8,)),
    ("fc1.weight", (64, 200)),
    ("fc1.bias", (64,)),
    ("fc2.weight", (10, 64)),
    ("fc2.bias", (10,)),
]
NET_SHAPES = [
    ("conv1.weight", (32, 1, 5, 5)),
    ("conv1.bias", (32,)),
    ("conv2.weight", (32, 32, 5, 5)),
    ("conv2.bias", (32,)),
    ("conv3.weight", (64, 32, 3, 3)),
    ("conv3.bias", (64,)),
    ("conv4.weight", (32, 64, 3, 3)),
    ("conv4.bias", (32,)),
    ("fc1.weight", (96, 128)),
    ("fc1.bias", (96,)),
    ("norm1.weight", (96,)),
    ("norm1.bias", (96,)),
    ("fc2.weight", (10, 96)),
    ("fc2.bias", (10,)),
]


@pytest.mark.parametrize(
    ("network", "n_parameters", "shapes"),
    [(ConvNet(), 14_178, CONVNET_SHAPES), (Net(), 76_970, NET_SHAPES)],
)
def test_parameters_have_the_published_number_order_and_shapes(
    network: Classifier, n_parameters: int, shapes: list[tuple[str, tuple[int, ...]]]
) -> None:
    assert count_parameters(network) == n_parameters
    assert [(name, tuple(p.shape)) for name, p in network.named_parameters()] == shapes


@pytest.mark.parametrize(("network", "n_features"), [(ConvNet(), 64), (Net(), 96)])
def test_forward_returns_log_probabilities_and_features_enter_the_last_layer(
    network: Classifier, n_features: int
) -> None:
    network.eval()
    images = torch.randn(3, 1, 28, 28)
    logprobs, features = network(images), network.features(images)
    assert logprobs.shape == (3, 10)
    assert features.shape == (3, n_features)
    torch.testing.assert_close(logprobs.exp().sum(dim=1), torch.ones(3))
    torch.testing.assert_close(network.fc2(features).log_softmax(dim=1), logprobs)


def test_a_recipe_may_name_each_network() -> None:
    assert get_args(Recipe.model_fields["network"].annotation) == tuple(NETWORKS)


def test_net_pads_with_zeros_and_rectifies_before_the_average_pool() -> None:
    network = Net().eval()
    modes = {m.padding_mode for m in network.modules() if isinstance(m, torch.nn.Conv2d)}
    assert modes == {"zeros"}
    x = torch.randn(2, 1, 28, 28)
    f = torch.nn.functional
    expected = f.max_pool2d(f.relu(network.conv1(x)), 2)
    expected = f.max_pool2d(f.relu(network.conv2(expected)), 4)
    expected = f.avg_pool2d(f.relu(network.conv3(expected)), 2)
    expected = f.max_pool2d(f.relu(network.conv4(expected)), 2)
    expected = f.relu(network.norm1(network.fc1(expected.flatten(1))))
    torch.testing.assert_close(network.features(x), expected)


@pytest.mark.parametrize("name", ["convnet", "net"])
def test_dropout_acts_while_training_only(name: Literal["convnet", "net"]) -> None:
    network = build_network(name, dropout=0.9, n_classes=10)
    images = torch.randn(4, 1, 28, 28)
    assert not torch.equal(network(images), network(images))
    network.eval()
    assert torch.equal(network(images), network(images))
