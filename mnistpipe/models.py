"""The two networks of the study."""

from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (PyTorch's own convention)

from mnistpipe.split import N_CLASSES


class Classifier(nn.Module):
    """A network in two parts: `features`, which start with `conv1`, and a last layer `fc2`."""

    conv1: nn.Conv2d
    fc2: nn.Linear

    def features(self, images: Float[Tensor, "n 1 28 28"]) -> Float[Tensor, "n f"]:
        """What enters the last linear layer."""
        raise NotImplementedError

    def forward(self, images: Float[Tensor, "n 1 28 28"]) -> Float[Tensor, "n 10"]:
        """Log-probabilities of the classes, in single precision."""
        return F.log_softmax(self.fc2(self.features(images)).float(), dim=1)


class ConvNet(Classifier):
    """The course's default network: two small convolutions, 14,178 parameters.

    Takes normalised images and returns log-probabilities; its features have 64 dimensions.
    """

    def __init__(self, dropout: float = 0.5) -> None:
        """`dropout` is the probability of zeroing a whole channel after each pooling layer."""
        super().__init__()
        self.dropout = dropout
        self.conv1 = nn.Conv2d(1, 8, kernel_size=3)
        self.conv2 = nn.Conv2d(8, 8, kernel_size=3)
        self.fc1 = nn.Linear(200, 64)
        self.fc2 = nn.Linear(64, N_CLASSES)

    def features(self, images: Float[Tensor, "n 1 28 28"]) -> Float[Tensor, "n 64"]:
        """What enters the last linear layer: 64 numbers per image."""
        x = _relu_max_pool(self.conv1(images), 2)  # (n, 8, 13, 13)
        x = F.dropout2d(x, self.dropout, self.training)
        x = _relu_max_pool(self.conv2(x), 2)  # (n, 8, 5, 5)
        x = F.dropout2d(x, self.dropout, self.training)
        return F.relu(self.fc1(x.flatten(1)))


class Net(Classifier):
    """The write-up's own network: four convolutions, 76,970 parameters.

    Takes normalised images and returns log-probabilities; its features have 96 dimensions.
    Padding is with zeros: the write-up's diagram says "reflect", which the PyTorch of its day
    ignored, and with which the last convolution could not run (a 2x2 map cannot be reflected by 2).
    """

    def __init__(self, dropout: float = 0.5) -> None:
        """`dropout` is the probability of zeroing a whole channel after each pooling layer."""
        super().__init__()
        self.dropout = dropout
        self.conv1 = nn.Conv2d(1, 32, kernel_size=5, padding=2)
        self.conv2 = nn.Conv2d(32, 32, kernel_size=5, padding=2)
        self.conv3 = nn.Conv2d(32, 64, kernel_size=3, padding=2)
        self.conv4 = nn.Conv2d(64, 32, kernel_size=3, padding=2)
        self.fc1 = nn.Linear(128, 96)
        self.norm1 = nn.BatchNorm1d(96)
        self.fc2 = nn.Linear(96, N_CLASSES)

    def features(self, images: Float[Tensor, "n 1 28 28"]) -> Float[Tensor, "n 96"]:
        """What enters the last linear layer: 96 numbers per image."""
        x = _relu_max_pool(self.conv1(images), 2)  # (n, 32, 14, 14)
        x = F.dropout2d(x, self.dropout, self.training)
        # The poolings below drop the last rows and columns of 14 and 5; they are not computed.
        x = _relu_max_pool(_convolve_cropped(self.conv2, x, 2), 4)  # (n, 32, 3, 3)
        x = F.dropout2d(x, self.dropout, self.training)
        x = F.avg_pool2d(F.relu(_convolve_cropped(self.conv3, x, 1)), 2)  # (n, 64, 2, 2)
        x = F.dropout2d(x, self.dropout, self.training)
        x = _relu_max_pool(self.conv4(x), 2)  # (n, 32, 2, 2)
        x = F.dropout2d(x, self.dropout, self.training)
        return F.relu(self.norm1(self.fc1(x.flatten(1))))


NETWORKS: dict[str, type[ConvNet | Net]] = {"convnet": ConvNet, "net": Net}


def build_network(name: Literal["convnet", "net"], dropout: float) -> Classifier:
    """A network with fresh weights, drawn from PyTorch's global generator."""
    return NETWORKS[name](dropout)


def count_parameters(network: nn.Module) -> int:
    """How many numbers training can change."""
    return sum(parameter.numel() for parameter in network.parameters())


def _relu_max_pool(x: Tensor, size: int) -> Tensor:
    """ReLU and max pooling commute; after the pooling there is less to rectify."""
    return F.relu(F.max_pool2d(x, size))


def _convolve_cropped(layer: nn.Conv2d, x: Tensor, n_dropped: int) -> Tensor:
    """What `layer`, zero padded by 2, returns, without the last `n_dropped` rows and columns."""
    far = 2 - n_dropped
    return F.conv2d(F.pad(x, (2, far, 2, far)), layer.weight, layer.bias)
