import re
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from mnistpipe.files.errors import UserError
from mnistpipe.files.sections import read_section
from mnistpipe.study import load_params
from mnistpipe.training.plan import (
    BEST_STAGE,
    PAIRS,
    SWEEP,
    TRAIN_STAGES,
    PartialData,
    TrainingRun,
    check_network,
    read_training_run,
    train_stages,
)
from tests.conftest import PARAMS_FILE
from tests.mistakes import OWN_TEXT, edited, problems, written

OTHERS = "    - quarter\n    - eighth\n    - sixteenth\n"
FRACTIONS = "    half: 0.5\n    quarter: 0.25\n    eighth: 0.125\n    sixteenth: 0.0625\n"
OF_THE_SWEEP = "  seeds:                      # of the choice of images, too\n"

read_sweep = partial(read_section, SWEEP, PartialData)


def sweep(path: Path = PARAMS_FILE) -> PartialData:
    return read_sweep(path)


def with_recipe_of_sweep(old: str, new: str, text: str = OWN_TEXT) -> str:
    start, recipe = text.split("  recipe:", 1)
    return f"{start}  recipe:{edited(old, new, recipe)}"


def test_the_pairs_are_the_train_stages_and_the_last_one_is_the_best() -> None:
    assert [stage for pair in PAIRS.values() for stage in pair] == [*TRAIN_STAGES]
    assert BEST_STAGE == TRAIN_STAGES[-1] == PAIRS["net"][1]


def test_the_pairs_differ_in_their_views() -> None:
    for network, pair in PAIRS.items():
        without, with_it = (read_training_run(stage, PARAMS_FILE).recipe for stage in pair)
        assert without.network == with_it.network == network
        assert set(without.views) < set(with_it.views)


def test_each_stage_has_its_recipe_seeds_and_fraction() -> None:
    params = load_params(PARAMS_FILE)
    for stage in TRAIN_STAGES:
        section = getattr(params, stage.replace("-", "_"))
        run = TrainingRun(section, (1,), 1.0, stage, None)
        assert read_training_run(stage, PARAMS_FILE) == run
    partial_data = params.partial_data
    for name, fraction in partial_data.fractions.items():
        key = f"partial-data.fractions.{name}"
        run = TrainingRun(partial_data.recipe, (1,), fraction, key, steps_of=None)
        assert read_training_run(f"partial-data@{name}", PARAMS_FILE) == run
        if name in partial_data.other_steps.fractions:
            as_half = replace(run, steps_of=0.5)
            assert read_training_run(f"partial-data-steps@{name}", PARAMS_FILE) == as_half


def test_a_stage_reads_its_own_section_alone(tmp_path: Path) -> None:
    text = edited("k: net\n", "k: resnet\n", edited("half: 0.5", "half: 5", OWN_TEXT))
    path = written(tmp_path, text)
    for stage in ("train-convnet", "train-augmented", "train-net-augmented"):
        assert read_training_run(stage, path) == read_training_run(stage, PARAMS_FILE)
    (line,) = problems(partial(read_training_run, "train-net"), tmp_path, text)
    assert line == "train-net.network should be 'convnet' or 'net', not 'resnet'."
    for stage in ("partial-data@half", "partial-data-steps@quarter"):
        (line,) = problems(partial(read_training_run, stage), tmp_path, text)
        assert line == "partial-data.fractions.half should be less than 1, not 5."


def test_several_seeds_are_as_many_networks_of_a_stage(tmp_path: Path) -> None:
    path = written(tmp_path, edited("  seeds:\n  - 1\n", "  seeds:\n  - 3\n  - 1\n"))
    assert read_training_run("train-convnet", path).seeds == (3, 1)
    path = written(tmp_path, edited(OF_THE_SWEEP, f"{OF_THE_SWEEP}  - 5\n"))
    for stage in ("partial-data@half", "partial-data-steps@quarter"):
        assert read_training_run(stage, path).seeds == (5, 1)


def test_the_sweeps_stages_are_named_by_their_fractions() -> None:
    assert sweep().stages == {
        name: f"partial-data@{name}" for name in ("half", "quarter", "eighth", "sixteenth")
    }
    assert sweep().steps_stages == {
        name: f"partial-data-steps@{name}" for name in ("quarter", "eighth", "sixteenth")
    }


def test_the_other_sweep_may_take_no_more_updates_than_its_images_give(tmp_path: Path) -> None:
    text = edited("as_half: true", "as_half: false")
    text = edited("    half: 0.5", "    third: 0.3333", text)
    path = written(tmp_path, with_recipe_of_sweep("min_steps: 0", "min_steps: 5000", text))
    assert read_training_run("partial-data@eighth", path).recipe.min_steps == 5000
    wanted = read_training_run("partial-data-steps@eighth", path)
    assert (wanted.steps_of, wanted.recipe.min_steps) == (None, 0)
    changed = read_training_run("partial-data@eighth", path).recipe
    assert wanted.recipe == changed.model_copy(update={"min_steps": 0})
    assert [*sweep(path).steps_stages.values()] == [
        f"partial-data-steps@{name}" for name in ("quarter", "eighth", "sixteenth")
    ]
    assert next(iter(sweep(path).stages.values())) == "partial-data@third"
    assert train_stages(sweep(path)) == [
        *TRAIN_STAGES,
        *sweep(path).stages.values(),
        *sweep(path).steps_stages.values(),
    ]


def test_a_run_of_ones_own_is_what_its_section_says(tmp_path: Path) -> None:
    section = "    wide:\n" + OWN_TEXT.split("train-net:\n")[1].split("\n\n")[0].replace(
        "  ", "      "
    )
    path = written(tmp_path, re.sub("  runs: {} .*", f"  runs:\n{section}", OWN_TEXT))
    recipe = read_training_run("train-net", PARAMS_FILE).recipe
    expected = TrainingRun(recipe, (1,), 1.0, "own.runs.wide", steps_of=None)
    assert read_training_run("own@wide", path) == expected
    params = load_params(path)
    assert params.training_run("own@wide") == expected
    assert params.train_stages == [*train_stages(params.partial_data), "own@wide"]
    for read, known in ((path, "wide"), (PARAMS_FILE, "none")):
        with pytest.raises(UserError, match=rf"'own@deep' is not .* own\.runs .* has: {known}\."):
            read_training_run("own@deep", read)


@pytest.mark.faults
@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        # fractions
        ("half: 0.5", "Half: 0.5", ".fractions.Half should be a name of lower-case letters, digit"),
        ("half: 0.5", "a/b: 0.5", ".fractions.a/b should be a name of lower-case letters, digits"),
        ("half: 0.5", "1: 0.5", ".fractions.1 should be a name, not a number or the like"),
        (
            "quarter: 0.25",
            "quarter: 0.2",
            ": fractions.quarter should be 0.25, as its name says; ",
        ),
        ("half: 0.5", "half: 1.0", ".fractions.half should be less than 1, not 1.0"),
        ("half: 0.5", "half: 0", ".fractions.half should be greater than 0, not 0"),
        ("half: 0.5", "half: zero", ".fractions.half should be a valid number, not 'zero'"),
        (FRACTIONS, "", ".fractions should be a valid dictionary, not empty"),
        (FRACTIONS, "    {}\n", ".fractions should not be empty"),
        (
            "    half: 0.5\n",
            "    half: 0.5\n    full: 0.9\n",
            ": fractions should name none full, w",
        ),
        # seeds
        (f"{OF_THE_SWEEP}  - 1\n", "  seeds: [3, 3]\n", ": seeds should name each seed once"),
        (f"{OF_THE_SWEEP}  - 1\n", "  seeds: []\n", ".seeds should not be empty"),
        # the other sweep
        ("as_half: true", "as_half: 1", ".other_steps.as_half should be a valid boolean, not 1"),
        ("    half: 0.5\n", "", ": other_steps.as_half needs half among the fractions"),
        (
            "as_half: true",
            "as_half: false",
            ": other_steps.as_half should be true if recipe.min_steps is 0, and false if not",
        ),
        (
            OTHERS,
            "    - third\n",
            ": other_steps.fractions should name fractions of the sweep, each once",
        ),
        (
            OTHERS,
            "    - half\n    - half\n",
            ": other_steps.fractions should name fractions of the sweep, each once",
        ),
        (f"\n{OTHERS}", " []\n", ".other_steps.fractions should not be empty"),
        (OTHERS, "    - 1\n", ".other_steps.fractions.0 should be a valid string, not 1"),
    ],
)
def test_a_mistake_in_the_sweep_is_named_with_its_key_and_what_is_allowed(
    tmp_path: Path, old: str, new: str, line: str
) -> None:
    text = edited(old, new)
    (alone,) = problems(read_sweep, tmp_path, text)
    assert alone.startswith(f"partial-data{line}")
    assert problems(partial(read_training_run, "partial-data@half"), tmp_path, text) == [alone]
    assert problems(load_params, tmp_path, text) == [alone]


@pytest.mark.faults
def test_a_mistake_in_the_sweeps_recipe_is_named_below_it(tmp_path: Path) -> None:
    for old, new, line in (
        ("epochs: 15", "epochs: 0", "epochs should be greater than or equal to 1, not 0."),
        ("degrees: 15.0", "degrees: 190.0", "views.2.degrees should be less than or equal to 180"),
        ("rmsprop", "sgd", "optimizer.name should be 'adadelta', 'rmsprop' or 'adamw', not 'sgd'."),
        ("gamma: 0.7", "gamma: 0", "schedule.gamma should be greater than 0, not 0."),
        ("precision: auto", "precision: auto\n    seeds: [1]", "seeds is not a parameter;"),
    ):
        (alone,) = problems(read_sweep, tmp_path, with_recipe_of_sweep(old, new))
        assert alone.startswith(f"partial-data.recipe.{line}")


@pytest.mark.faults
def test_the_sweeps_own_recipe_has_to_be_nets(tmp_path: Path) -> None:
    text = with_recipe_of_sweep("network: net", "network: convnet")
    for read in (read_sweep, load_params):
        (line,) = problems(read, tmp_path, text)
        assert line == (
            "partial-data: recipe.network should be net, which its stage is about, not convnet."
        )


@pytest.mark.faults
@pytest.mark.parametrize(
    ("old", "new", "stage", "networks"),
    [
        ("k: convnet", "k: net", "train-convnet", "convnet, which its stage is about, not net"),
        ("k: net\n", "k: convnet\n", "train-net", "net, which its stage is about, not convnet"),
    ],
)
def test_another_network_than_the_stages_name_promises_is_refused(
    tmp_path: Path, old: str, new: str, stage: str, networks: str
) -> None:
    for read in (partial(read_training_run, stage), load_params):
        (line,) = problems(read, tmp_path, edited(old, new))
        assert line == f"{stage}.network should be {networks}."


def test_the_network_of_a_recipe_is_held_against_its_stage() -> None:
    recipe = sweep().recipe
    check_network("train-net", recipe, "net")
    with pytest.raises(ValueError, match=r"train-convnet\.network should be convnet, which its"):
        check_network("train-convnet", recipe, "convnet")


@pytest.mark.faults
@pytest.mark.parametrize(
    "stage",
    [
        "train-resnet",
        "partial-data",
        "partial-data@",
        "partial-data@third",
        "partial-data-steps@half",
        "train-net@half",
        "",
    ],
)
def test_an_unknown_stage_is_refused_with_a_list_of_those_there_are(stage: str) -> None:
    known = ", ".join(train_stages(sweep()))
    assert known.startswith(", ".join([*TRAIN_STAGES, "partial-data@half, partial-data@quarter, "]))
    for find in (
        partial(read_training_run, path=PARAMS_FILE),
        sweep().training_run,
        load_params(PARAMS_FILE).training_run,
    ):
        with pytest.raises(UserError) as caught:
            find(stage)
        assert str(caught.value) == (
            f"'{stage}' is not a train stage; params.yaml has: {known}. "
            "The other stages have scripts of their own in stages/."
        )


@pytest.mark.faults
def test_a_missing_section_is_named_by_the_stage_that_needs_it(tmp_path: Path) -> None:
    text = OWN_TEXT.replace("train-net:", "train-nets:").replace("partial-data:", "partial:")
    for stage, section in (("train-net", "train-net"), ("partial-data@half", "partial-data")):
        read = partial(read_training_run, stage)
        assert problems(read, tmp_path, text) == [f"{section} is missing."]
