from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch

from mnistpipe.files.errors import UserError
from mnistpipe.networks.models import build_network
from mnistpipe.scoring.scores import normalise, to_pixels
from mnistpipe.study import load_params
from mnistpipe.training.recipe import Recipe, Step
from mnistpipe.training.views import blur
from tests.conftest import PARAMS_FILE
from tools.reference import (
    MnistImages,
    PilImages,
    plain_network,
    train_example,
    train_reference,
)

PARAMS = load_params(PARAMS_FILE)
RECIPES = [PARAMS.train_convnet, PARAMS.train_net]


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.network)
def test_the_plain_network_is_the_same_function_with_the_same_weights(recipe: Recipe) -> None:
    plain, ours = plain_network(recipe), build_network(recipe.network, recipe.dropout, 10)
    weights = zip(plain.state_dict().values(), ours.state_dict().values(), strict=True)
    with torch.no_grad():
        for theirs, our in weights:
            our.copy_(theirs)
    plain.eval()
    ours.eval()
    images = torch.randn(4, 1, 28, 28)
    torch.testing.assert_close(plain(images), ours(images))


def test_the_plain_views_are_ours_but_for_the_rounding_to_grey_levels() -> None:
    images = np.random.default_rng(0).integers(0, 256, (1, 28, 28), dtype=np.uint8)
    recipe = PARAMS.train_augmented
    views, label = PilImages(images, np.array([7]), recipe)[0]
    pixels = to_pixels(torch.from_numpy(images))
    assert label == 7
    torch.testing.assert_close(views[:1], normalise(pixels))
    # Its kernel is a true Gaussian, ours the binomial; at the border it reflects, ours adds zeros.
    inner = (slice(None), slice(None), slice(2, -2), slice(2, -2))
    torch.testing.assert_close(views[1:][inner], normalise(blur(pixels))[inner], atol=0.1, rtol=0)


def test_the_example_takes_the_images_that_the_plain_loop_takes() -> None:
    images = np.random.default_rng(0).integers(0, 256, (1, 28, 28), dtype=np.uint8)
    image, label = MnistImages(images, np.array([7]))[0]
    ((plain,), _) = PilImages(images, np.array([7]), PARAMS.train_net)[0]
    assert label == 7
    torch.testing.assert_close(image, plain, rtol=0, atol=0)


@pytest.fixture
def bars() -> tuple[np.ndarray, np.ndarray]:
    """Forty images that can be told apart by where their bar stands, with their labels."""
    labels = np.arange(40) % 10
    images = np.zeros((40, 28, 28), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[4:24, 2 * label : 2 * label + 8] = 255
    return images, labels


@pytest.mark.parametrize("train", [train_reference, train_example])
def test_both_loops_learn_what_can_be_learned(
    train: Callable[..., Iterator[float]], bars: tuple[np.ndarray, np.ndarray]
) -> None:
    constant = Step(name="step", step_epochs=1, gamma=1.0)
    recipe = PARAMS.train_convnet.model_copy(
        update={"epochs": 20, "batch_size": 8, "schedule": constant, "dropout": 0.0}
    )
    first, *_, last = train(*bars, recipe, 0)
    assert last < 0.05 < first


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.network)
def test_the_example_trains_the_plain_loops_network_by_the_same_steps(
    recipe: Recipe, bars: tuple[np.ndarray, np.ndarray]
) -> None:
    # One batch an epoch: then what the example logs is the plain loop's mean loss.
    short = recipe.model_copy(update={"epochs": 4, "batch_size": 40})
    example, plain = (list(train(*bars, short, 0)) for train in (train_example, train_reference))
    assert example == pytest.approx(plain, rel=1e-4)
    assert len(set(example)) == 4


def test_the_example_has_no_views(bars: tuple[np.ndarray, np.ndarray]) -> None:
    with pytest.raises(UserError, match=r"restore params\.yaml"):
        next(train_example(*bars, PARAMS.train_augmented, 0))
