"""The training loops that the benchmark compares with; nothing else uses them.

The plain loop does what PyTorch's MNIST example does, and prepares views besides: a DataLoader of
PIL images, transforms for each image, fp32, PyTorch's default allocator, memory layout and
optimizer loop. The example's own loop, which has no views, stands beside it to show that the plain
one is not slow by choice.
"""

from collections.abc import Iterator
from typing import Any

import torch
from numpy import ndarray
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (PyTorch's own convention)
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from mnistpipe.files.errors import UserError
from mnistpipe.scoring.scores import PIXEL_MEAN, PIXEL_STD
from mnistpipe.training.recipe import Affine, Blur, Original, Recipe, Rotation, Step, View

LOG_INTERVAL = 10  # batches between two readings of the loss in PyTorch's example
_NOT_CLASSIC = "The plain loop trains by the write-up's recipe alone: restore params.yaml."


class PilImages(Dataset[tuple[Tensor, int]]):
    """Each image as the stack of its views, (views, 1, 28, 28), with its label."""

    def __init__(self, images: ndarray, labels: ndarray, recipe: Recipe) -> None:
        """Images are grey levels 0..255, (n, 28, 28)."""
        self._views = [_to_input(_augment(view)) for view in recipe.views]
        self._images = images
        self._labels = labels.tolist()

    def __len__(self) -> int:
        """The number of images."""
        return len(self._labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        """As torchvision's MNIST: a PIL image is made, then transformed."""
        image = Image.fromarray(self._images[index])
        return torch.stack([view(image) for view in self._views]), self._labels[index]


class MnistImages(Dataset[tuple[Tensor, int]]):
    """Each image as the example's network takes it, (1, 28, 28), with its label."""

    def __init__(self, images: ndarray, labels: ndarray) -> None:
        """Images are grey levels 0..255, (n, 28, 28)."""
        self._images, self._labels = torch.from_numpy(images), torch.from_numpy(labels)
        self._transform = _to_input([])

    def __len__(self) -> int:
        """The number of images."""
        return len(self._labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        """As torchvision's MNIST, which keeps tensors: one becomes a PIL image, then a tensor."""
        image = Image.fromarray(self._images[index].numpy())
        return self._transform(image), int(self._labels[index])


def _to_input(augmentation: list[Any]) -> Any:  # noqa: ANN401 (torchvision has no types)
    """From a PIL image to what a network takes."""
    to_input = [transforms.ToTensor(), transforms.Normalize((PIXEL_MEAN,), (PIXEL_STD,))]
    return transforms.Compose(augmentation + to_input)


def _augment(view: View) -> list[Any]:
    """Torchvision's transforms, which work on one PIL image."""
    match view:
        case Original():
            return []
        case Blur():  # the binomial kernel [1 4 6 4 1] / 16 has a standard deviation of one pixel
            return [transforms.GaussianBlur(kernel_size=5, sigma=1.0)]
        case Rotation():
            bilinear = transforms.InterpolationMode.BILINEAR
            return [transforms.RandomRotation(view.degrees, bilinear)]
        case Affine():
            raise UserError(_NOT_CLASSIC)


def plain_network(recipe: Recipe) -> nn.Module:
    """The recipe's network as a list of standard layers, returning log-probabilities."""

    def drop() -> nn.Module:
        return nn.Dropout2d(recipe.dropout)

    if recipe.network == "convnet":
        return nn.Sequential(
            *(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.MaxPool2d(2), drop()),
            *(nn.Conv2d(8, 8, 3), nn.ReLU(), nn.MaxPool2d(2), drop()),
            *(nn.Flatten(), nn.Linear(200, 64), nn.ReLU()),
            *(nn.Linear(64, 10), nn.LogSoftmax(dim=1)),
        )
    return nn.Sequential(
        *(nn.Conv2d(1, 32, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), drop()),
        *(nn.Conv2d(32, 32, 5, padding=2), nn.ReLU(), nn.MaxPool2d(4), drop()),
        *(nn.Conv2d(32, 64, 3, padding=2), nn.ReLU(), nn.AvgPool2d(2), drop()),
        *(nn.Conv2d(64, 32, 3, padding=2), nn.ReLU(), nn.MaxPool2d(2), drop()),
        *(nn.Flatten(), nn.Linear(128, 96), nn.BatchNorm1d(96), nn.ReLU()),
        *(nn.Linear(96, 10), nn.LogSoftmax(dim=1)),
    )


def train_reference(
    images: ndarray, labels: ndarray, recipe: Recipe, n_workers: int
) -> Iterator[float]:
    """Train for the recipe's epochs, yielding the mean loss per image after each.

    Args:
        images: grey levels 0..255, (n, 28, 28).
        labels: class numbers, (n,).
        recipe: how to train.
        n_workers: processes that load images beside the one that trains; 0 for none.

    Raises:
        UserError: for a recipe that classic loops do not have.

    """
    network, optimizer, rate = _start(recipe)
    loader = _load(PilImages(images, labels, recipe), recipe, n_workers)
    network.train()
    for _ in range(recipe.epochs):
        total, count = 0.0, 0
        for views, target in loader:
            batch = views.flatten(0, 1)
            repeated = target.repeat_interleave(len(recipe.views))
            optimizer.zero_grad()
            loss = F.nll_loss(network(batch), repeated)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            total += loss.item() * len(repeated)
            count += len(repeated)
        rate.step()
        yield total / count


def train_example(
    images: ndarray, labels: ndarray, recipe: Recipe, n_workers: int
) -> Iterator[float]:
    """Train as PyTorch's MNIST example does, yielding the mean of the logged losses of each epoch.

    The network is the plain loop's: a module that calls its layers one by one, as the example's.

    Args:
        images: grey levels 0..255, (n, 28, 28).
        labels: class numbers, (n,).
        recipe: how to train; its one view is the image as it is.
        n_workers: processes that load images beside the one that trains; 0 for none.

    Raises:
        UserError: for a recipe that the example does not have.

    """
    if recipe.views != (Original(name="original"),):
        raise UserError(_NOT_CLASSIC)
    network, optimizer, rate = _start(recipe)
    loader = _load(MnistImages(images, labels), recipe, n_workers)
    for _ in range(recipe.epochs):
        network.train()
        logged = []
        for i, (batch, target) in enumerate(loader):
            optimizer.zero_grad()
            loss = F.nll_loss(network(batch), target)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            if i % LOG_INTERVAL == 0:
                logged.append(loss.item())
        rate.step()
        yield sum(logged) / len(logged)


def _start(recipe: Recipe) -> tuple[nn.Module, torch.optim.Optimizer, StepLR]:
    """A fresh network with its optimizer and learning rate; raises UserError if not classic."""
    schedule, optimizer_params = recipe.schedule, recipe.optimizer
    if (
        not isinstance(schedule, Step)
        or optimizer_params.name == "adamw"
        or recipe.label_smoothing + optimizer_params.weight_decay > 0
    ):
        raise UserError(_NOT_CLASSIC)
    torch.manual_seed(1)
    network = plain_network(recipe)
    optimizer: torch.optim.Optimizer
    if optimizer_params.name == "adadelta":
        optimizer = torch.optim.Adadelta(network.parameters(), lr=recipe.lr)
    else:
        optimizer = torch.optim.RMSprop(network.parameters(), lr=recipe.lr)
    return network, optimizer, StepLR(optimizer, schedule.step_epochs, schedule.gamma)


def _load(
    images: Dataset[tuple[Tensor, int]], recipe: Recipe, n_workers: int
) -> DataLoader[tuple[Tensor, Tensor]]:
    """Batches in a new order each epoch; workers stay, so that no epoch waits for their start."""
    return DataLoader(
        images,  # type: ignore[arg-type]  # of examples, which the loader collates to batches
        batch_size=recipe.batch_size,
        shuffle=True,
        num_workers=n_workers,
        persistent_workers=n_workers > 0,
    )
