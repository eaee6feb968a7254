from pathlib import Path

import pytest

from mnistpipe.params import PAIRS, load_params, train_stages
from tests.conftest import PARAMS_FILE, ROOT

RECIPES = sorted((ROOT / "recipes").glob("*/params.yaml"))


def test_there_are_two_recipes() -> None:
    assert [path.parent.name for path in RECIPES] == ["smoke", "tuned"]


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.parent.name)
def test_a_recipe_is_a_whole_study_with_the_same_stages_data_and_questions(path: Path) -> None:
    study, recipe = load_params(PARAMS_FILE), load_params(path)
    assert train_stages(recipe) == train_stages(study)
    assert recipe.partial_data.fractions == study.partial_data.fractions
    for same in ("prepare_split", "analyze", "robustness"):
        assert getattr(recipe, same) == getattr(study, same)
    for without, with_it in PAIRS.values():
        assert recipe.training_run(without).recipe.views == ("original",)
        assert recipe.training_run(with_it).recipe.views != ("original",)


def test_the_tuned_study_is_about_mnist_and_the_smoke_test_is_not() -> None:
    datasets = {path.parent.name: load_params(path).data.dataset for path in RECIPES}
    assert datasets == {"smoke": "digits", "tuned": "mnist"}


def test_the_tuned_study_passes_over_no_more_images_than_the_write_ups() -> None:
    """Its epochs, each of as many images as there are views, are what its time is made of."""

    def passes(path: Path, stage: str) -> float:
        wanted = load_params(path).training_run(stage)
        return wanted.recipe.epochs * len(wanted.recipe.views)

    tuned = ROOT / "recipes" / "tuned" / "params.yaml"
    for stages in PAIRS.values():
        for stage in stages:
            assert passes(tuned, stage) <= passes(PARAMS_FILE, stage)
