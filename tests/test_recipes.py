from pathlib import Path

import pytest

from mnistpipe.networks.models import NETWORKS
from mnistpipe.study import load_params
from mnistpipe.training.loop import count_steps
from mnistpipe.training.plan import PAIRS
from mnistpipe.training.recipe import Original
from mnistpipe.training.trials import images_per_epoch
from tests.conftest import PARAMS_FILE, ROOT
from tools.bench import MNIST_TRAINING_IMAGES

RECIPES = sorted((ROOT / "recipes").glob("*/params.yaml"))


def test_there_are_four_recipes() -> None:
    assert [path.parent.name for path in RECIPES] == ["best", "curve", "smoke", "tuned"]


def test_the_recipe_of_the_curve_is_another_one_with_sizes() -> None:
    """So that what differs is the number of images: the study's networks come from the cache."""
    studies = {path.parent.name: load_params(path).model_dump(by_alias=True) for path in RECIPES}
    curve = studies.pop("curve")
    others = studies.values()
    sizes = curve.pop("dense-curve")["sizes"]
    assert [other.pop("dense-curve")["sizes"] for other in others] == [()] * len(others)
    assert curve in others
    images = [size["images"] for size in sizes]
    assert (len(images), images[0], images[-1]) == (10, 100, MNIST_TRAINING_IMAGES)
    assert images == sorted(images)
    assert all(size["seeds"] >= 5 for size in sizes[:5])


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.parent.name)
def test_a_recipe_is_a_whole_study_with_the_same_stages_data_and_questions(path: Path) -> None:
    study, recipe = load_params(PARAMS_FILE), load_params(path)
    assert recipe.train_stages == study.train_stages
    assert recipe.partial_data.fractions == study.partial_data.fractions
    for same in ("prepare_split", "analyze", "robustness", "confidence"):
        assert getattr(recipe, same) == getattr(study, same)
    for without, with_it in PAIRS.values():
        assert recipe.training_run(without).recipe.views == (Original(name="original"),)
        assert recipe.training_run(with_it).recipe.views != (Original(name="original"),)


def test_the_tuned_study_is_about_mnist_and_the_smoke_test_is_not() -> None:
    datasets = {path.parent.name: load_params(path).data.dataset for path in RECIPES}
    assert datasets == {"best": "mnist", "curve": "mnist", "smoke": "digits", "tuned": "mnist"}


def test_the_tuned_study_passes_over_less_than_half_of_the_write_ups_images() -> None:
    """With one seed; image passes of one network are what a study's time is made of."""

    def image_passes(path: Path, network: str) -> int:
        params, total = load_params(path), 0
        for stage in params.train_stages:
            wanted = params.training_run(stage)
            recipe, n_examples = wanted.recipe, round(MNIST_TRAINING_IMAGES * wanted.fraction)
            if wanted.steps_of is not None:
                n_half = round(MNIST_TRAINING_IMAGES * wanted.steps_of)
                recipe = recipe.model_copy(update={"min_steps": count_steps(n_half, recipe)})
            if recipe.network == network:
                total += recipe.epochs * images_per_epoch(n_examples, recipe)
        return total

    tuned = ROOT / "recipes" / "tuned" / "params.yaml"
    assert image_passes(tuned, "net") < 0.5 * image_passes(PARAMS_FILE, "net")
    assert image_passes(tuned, "convnet") < image_passes(PARAMS_FILE, "convnet")
    both = [sum(image_passes(p, name) for name in NETWORKS) for p in (tuned, PARAMS_FILE)]
    assert both[0] < 0.5 * both[1]
