"""The two networks of the study."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (PyTorch's own convention)

from mnistpipe.networks.convolution import convolve_and_pool


class Classifier(nn.Module):
    """A network in two parts: `features`, which start with `conv1`, and a last layer `fc2`."""

    conv1: nn.Conv2d
    fc2: nn.Linear

    def features(self, images: Float[Tensor, "n 1 28 28"]) -> Float[Tensor, "n f"]:
        """What enters the last linear layer."""
        raise NotImplementedError

    def forward(self, images: Float[Tensor, "n 1 28 28"]) -> Float[Tensor, "n c"]:
        """Log-probabilities of the classes, in single precision or a better one of the images'."""
        logits = self.fc2(self.features(images))
        return F.log_softmax(logits, dim=1, dtype=torch.promote_types(logits.dtype, torch.float32))


class ConvNet(Classifier):
    """The course's default network: two small convolutions, 14,178 parameters for ten classes.

    Takes normalised images and returns log-probabilities; its features have 64 dimensions.
    """

    def __init__(self, dropout: float = 0.5, n_classes: int = 10) -> None:
        """`dropout` is the probability of zeroing a whole channel after each pooling layer."""
        super().__init__()
        self.dropout = dropout
        self.conv1 = nn.Conv2d(1, 8, kernel_size=3)
        self.conv2 = nn.Conv2d(8, 8, kernel_size=3)
        self.fc1 = nn.Linear(200, 64)
        self.fc2 = nn.Linear(64, n_classes)

    def features(self, images: Float[Tensor, "n 1 28 28"]) -> Float[Tensor, "n 64"]:
        """What enters the last linear layer: 64 numbers per image."""
        dropout = self.dropout if self.training else 0.0
        x = convolve_and_pool(self.conv1, images, 2, dropout)  # (n, 8, 13, 13)
        x = convolve_and_pool(self.conv2, x, 2, dropout)  # (n, 8, 5, 5)
        return F.relu(self.fc1(x.flatten(1)))


class Net(Classifier):
    """The write-up's own network: four convolutions, 76,970 parameters for ten classes.

    Takes normalised images and returns log-probabilities; its features have 96 dimensions.
    Padding is with zeros: the write-up's diagram says "reflect", which the PyTorch of its day
    ignored, and with which the last convolution could not run (a 2x2 map cannot be reflected by 2).
    """

    def __init__(self, dropout: float = 0.5, n_classes: int = 10) -> None:
        """`dropout` is the probability of zeroing a whole channel after each pooling layer."""
        super().__init__()
        self.dropout = dropout
        self.conv1 = nn.Conv2d(1, 32, kernel_size=5, padding=2)
        self.conv2 = nn.Conv2d(32, 32, kernel_size=5, padding=2)
        self.conv3 = nn.Conv2d(32, 64, kernel_size=3, padding=2)
        self.conv4 = nn.Conv2d(64, 32, kernel_size=3, padding=2)
        self.fc1 = nn.Linear(128, 96)
        self.norm1 = nn.BatchNorm1d(96)
        self.fc2 = nn.Linear(96, n_classes)

    def features(self, images: Float[Tensor, "n 1 28 28"]) -> Float[Tensor, "n 96"]:
        """What enters the last linear layer: 96 numbers per image."""
        dropout = self.dropout if self.training else 0.0
        x = convolve_and_pool(self.conv1, images, 2, dropout)  # (n, 32, 14, 14)
        x = convolve_and_pool(self.conv2, x, 4, dropout)  # (n, 32, 3, 3)
        x = convolve_and_pool(self.conv3, x, 2, dropout, average=True)  # (n, 64, 2, 2)
        x = convolve_and_pool(self.conv4, x, 2, dropout)  # (n, 32, 2, 2)
        return F.relu(self.norm1(self.fc1(x.flatten(1))))


# Which a recipe may name: `Recipe.network` lists them, too, as it is read without PyTorch.
NETWORKS: dict[str, type[Classifier]] = {"convnet": ConvNet, "net": Net}


def build_network(name: str, dropout: float, n_classes: int) -> Classifier:
    """A network with fresh weights, drawn from PyTorch's global generator."""
    return NETWORKS[name](dropout, n_classes)


def count_parameters(network: nn.Module) -> int:
    """How many numbers training can change."""
    return sum(parameter.numel() for parameter in network.parameters())
