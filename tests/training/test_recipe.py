from functools import partial
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from mnistpipe.files.sections import read_section
from mnistpipe.training.recipe import (
    Affine,
    Blur,
    OneCycle,
    OptimizerParams,
    Original,
    Recipe,
    Rotation,
    Schedule,
    Step,
    TrainSection,
    View,
    check_distinct,
)
from tests.mistakes import edited, problems, written

TEXT = """\
train-net:
  network: net
  dropout: 0.5
  views:
  - name: original
  - name: rotation
    degrees: 15.0
  epochs: 20
  min_steps: 1500
  batch_size: 32
  lr: 1.0
  optimizer: {name: adadelta, weight_decay: 0.0}
  schedule: {name: step, step_epochs: 1, gamma: 0.7}
  label_smoothing: 0.0
  seeds:
  - 1
  precision: auto
"""
VIEWS = """\
  views:
  - name: original
  - name: rotation
    degrees: 15.0
"""
AFFINE = "- {name: affine, degrees: 10.0, translation: 0.1, scale: 0.1, shear: 0.1}"
STEP = "{name: step, step_epochs: 1, gamma: 0.7}"
VIEW_NAMES = "'original', 'blur', 'rotation' or 'affine'"

read = partial(read_section, "train-net", TrainSection)


def test_a_recipe_is_read_as_it_stands_there(tmp_path: Path) -> None:
    assert read(written(tmp_path, TEXT)) == TrainSection(
        network="net",
        dropout=0.5,
        views=(Original(name="original"), Rotation(name="rotation", degrees=15.0)),
        epochs=20,
        min_steps=1500,
        batch_size=32,
        lr=1.0,
        optimizer=OptimizerParams(name="adadelta", weight_decay=0.0),
        schedule=Step(name="step", step_epochs=1, gamma=0.7),
        label_smoothing=0.0,
        validation_too=False,
        test_time_draws=0,
        seeds=(1,),
        precision="auto",
    )


def test_a_recipe_may_follow_one_cycle_and_train_on_the_validation_images(tmp_path: Path) -> None:
    text = edited(VIEWS, f"  views:\n  - name: blur\n  {AFFINE}\n", TEXT)
    text = edited("{name: adadelta, weight_decay: 0.0}", "{name: adamw, weight_decay: 0.05}", text)
    text = edited(STEP, "{name: one-cycle, warmup_fraction: 0.2}", text)
    text = edited("  seeds:\n  - 1\n", "  seeds: [3, 1, 2]\n  validation_too: true\n", text)
    text += "  test_time_draws: 16\n"
    recipe = read(written(tmp_path, text))
    assert recipe.views == (
        Blur(name="blur"),
        Affine(name="affine", degrees=10.0, translation=0.1, scale=0.1, shear=0.1),
    )
    assert recipe.optimizer == OptimizerParams(name="adamw", weight_decay=0.05)
    assert recipe.schedule == OneCycle(name="one-cycle", warmup_fraction=0.2)
    assert recipe.validation_too
    assert recipe.test_time_draws == 16
    assert recipe.seeds == (3, 1, 2)  # the first of them is the one that is saved


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (View, {"name": "original"}),
        (View, {"name": "blur"}),
        (View, {"name": "rotation", "degrees": 180.0}),
        (View, {"name": "affine", "degrees": 0.0, "translation": 0.0, "scale": 0.0, "shear": 0.0}),
        (View, {"name": "affine", "degrees": 180, "translation": 0.5, "scale": 0.5, "shear": 1}),
        (Schedule, {"name": "step", "step_epochs": 10_000, "gamma": 1.0}),
        (Schedule, {"name": "one-cycle", "warmup_fraction": 0.01}),
        (OptimizerParams, {"name": "rmsprop", "weight_decay": 1_000.0}),
    ],
)
def test_whatever_is_allowed_is_written_out_as_it_was_read(
    kind: type[object], content: dict[str, object]
) -> None:
    read_again: TypeAdapter[object] = TypeAdapter(kind)
    model = read_again.validate_python(content)
    assert read_again.dump_python(model) == content
    assert read_again.validate_python(read_again.dump_python(model)) == model


@pytest.mark.faults
@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        # types and ranges
        ("epochs: 20", "epochs: twenty", ".epochs should be a valid integer, not 'twenty'"),
        ("epochs: 20", "epochs: 20.0", ".epochs should be a valid integer, not 20.0"),
        ("epochs: 20", "epochs:", ".epochs should be a valid integer, not empty"),
        ("epochs: 20", "epochs: 0", ".epochs should be greater than or equal to 1, not 0"),
        ("epochs: 20", "epochs: 10001", ".epochs should be less than or equal to 10000, not 10001"),
        ("min_steps: 1500", "min_steps: -1", ".min_steps should be greater than or equal to 0"),
        ("batch_size: 32", "batch_size: 1", ".batch_size should be greater than or equal to 2,"),
        ("dropout: 0.5", "dropout: 1.0", ".dropout should be less than 1, not 1.0"),
        ("lr: 1.0", "lr: yes", ".lr should be a valid number, not True"),
        ("lr: 1.0", "lr: [1.0]", ".lr should be a valid number, not [1.0]"),
        ("lr: 1.0", "lr: 1e-3", ".lr should be a valid number, not '1e-3' (YAML reads it as text:"),
        ("lr: 1.0", "lr: '1'", ".lr should be a valid number, not '1' (YAML reads it as text:"),
        ("lr: 1.0", "lr: 0", ".lr should be greater than 0, not 0"),
        ("lr: 1.0", "lr: .nan", ".lr should be a finite number, not nan"),
        ("lr: 1.0", "lr: .inf", ".lr should be a finite number, not inf"),
        ("lr: 1.0", "lr: -.inf", ".lr should be a finite number, not -inf"),
        # words
        ("k: net", "k: resnet", ".network should be 'convnet' or 'net', not 'resnet'"),
        ("n: auto", "n: fp16", ".precision should be 'auto', 'fp32' or 'bf16', not 'fp16'"),
        # views
        ("- name: original", "- name: blurr", f".views.0.name should be {VIEW_NAMES}, not "),
        (
            "- name: original",
            "- original",
            f".views.0 should be a section with a name, {VIEW_NAMES}, not 'original'",
        ),
        ("- name: original", "- {}", f".views.0.name is missing, which should be {VIEW_NAMES}"),
        (
            "- name: original",
            "- {name: blur, degrees: 1.0}",
            ".views.0.degrees is not a parameter; train-net.views.0 knows: name",
        ),
        ("- name: original", "- {name: rotation, degrees: 1.0}", ": views should name each view o"),
        (VIEWS, "  views: []\n", ".views should not be empty"),
        (VIEWS, "  views:\n", ".views should be a valid tuple, not empty"),
        (VIEWS, "  views: original\n", ".views should be a valid tuple, not 'original'"),
        (VIEWS, "  views: {name: blur}\n", ".views should be a valid tuple, not {'name': 'blur'}"),
        ("    degrees: 15.0\n", "", ".views.1.degrees is missing"),
        ("es: 15.0", "es: 0", ".views.1.degrees should be greater than 0, not 0"),
        ("es: 15.0", "es: 181", ".views.1.degrees should be less than or equal to 180, not 181"),
        ("es: 15.0", "es: 1e1", ".views.1.degrees should be a valid number, not '1e1' (YAML reads"),
        (
            "es: 15.0",
            "es: 15.0\n    shear: 0.1",
            ".views.1.shear is not a parameter; train-net.views.1 knows: name, degrees",
        ),
        (
            "- name: original",
            AFFINE.replace("}", ", zoom: 0.1}"),
            ".views.0.zoom is not a parameter; train-net.views.0 knows: name, degrees, "
            "translation, scale, shear",
        ),
        (
            "- name: original",
            AFFINE.replace("0.1", "0.6", 1),
            ".views.0.translation should be less than or equal to 0.5, not 0.6",
        ),
        ("- name: original", AFFINE.replace(", shear: 0.1", ""), ".views.0.shear is missing"),
        # optimizers
        (
            "{name: adadelta, weight_decay: 0.0}",
            "adadelta",
            ".optimizer should be a section with a name, 'adadelta', 'rmsprop' or 'adamw', not 'a",
        ),
        ("adadelta,", "adam,", ".optimizer.name should be 'adadelta', 'rmsprop' or 'adamw', not '"),
        ("name: adadelta, ", "", ".optimizer.name is missing"),
        (", weight_decay: 0.0", "", ".optimizer.weight_decay is missing"),
        ("decay: 0.0", "decay: -0.1", ".optimizer.weight_decay should be greater than or equal to"),
        (
            "decay: 0.0",
            "decay: 0.0, rho: 0.9",
            ".optimizer.rho is not a parameter; train-net.optimizer knows: name, weight_decay",
        ),
        # schedules
        (STEP, "step", ".schedule should be a section with a name, 'step' or 'one-cycle', not 's"),
        (STEP, "", ".schedule should be a section with a name, 'step' or 'one-cycle', not empty"),
        ("name: step, s", "s", ".schedule.name is missing, which should be 'step' or 'one-cycle'"),
        ("e: step,", "e: cosine,", ".schedule.name should be 'step' or 'one-cycle', not 'cosine'"),
        ("step_epochs: 1, ", "", ".schedule.step_epochs is missing"),
        ("s: 1,", "s: 0,", ".schedule.step_epochs should be greater than or equal to 1, not 0"),
        ("gamma: 0.7", "gamma: null", ".schedule.gamma should be a valid number, not empty"),
        ("gamma: 0.7", "gamma: 1.1", ".schedule.gamma should be less than or equal to 1, not 1.1"),
        (
            "gamma: 0.7",
            "gamma: 0.7, warmup_fraction: 0.2",
            ".schedule.warmup_fraction is not a parameter; train-net.schedule knows: name, step_e",
        ),
        (
            STEP,
            "{name: one-cycle, warmup_fraction: 0.2, gamma: 0.7}",
            ".schedule.gamma is not a parameter; train-net.schedule knows: name, warmup_fraction",
        ),
        (
            STEP,
            "{name: one-cycle, warmup_fraction: 1.0}",
            ".schedule.warmup_fraction should be less than 1, not 1.0",
        ),
        (STEP, "{name: one-cycle}", ".schedule.warmup_fraction is missing"),
        # labels, and whose
        (
            "smoothing: 0.0",
            "smoothing: 0.0\n  validation_too: 1",
            ".validation_too should be a valid boolean, not 1",
        ),
        (
            "smoothing: 0.0",
            "smoothing: 0.0\n  test_time_draws: -1",
            ".test_time_draws should be greater than or equal to 0, not -1",
        ),
        ("smoothing: 0.0", "smoothing: 1.0", ".label_smoothing should be less than 1, not 1.0"),
        # seeds
        ("seeds:\n  - 1", "seeds: [1, 2, 1]", ": seeds should name each seed once"),
        ("seeds:\n  - 1", "seeds: []", ".seeds should not be empty"),
        ("seeds:\n  - 1", "seeds: 1", ".seeds should be a valid tuple, not 1"),
        ("seeds:\n  - 1", "seeds: [1, -1]", ".seeds.1 should be greater than or equal to 0, not -"),
        ("seeds:\n  - 1", "seeds: [-1]", ".seeds.0 should be greater than or equal to 0, not -1"),
        ("  seeds:\n  - 1\n", "", ".seeds is missing"),
    ],
)
def test_a_mistake_is_named_with_its_key_and_what_is_allowed(
    tmp_path: Path, old: str, new: str, line: str
) -> None:
    (alone,) = problems(read, tmp_path, edited(old, new, TEXT))
    assert alone.startswith(f"train-net{line}")


@pytest.mark.faults
def test_what_another_schedule_takes_is_named_beside_what_is_missing(tmp_path: Path) -> None:
    lines = problems(read, tmp_path, edited("name: step,", "name: one-cycle,", TEXT))
    unknown = "is not a parameter; train-net.schedule knows: name, warmup_fraction."
    assert lines == [
        "train-net.schedule.warmup_fraction is missing.",
        f"train-net.schedule.step_epochs {unknown}",
        f"train-net.schedule.gamma {unknown}",
    ]


@pytest.mark.faults
def test_keys_of_former_recipes_are_each_named_as_unknown(tmp_path: Path) -> None:
    former = "  warmup_fraction: null\n  rotation_degrees: 15.0\n  test_batch_size: 1000\n"
    lines = problems(read, tmp_path, f"{TEXT}{former}")
    assert [line.partition(";")[0] for line in lines] == [
        f"train-net.{key} is not a parameter"
        for key in ("warmup_fraction", "rotation_degrees", "test_batch_size")
    ]


def test_seeds_are_no_part_of_the_recipe_itself(tmp_path: Path) -> None:
    (line,) = problems(partial(read_section, "train-net", Recipe), tmp_path, TEXT)
    assert line.startswith("train-net.seeds is not a parameter; train-net knows: network, dropout")
    assert Recipe.model_fields.keys() == TrainSection.model_fields.keys() - {"seeds"}


def test_a_seed_that_stands_twice_would_count_one_network_twice() -> None:
    check_distinct((3, 1, 2))
    with pytest.raises(ValueError, match="seeds should name each seed once"):
        check_distinct((3, 1, 3))
