"""Trained networks for use: from any image of a digit to its class. `mnistpipe.load` is here."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from jaxtyping import Bool, Float32, UInt8
from numpy import ndarray
from PIL import Image
from pydantic import BaseModel, ConfigDict, ValidationError

from mnistpipe.data.catalogue import is_ink
from mnistpipe.files.errors import UserError
from mnistpipe.images.prepare import PREPARATIONS, SIDE, EmptyImageError, Preparation
from mnistpipe.images.read import grey_levels, read_image
from mnistpipe.networks.model_files import ModelCard, read_any_model
from mnistpipe.networks.models import Classifier
from mnistpipe.scoring.scores import predict_arrays

__all__ = ["Answer", "ImageClassifier", "UserError", "load"]  # the package's public names

PRETRAINED = Path(__file__).with_name("pretrained") / "net.safetensors"
ImageLike: TypeAlias = str | Path | Image.Image | ndarray
_WANTED = (
    "a NumPy array (h, w) or (n, h, w) of uint8 grey levels 0..255 or floating point pixels 0..1"
)


class Settings(BaseModel):
    """What the validation set says about using a network: a JSON file of the network's name.

    Attributes:
        temperature: what logits are divided by, so that probabilities are as often right as they
            say (Guo et al. 2017).
        sure_from: probability from which on an answer is called sure.

    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    temperature: float = 1.0
    sure_from: float = 0.5


@dataclass(frozen=True)
class Answer:
    """What a network says about an image.

    Attributes:
        label: name of the most probable class; None if the image is empty, and all else is 0 then.
        probability: of that class, 0..1.
        runner_up: name of the second class.
        sure: whether the probability reaches the network's threshold.
        probabilities: of each class, in the order of the network's card.

    """

    label: str | None
    probability: float
    runner_up: str | None
    sure: bool
    probabilities: dict[str, float]


@dataclass(frozen=True)
class ImageClassifier:
    """A trained network with all that is needed to show it images of one's own.

    Images are paths, PIL images, arrays of grey levels (uint8, 0..255) or of pixels (floating
    point, 0..1) of shape (h, w), or (n, h, w) for several; or a sequence of such.

    Attributes:
        network: in evaluation mode; takes normalised images (n, 1, 28, 28).
        card: what it was trained on, and its classes.
        settings: its temperature and threshold.
        preparation: `mnist` to find the digit and bring it into the form of MNIST's images,
            `resize` to take the images as they are, light ink on dark, resized to 28x28.

    """

    network: Classifier
    card: ModelCard
    settings: Settings
    preparation: Preparation = "mnist"

    def classify(self, images: ImageLike | Sequence[ImageLike]) -> list[Answer]:
        """An answer for each image, in order.

        Raises UserError, naming the image, if one cannot be read or is of another form.
        """
        return self.answers(*self.prepare(images))

    def answers(
        self, prepared: UInt8[ndarray, "n 28 28"], drawn: Bool[ndarray, " n"]
    ) -> list[Answer]:
        """Likewise for images as `prepare` gives them back."""
        logits, _ = self._predict(prepared)
        scaled = torch.from_numpy(logits).double() / self.settings.temperature
        rows = torch.softmax(scaled, dim=1).tolist()
        return [self._answer(row) if ink else EMPTY for row, ink in zip(rows, drawn, strict=True)]

    def features(self, images: ImageLike | Sequence[ImageLike]) -> Float32[ndarray, "n f"]:
        """What enters the network's last layer, for each image, in order; raises likewise."""
        return self._predict(self.prepare(images)[0])[1]

    def prepare(
        self, images: ImageLike | Sequence[ImageLike]
    ) -> tuple[UInt8[ndarray, "n 28 28"], Bool[ndarray, " n"]]:
        """What the network gets to see of each image, and whether anything is drawn there."""
        prepared, drawn = [], []
        for grey in _grey_levels(images):
            try:
                prepared.append(PREPARATIONS[self.preparation](grey))
            except EmptyImageError:
                prepared.append(np.zeros((SIDE, SIDE), dtype=np.uint8))
            drawn.append(bool(prepared[-1].min() < prepared[-1].max()))
        return np.array(prepared, np.uint8).reshape(-1, SIDE, SIDE), np.array(drawn, bool)

    def _predict(self, images: UInt8[ndarray, "n 28 28"]) -> tuple[ndarray, ndarray]:
        if len(images) == 0:
            n_features = self.network.fc2.in_features
            return np.empty((0, len(self.card.classes))), np.empty((0, n_features), np.float32)
        return predict_arrays(self.network, images)

    def _answer(self, row: list[float]) -> Answer:
        probabilities = dict(zip(self.card.classes, row, strict=True))
        first, second = sorted(probabilities, key=probabilities.__getitem__, reverse=True)[:2]
        highest = probabilities[first]
        return Answer(first, highest, second, highest >= self.settings.sure_from, probabilities)


EMPTY = Answer(None, 0.0, None, sure=False, probabilities={})


def load(path: str | Path = PRETRAINED, preparation: Preparation | None = None) -> ImageClassifier:
    """Read a trained network, by default the one that comes with the package.

    Args:
        path: of the network, such as `models/train-net-augmented.safetensors`. A file of the same
            name that ends in `.json` may hold its settings.
        preparation: what is done to images, see `ImageClassifier`; by default what was done to
            those that the network was trained on, if they are your own, else `mnist`.

    Raises:
        UserError: if the file is missing, damaged or no network of this package.

    """
    path = Path(path)
    if preparation not in ("mnist", "resize", None):
        raise UserError(f"preparation should be mnist or resize, not {preparation!r}.")
    network, card = read_any_model(path)
    settings = _read_settings(path.with_suffix(".json"))
    if preparation is None:
        preparation = "mnist" if is_ink(card.dataset) else "resize"
    return ImageClassifier(network, card, settings, preparation)


def _read_settings(path: Path) -> Settings:
    try:
        return Settings.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return Settings()
    except (OSError, ValidationError) as error:
        raise UserError(
            f"{path} is no JSON file with a network's temperature and sure_from; delete it."
        ) from error


def _grey_levels(images: ImageLike | Sequence[ImageLike]) -> Iterable[UInt8[ndarray, "h w"]]:
    """Of one image, or of several, each as (h, w)."""
    if isinstance(images, (str, Path)):
        yield read_image(Path(images))
    elif isinstance(images, Image.Image):
        yield grey_levels(images)
    elif isinstance(images, ndarray):
        yield from _levels_of_array(images)
    elif isinstance(images, (list, tuple)):
        for image in images:
            yield from _grey_levels(image)
    else:
        kind = type(images)
        raise UserError(
            f"An image should be a path, a PIL image or {_WANTED}, "
            f"not {kind.__module__}.{kind.__qualname__}."
        )


def _levels_of_array(array: ndarray) -> UInt8[ndarray, "n h w"]:
    floating = np.issubdtype(array.dtype, np.floating)
    sound = array.ndim in (2, 3) and 0 not in array.shape[-2:]
    if sound and array.dtype == np.uint8:
        levels = array
    elif sound and floating and (array.size == 0 or (array.min() >= 0 and array.max() <= 1)):
        levels = np.round(array * 255).astype(np.uint8)
    else:
        numeric = array.size > 0 and array.dtype.kind in "biuf"
        extent = f", {array.min():g} to {array.max():g}" if numeric else ""
        raise UserError(
            f"An array of images should be {_WANTED}, not of shape {array.shape}, "
            f"{array.dtype}{extent}; colours can be given as a PIL image."
        )
    return levels.reshape(-1, *levels.shape[-2:])
