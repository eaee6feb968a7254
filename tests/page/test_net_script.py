"""net.js: Net in the page says what Net in PyTorch says."""

import base64
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy import ndarray

from mnistpipe.classifier import PRETRAINED
from mnistpipe.data.datasets import load_digits
from mnistpipe.data.idx import read_idx
from mnistpipe.networks.model_files import read_any_model
from mnistpipe.networks.models import Net
from mnistpipe.page.payload import pack_network
from mnistpipe.scoring.scores import PIXEL_MEAN, PIXEL_STD, predict_arrays
from tests.page.javascript import run_javascript

ROWS = """((network) =>
  Array.from({ length: given.count }, (_, i) => {
    const image = bytes(given.images).subarray(784 * i, 784 * (i + 1));
    const { logits, features, responses } = runNet(network, image);
    return [logits, features, responses].map((numbers) => Array.from(numbers));
  }))(unpackNet(given.network))"""


def run_in_javascript(folder: Path, network: Net, images: ndarray) -> list[ndarray]:
    """Logits, features and the first layer's responses."""
    given = {
        "network": pack_network(network, PIXEL_MEAN, PIXEL_STD),
        "images": base64.b64encode(images.tobytes()).decode(),
        "count": len(images),
    }
    rows = run_javascript(folder, ["net"], ROWS, given)
    return [np.array(each) for each in zip(*rows, strict=True)]


def assert_the_same(folder: Path, network: Net, images: ndarray) -> None:
    expected, expected_features = predict_arrays(network, images)
    logits, features, responses = run_in_javascript(folder, network, images)
    np.testing.assert_array_equal(logits.argmax(axis=1), expected.argmax(axis=1))
    np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-3)
    np.testing.assert_allclose(features, expected_features, rtol=0, atol=1e-3)
    inputs = (torch.tensor(images[:, np.newaxis]) / 255 - PIXEL_MEAN) / PIXEL_STD
    with torch.no_grad():
        expected_responses = network.conv1(inputs).flatten(1)
    np.testing.assert_allclose(responses, expected_responses, rtol=0, atol=1e-3)


def pretrained() -> Net:
    network, _ = read_any_model(PRETRAINED)
    assert isinstance(network, Net)
    return network


def test_it_says_what_pytorch_says(tmp_path: Path) -> None:
    assert_the_same(tmp_path, pretrained(), load_digits().test.images[:100])


def test_so_it_does_with_other_classes_and_weights(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = Net(n_classes=26)
    network.train()(torch.randn(50, 1, 28, 28))  # moves the statistics of the normalisation
    images = np.random.default_rng(0).integers(0, 256, (20, 28, 28), dtype=np.uint8)
    assert_the_same(tmp_path, network.eval(), images)


@pytest.mark.mnist
def test_so_it_does_on_mnist(tmp_path: Path, mnist_mirror: Path) -> None:
    assert_the_same(
        tmp_path, pretrained(), read_idx(mnist_mirror / "t10k-images-idx3-ubyte.gz")[:500]
    )
