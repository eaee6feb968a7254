"""The plain training loop that the benchmark compares with; nothing else uses it.

It is what the classic PyTorch MNIST example does: a DataLoader of PIL images, transforms for
each image, fp32, PyTorch's default allocator, memory layout and optimizer loop.
"""

from collections.abc import Iterator
from typing import Any

import torch
from numpy import ndarray
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (PyTorch's own convention)
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from mnistpipe.files.errors import UserError
from mnistpipe.scoring.scores import PIXEL_MEAN, PIXEL_STD
from mnistpipe.training.recipe import Affine, Blur, Original, Recipe, Rotation, Step, View

_NOT_CLASSIC = "The plain loop trains by the write-up's recipe alone: restore params.yaml."


class PilImages(Dataset[tuple[Tensor, int]]):
    """Each image as the stack of its views, (views, 1, 28, 28), with its label."""

    def __init__(self, images: ndarray, labels: ndarray, recipe: Recipe) -> None:
        """Images are grey levels 0..255, (n, 28, 28)."""
        to_input = [transforms.ToTensor(), transforms.Normalize((PIXEL_MEAN,), (PIXEL_STD,))]
        self._views = [transforms.Compose(_augment(view) + to_input) for view in recipe.views]
        self._images = images
        self._labels = labels.tolist()

    def __len__(self) -> int:
        """The number of images."""
        return len(self._labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        """As torchvision's MNIST: a PIL image is made, then transformed."""
        image = Image.fromarray(self._images[index])
        return torch.stack([view(image) for view in self._views]), self._labels[index]


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
    schedule, optimizer_params = recipe.schedule, recipe.optimizer
    if (
        not isinstance(schedule, Step)
        or optimizer_params.name == "adamw"
        or recipe.weight_averaging is not None
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
    rate = torch.optim.lr_scheduler.StepLR(optimizer, schedule.step_epochs, schedule.gamma)
    loader = DataLoader(
        PilImages(images, labels, recipe),
        batch_size=recipe.batch_size,
        shuffle=True,
        num_workers=n_workers,
        persistent_workers=n_workers > 0,
    )
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
