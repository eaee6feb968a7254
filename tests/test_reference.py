import numpy as np
import pytest
import torch

from mnistpipe.networks.models import build_network
from mnistpipe.scoring.scores import normalise, to_pixels
from mnistpipe.study import load_params
from mnistpipe.training.recipe import Recipe, Step
from mnistpipe.training.views import blur
from tests.conftest import PARAMS_FILE
from tools.reference import PilImages, plain_network, train_reference

PARAMS = load_params(PARAMS_FILE)
RECIPES = [PARAMS.train_convnet, PARAMS.train_net]


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.network)
def test_the_plain_network_is_the_same_function_with_the_same_weights(recipe: Recipe) -> None:
    plain, ours = plain_network(recipe), build_network(recipe.network, recipe.dropout)
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


def test_it_learns_what_can_be_learned() -> None:
    labels = np.arange(40) % 10
    images = np.zeros((40, 28, 28), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[4:24, 2 * label : 2 * label + 8] = 255
    constant = Step(name="step", step_epochs=1, gamma=1.0)
    recipe = PARAMS.train_convnet.model_copy(
        update={"epochs": 20, "batch_size": 8, "schedule": constant, "dropout": 0.0}
    )
    *_, last = train_reference(images, labels, recipe, 0)
    assert last < 0.05
