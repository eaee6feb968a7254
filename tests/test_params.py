import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from mnistpipe.errors import UserError
from mnistpipe.params import (
    PAIRS,
    TRAIN_STAGES,
    Affine,
    Params,
    TrainingRun,
    load_params,
    steps_sweep_stages,
    sweep_stages,
    train_stages,
)
from tests.conftest import PARAMS_FILE, ROOT

OWN_TEXT = PARAMS_FILE.read_text(encoding="utf-8")
# Left out of the comparison below: the write-up knows none of them.
NEW_IN_THIS_STUDY = {"min_steps", "precision", "seeds"}

AFFINE = "{degrees: 10.0, translation: 0.1, scale: 0.1, shear: 0.1}"
OTHERS = "[quarter, eighth, sixteenth]"


def problems(folder: Path, text: str | bytes) -> list[str]:
    """The lines of the error that the text gives, each without the file's name in front."""
    path = folder / "params.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UserError) as caught:
        load_params(path)
    lines = str(caught.value).splitlines()
    assert all(line.startswith(str(path)) for line in lines)
    return [line.removeprefix(str(path)).removeprefix(": ").strip() for line in lines]


def edited(old: str, new: str) -> str:
    """The repository's file with the first occurrence of a text replaced."""
    assert old in OWN_TEXT
    return OWN_TEXT.replace(old, new, 1)


def loaded(folder: Path, **replaced: str) -> Params:
    """The repository's file with new values for the keys' first lines."""
    text = OWN_TEXT
    for key, value in replaced.items():
        text, n = re.subn(rf"^(  {key}: ).*$", rf"\g<1>{value}", text, count=1, flags=re.MULTILINE)
        assert n == 1, key
    path = folder / "params.yaml"
    path.write_text(text, encoding="utf-8")
    return load_params(path)


def without_lines(first: str, after: str) -> str:
    """The repository's file without the lines from `first` up to `after`."""
    lines = OWN_TEXT.splitlines(keepends=True)
    start = next(i for i, line in enumerate(lines) if line.startswith(first))
    end = next(i for i, line in enumerate(lines) if i > start and line.startswith(after))
    return "".join(lines[:start] + lines[end:])


@pytest.mark.defaults
def test_the_repositorys_own_file_is_the_write_ups_study() -> None:
    assert load_params(ROOT / "params.yaml") == load_params(PARAMS_FILE), (
        "params.yaml is not the write-up's study any more. On a branch of your own that is as it "
        "should be: leave this test out with make test PYTEST_ARGS='-m \"not defaults\"'"
    )


def test_the_write_ups_study_has_its_recipes() -> None:
    params = load_params(PARAMS_FILE)
    shared = {
        "dropout": 0.5,
        "batch_size": 32,
        "test_batch_size": 1000,
        "step_epochs": 1,
        "gamma": 0.7,
        "schedule": "step",
        "warmup_fraction": None,
        "weight_decay": 0.0,
        "label_smoothing": 0.0,
        "weight_averaging": None,
        "affine": None,
    }
    convnet = shared | {"network": "convnet", "epochs": 20, "optimizer": "adadelta", "lr": 1.0}
    net = shared | {"network": "net", "epochs": 20, "optimizer": "rmsprop", "lr": 0.001}
    plain: dict[str, object] = {"views": ("original",), "rotation_degrees": None}
    blurred: dict[str, object] = {"views": ("original", "blur"), "rotation_degrees": None}
    all_views = {"views": ("original", "blur", "rotation"), "rotation_degrees": 15.0}

    def known(stage: str) -> dict[str, Any]:
        return params.training_run(stage).recipe.model_dump(exclude=NEW_IN_THIS_STUDY)

    assert known("train-convnet") == convnet | plain
    assert known("train-augmented") == convnet | blurred
    assert known("train-net") == net | plain
    assert known("train-net-augmented") == net | all_views
    assert known("partial-data@half") == net | all_views | {"epochs": 15}
    assert params.partial_data.fractions == {
        "half": 1 / 2,
        "quarter": 1 / 4,
        "eighth": 1 / 8,
        "sixteenth": 1 / 16,
    }
    assert params.learning_curve.model_dump() == {"bootstrap": 1000, "seed": 0}
    assert params.prepare_split.model_dump() == {"validation_fraction": 0.15, "seed": 0}
    assert params.data.model_dump() == {"dataset": "mnist", "fallback": "digits"}


def test_nothing_read_can_be_changed_afterwards() -> None:
    params = load_params(PARAMS_FILE)
    with pytest.raises(ValueError, match="frozen"):
        params.train_net.epochs = 1


@pytest.mark.faults
@pytest.mark.parametrize(
    ("old", "new", "key", "allowed"),
    [
        # keys
        ("data:\n", "data:\n  mirror: x\n", "data.mirror", "data knows: dataset, fallback."),
        ("data:\n", "plot: {}\ndata:\n", "plot", "the file knows: data, prepare-split, train-co"),
        ("  seed: 0\n", "", "prepare-split.seed", "is missing"),
        # types
        ("epochs: 20", "epochs: twenty", "train-convnet.epochs", "valid integer, not 'twenty'"),
        ("epochs: 20", "epochs: 20.0", "train-convnet.epochs", "valid integer, not 20.0"),
        ("epochs: 20", "epochs:", "train-convnet.epochs", "valid integer, not empty"),
        ("lr: 1.0", "lr: yes", "train-convnet.lr", "valid number, not True"),
        ("lr: 1.0", "lr: [1.0]", "train-convnet.lr", "valid number, not [1.0]"),
        ("lr: 1.0", "lr: 1e-3", "train-convnet.lr", "without quotes or exponent, like 0.001"),
        ("lr: 1.0", "lr: '1'", "train-convnet.lr", "without quotes or exponent, like 0.001"),
        ("[original]", "original", "train-convnet.views", "not 'original'"),
        # ranges
        ("epochs: 20", "epochs: 0", "train-convnet.epochs", "greater than or equal to 1, not 0"),
        ("batch_size: 32", "batch_size: 1", "train-convnet.batch_size", "or equal to 2, not 1"),
        ("dropout: 0.5", "dropout: 1.0", "train-convnet.dropout", "less than 1, not 1.0"),
        ("lr: 1.0", "lr: 0", "train-convnet.lr", "greater than 0, not 0"),
        ("lr: 1.0", "lr: .nan", "train-convnet.lr", "finite number, not nan"),
        ("lr: 1.0", "lr: .inf", "train-convnet.lr", "finite number, not inf"),
        ("lr: 1.0", "lr: -.inf", "train-convnet.lr", "finite number, not -inf"),
        ("gamma: 0.7", "gamma: 1.1", "train-convnet.gamma", "equal to 1 or null, not 1.1"),
        ("seed: 0", "seed: -1", "prepare-split.seed", "greater than or equal to 0, not -1"),
        ("seed: 0", "seed: 4294967296", "prepare-split.seed", "less than 4294967296"),
        ("n: 0.15", "n: 0", "prepare-split.validation_fraction", "greater than 0, not 0"),
        ("n: 0.15", "n: 1", "prepare-split.validation_fraction", "less than 1, not 1"),
        ("n: 0.15", "n: 1.5", "prepare-split.validation_fraction", "less than 1, not 1.5"),
        ("n: 0.15", "n: .nan", "prepare-split.validation_fraction", "finite number, not nan"),
        ("passes: [0,", "passes: [-1,", "robustness.blur_passes.0", "or equal to 0, not -1"),
        ("2, 3]", "2, 21]", "robustness.blur_passes.3", "less than or equal to 20, not 21"),
        ("2, 3]", "2, 2.5]", "robustness.blur_passes.3", "valid integer, not 2.5"),
        ("2, 3]", "2, yes]", "robustness.blur_passes.3", "valid integer, not True"),
        ("30, 45]", "30, 181]", "robustness.turn_degrees.3", "less than or equal to 180, not 181"),
        ("mistakes: 25", "mistakes: 9", "analyze.mistakes", "or equal to 16, not 9"),
        ("p: 1000", "p: 99", "learning-curve.bootstrap", "or equal to 100, not 99"),
        # words
        (": mnist ", ": cifar ", "data.dataset", "'mnist' or 'digits', not 'cifar'"),
        (": digits ", ": mnist ", "data.fallback", "'digits' or null, not 'mnist'"),
        ("adadelta\n", "adam\n", "train-convnet.optimizer", "'rmsprop' or 'adamw', not 'adam'"),
        ("[original]", "[blurr]", "train-convnet.views", "'rotation' or 'affine', not 'blurr'"),
        ("e: step\n", "e: cosine\n", "train-convnet.schedule", "'step' or 'one-cycle', not 'cos"),
        # views
        ("[original]", "[blur, blur]", "train-convnet: views", "each one once"),
        ("[original]", "[]", "train-convnet: views", "at least one view"),
        (
            "[original]",
            "[rotation]",
            "train-convnet: rotation_degrees",
            "set if views has rotation",
        ),
        ("degrees: null", "degrees: 15.0", "train-convnet: rotation_degrees", "and null if not"),
        ("[original]", "[affine]", "train-convnet: affine", "set if views has affine, and null"),
        ("affine: null", f"affine: {AFFINE}", "train-convnet: affine", "and null if not"),
        (
            "affine: null",
            "affine: {degrees: 1.0, translation: 0.1, scale: 0.1, shear: 0.1, zoom: 0.1}",
            "train-convnet.affine.zoom",
            "train-convnet.affine knows: degrees, translation, scale, shear",
        ),
        ("affine: null", "affine: 10.0", "train-convnet.affine", "or null, not 10.0"),
        ("affine: null", "affine: {shear: 0}", "train-convnet.affine.degrees", "is missing"),
        (
            "affine: null",
            f"affine: {AFFINE.replace('0.1', '0.6', 1)}",
            "train-convnet.affine.translation",
            "less than or equal to 0.5, not 0.6",
        ),
        # schedules
        ("epochs: 1\n", "epochs: null\n", "train-convnet: step_epochs", "set if schedule is step"),
        ("gamma: 0.7", "gamma: null", "train-convnet: gamma", "should be set if schedule is step"),
        (
            "warmup_fraction: null",
            "warmup_fraction: 0.2",
            "train-convnet: warmup_fraction",
            "set if schedule is one-cycle, and null if not",
        ),
        ("e: step\n", "e: one-cycle\n", "train-convnet: step_epochs", "schedule is step, and null"),
        # weights
        ("averaging: null", "averaging: 1.0", "train-convnet.weight_averaging", "less than 1"),
        ("averaging: null", "averaging: on", "train-convnet.weight_averaging", "number or null"),
        ("smoothing: 0.0", "smoothing: 1.0", "train-convnet.label_smoothing", "less than 1"),
        ("decay: 0.0", "decay: -0.1", "train-convnet.weight_decay", "or equal to 0, not -0.1"),
        # seeds
        ("seeds: [1]", "seeds: [1, 2, 1]", "train-convnet: seeds", "name each seed once"),
        ("seeds: [1]", "seeds: []", "train-convnet.seeds", "should not be empty"),
        ("seeds: [1]", "seeds: 1", "train-convnet.seeds", "not 1"),
        ("seeds: [1]", "seeds: [1, -1]", "train-convnet.seeds.1", "or equal to 0, not -1"),
        ("seeds: [1]  ", "seeds: [3, 3]  ", "partial-data: seeds", "name each seed once"),
        # the other sweep
        ("as_half: true", "as_half: 1", "partial-data.other_steps.as_half", "boolean, not 1"),
        ("    half: 0.5\n", "", "partial-data: other_steps.as_half", "needs half among the frac"),
        ("as_half: true", "as_half: false", "partial-data: other_steps.as_half", "if recipe.min_s"),
        ("    half: 0.5\n", "    half: 0.5\n    full: 0.9\n", "partial-data: frac", "none full"),
        (OTHERS, "[third]", "partial-data: other_steps.fractions", "fractions of the sweep, each"),
        (OTHERS, "[half, half]", "partial-data: other_steps.fractions", "of the sweep, each once"),
        (OTHERS, "[]", "partial-data.other_steps.fractions", "should not be empty"),
        # networks that are not what a stage's name promises
        ("k: convnet", "k: net", "train-convnet.network", "should be convnet"),
        ("k: net\n", "k: convnet\n", "train-net.network", "should be net"),
        ("k: convnet", "k: resnet", "train-convnet.network", "'convnet' or 'net', not 'resnet'"),
        # fractions
        ("half: 0.5", "Half: 0.5", "partial-data.fractions.Half", "lower-case letters, digits"),
        ("half: 0.5", "a/b: 0.5", "partial-data.fractions.a/b", "lower-case letters, digits"),
        ("half: 0.5", "half: 1.0", "partial-data.fractions.half", "less than 1, not 1.0"),
        # sections
        ("data:\n", "data: mnist\nold:\n", "data", "a section with keys of its own, not 'mnist'"),
    ],
)
def test_a_mistake_is_named_with_its_key_and_what_is_allowed(
    tmp_path: Path, old: str, new: str, key: str, allowed: str
) -> None:
    line = problems(tmp_path, edited(old, new))[0]
    assert line.startswith(key)
    assert allowed in line
    assert line.endswith(".")


@pytest.mark.faults
def test_one_mistake_is_one_line(tmp_path: Path) -> None:
    assert problems(tmp_path, edited("epochs: 20", "epochs: 20.5")) == [
        "train-convnet.epochs should be a valid integer, not 20.5."
    ]


@pytest.mark.faults
def test_strange_values_and_keys_are_still_one_line(tmp_path: Path) -> None:
    huge = "lr: 0x" + "f" * 5000
    (line,) = problems(tmp_path, edited("lr: 1.0", huge))
    assert line == "train-convnet.lr should be a valid number, not a very large number."
    (line,) = problems(tmp_path, edited("    half: 0.5", "    1: 0.5"))
    assert line == "partial-data.fractions.1 should be a name, not a number or the like."
    (line,) = problems(tmp_path, edited("  dataset: mnist", '  "a\\nb": 1\n  dataset: mnist'))
    assert line == "'data.a\\nb' is not a parameter; data knows: dataset, fallback."
    (line,) = problems(tmp_path, edited("rotation_degrees: null", "rotation_degrees: ten"))
    assert line.startswith("train-convnet.rotation_degrees should be a valid number or null, not")


@pytest.mark.faults
def test_a_mistyped_key_is_named_beside_the_one_that_is_missing(tmp_path: Path) -> None:
    missing, unknown = problems(tmp_path, edited("  epochs: 20", "  epoch: 20"))
    assert missing == "train-convnet.epochs is missing."
    assert unknown.startswith("train-convnet.epoch is not a parameter; train-convnet knows: ")
    assert ", epochs, " in unknown


@pytest.mark.faults
def test_a_missing_section_is_named(tmp_path: Path) -> None:
    assert problems(tmp_path, without_lines("prepare-split:", "train-convnet:")) == [
        "prepare-split is missing."
    ]


@pytest.mark.faults
@pytest.mark.parametrize("strengths", ["[]", "[0]", "[1, 2]", "[0, 2, 1]", "[0, 1, 1]", "[0, 0]"])
@pytest.mark.parametrize(
    ("key", "own"), [("blur_passes", "[0, 1, 2, 3]"), ("turn_degrees", "[0, 15, 30, 45]")]
)
def test_strengths_rise_from_zero(tmp_path: Path, key: str, own: str, strengths: str) -> None:
    assert problems(tmp_path, edited(f"{key}: {own}", f"{key}: {strengths}")) == [
        f"robustness: {key} should start with 0, the untouched images, and go on with at least "
        f"one number, each greater than the one before, not {strengths}."
    ]


def test_the_strengths_stand_by_their_kind() -> None:
    assert load_params(PARAMS_FILE).robustness.strengths == {
        "blur": (0, 1, 2, 3),
        "rotation": (0, 15, 30, 45),
    }


def test_the_pairs_are_the_train_stages_and_differ_in_their_views_alone() -> None:
    params = load_params(PARAMS_FILE)
    assert [stage for pair in PAIRS.values() for stage in pair] == [*TRAIN_STAGES]
    for network, pair in PAIRS.items():
        without, with_it = (params.training_run(stage).recipe for stage in pair)
        assert without.network == with_it.network == network
        assert set(without.views) < set(with_it.views)


@pytest.mark.faults
def test_a_sweep_without_fractions_is_refused(tmp_path: Path) -> None:
    (line,) = problems(tmp_path, without_lines("    half:", "  seeds:"))
    assert line.startswith("partial-data.fractions ")
    none = without_lines("  fractions:", "  seeds:").replace(
        "partial-data:\n", "partial-data:\n  fractions: {}\n"
    )
    (line,) = problems(tmp_path, none)
    assert line == "partial-data.fractions should not be empty."


@pytest.mark.faults
def test_the_sweeps_own_recipe_has_to_be_nets(tmp_path: Path) -> None:
    start, end = OWN_TEXT.split("  recipe:", 1)
    text = start + "  recipe:" + end.replace("network: net", "network: convnet", 1)
    (line,) = problems(tmp_path, text)
    assert line.startswith("partial-data.recipe.network should be net")


@pytest.mark.faults
def test_several_mistakes_give_a_line_each(tmp_path: Path) -> None:
    text = OWN_TEXT.replace("n: 0.15", "n: 2").replace("half: 0.5", "half: zero")
    text = text.replace("perplexity:", "perplexty:")
    keys = {line.split()[0] for line in problems(tmp_path, text)}
    assert keys == {
        "prepare-split.validation_fraction",
        "partial-data.fractions.half",
        "analyze.perplexity",
        "analyze.perplexty",
    }


@pytest.mark.faults
def test_a_key_that_stands_twice_is_refused(tmp_path: Path) -> None:
    (line,) = problems(tmp_path, edited("  seed: 0\n", "  seed: 0\n  seed: 1\n"))
    assert "the key 'seed' stands twice" in line
    (line,) = problems(tmp_path, edited("analyze:", "data:"))
    assert "the key 'data' stands twice" in line


@pytest.mark.faults
@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "should hold sections such as 'data:', not empty."),
        (b"# nothing but a comment\n", "should hold sections such as 'data:', not empty."),
        (b"- data\n- analyze\n", "should hold sections such as 'data:', not ['data', 'analyze']."),
        (b"mnist", "should hold sections such as 'data:', not 'mnist'."),
        (b"data: [1", "is not valid YAML: while parsing a flow sequence"),
        (b"data: a: b", "is not valid YAML: mapping values are not allowed here"),
        (b"\tdata: 1", "is not valid YAML: "),
        (b"data: \0", "is not valid YAML: unacceptable character"),
        (b"data: 2026-99-99", "is not valid YAML: month must be in 1..12"),
        (b"data: " + b"9" * 5000, "is not valid YAML: "),
        (b"[" * 600, "is not valid YAML: "),
        (b"data: !!python/object/apply:os.getcwd []", "is not valid YAML: could not determine"),
        (b"data: !!bool foo", "is not valid YAML: "),
        (b"data: !!timestamp foo", "is not valid YAML: "),
        (b'data: !!int ""', "is not valid YAML: "),
        (b"data: caf\xe9", "is not UTF-8 text."),
    ],
    ids=lambda value: value[:20] if isinstance(value, bytes) else "",
)
def test_a_file_of_another_kind_is_refused_in_one_line(
    tmp_path: Path, content: bytes, sentence: str
) -> None:
    (line,) = problems(tmp_path, content)
    assert line.startswith(sentence)


@pytest.mark.faults
def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"/params\.yaml cannot be read: No such file"):
        load_params(tmp_path / "params.yaml")
    with pytest.raises(UserError, match="cannot be read: Is a directory"):
        load_params(tmp_path)


def test_a_recipe_may_follow_one_cycle_and_average_its_weights(tmp_path: Path) -> None:
    recipe = loaded(
        tmp_path,
        views="[original, affine]",
        affine=AFFINE,
        optimizer="adamw",
        schedule="one-cycle",
        step_epochs="null",
        gamma="null",
        warmup_fraction="0.2",
        weight_averaging="0.999",
        seeds="[3, 1, 2]",
    ).train_convnet
    assert recipe.affine == Affine(degrees=10.0, translation=0.1, scale=0.1, shear=0.1)
    assert (recipe.warmup_fraction, recipe.gamma, recipe.weight_averaging) == (0.2, None, 0.999)
    assert recipe.seeds == (3, 1, 2)  # the first of them is the one that is saved


def test_the_other_sweep_may_take_no_more_updates_than_its_images_give(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    text = edited("as_half: true", "as_half: false").replace("    half: 0.5", "    third: 0.3333")
    start, recipe = text.split("  recipe:", 1)
    path.write_text(f"{start}  recipe:{recipe.replace('min_steps: 0', 'min_steps: 5000', 1)}")
    params = load_params(path)
    assert params.training_run("partial-data@eighth").recipe.min_steps == 5000
    wanted = params.training_run("partial-data-steps@eighth")
    assert (wanted.steps_of, wanted.recipe.min_steps) == (None, 0)
    assert steps_sweep_stages(params) == [
        f"partial-data-steps@{name}" for name in ("quarter", "eighth", "sixteenth")
    ]
    assert sweep_stages(params)[0] == "partial-data@third"
    assert train_stages(params) == [
        *TRAIN_STAGES,
        *sweep_stages(params),
        *steps_sweep_stages(params),
    ]


def test_each_stage_has_its_recipe_and_fraction() -> None:
    params = load_params(PARAMS_FILE)
    for stage in TRAIN_STAGES:
        section = getattr(params, stage.replace("-", "_"))
        assert params.training_run(stage) == TrainingRun(section, (1,), 1.0, stage, None)
    partial = params.partial_data
    for name, fraction in partial.fractions.items():
        key = f"partial-data.fractions.{name}"
        run = TrainingRun(partial.recipe, (1,), fraction, key, steps_of=None)
        assert params.training_run(f"partial-data@{name}") == run
        if name in partial.other_steps.fractions:
            as_half = replace(run, steps_of=0.5)
            assert params.training_run(f"partial-data-steps@{name}") == as_half


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
    params = load_params(PARAMS_FILE)
    with pytest.raises(UserError) as caught:
        params.training_run(stage)
    known = ", ".join([*TRAIN_STAGES, "partial-data@half, partial-data@quarter"])
    assert f"'{stage}' is not a train stage; params.yaml has: {known}, " in str(caught.value)


def leaves(tree: dict[str, Any], place: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from leaves(value, (*place, key))
        else:
            yield (*place, key)


JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=10**300, max_value=10**400)
    | st.floats()
    | st.text(max_size=80)
    | st.sampled_from(["original", "1e-3", "0x10", "net", "2026-01-01"]),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=5,
)


@pytest.mark.faults
@settings(max_examples=60, deadline=None)
@given(place=st.sampled_from(list(leaves(yaml.safe_load(OWN_TEXT)))), junk=JUNK)
def test_any_value_in_any_place_loads_or_is_refused(
    tmp_path_factory: pytest.TempPathFactory, place: tuple[str, ...], junk: object
) -> None:
    tree = yaml.safe_load(OWN_TEXT)
    section = tree
    for key in place[:-1]:
        section = section[key]
    section[place[-1]] = junk
    path = tmp_path_factory.mktemp("junk") / "params.yaml"
    path.write_text(yaml.safe_dump(tree), encoding="utf-8")
    try:
        params = load_params(path)
    except UserError as error:
        assert str(error).startswith(f"{path}: {place[0]}")  # noqa: PT017 (to load is right too)
    else:
        assert isinstance(params, Params)


LINES = OWN_TEXT.encode().splitlines(keepends=True)
NAMED = [i for i, line in enumerate(LINES) if re.match(rb" *[a-z][\w-]*:", line)]
BAD_VALUES = [
    *("1e-3", "yes", "no", "~", "''", "'1'", ".nan", ".inf", "-.inf", "-1", "0", "1.5", "0x10"),
    *(
        "9" * 400,
        "1" * 5000,
        "1e999",
        "1_000",
        "010",
        "1:30",
        "2026-01-01",
        "2026-99-99",
        "=",
        "<<",
        "!!map [a]",
        "!!set [a]",
        ":".join(["1"] * 200) + ".5",
    ),
    *(
        "[]",
        "{}",
        "[[1]]",
        "{a: {b: 1}}",
        "[" * 200 + "]" * 200,
        "[" * 900,
        "{a: " * 100 + "}" * 100,
    ),
    *("&x [*x]", "&x {a: *x}", "*nowhere", "{<<: {a: 1}}", "{<<: 1}", "&x {<<: *x}", "{? [a] : 1}"),
    *(
        "!!int x",
        "!!float {}",
        "!!binary x",
        "!!python/object:os.system {}",
        "!mine 1",
        "!!omap [a]",
    ),
    *("[original, original]", "'", '"', "|", "a: b: c", "- 1", "%", "@", "`", "\t", "\0", "\x7f"),
]


@st.composite
def mutated_files(draw: st.DrawFn) -> bytes:
    """The valid file with something wrong, or harmless, at a place or two."""
    lines = list(LINES)
    for _ in range(draw(st.integers(1, 2))):
        place = draw(st.sampled_from([i for i in NAMED if i < len(lines)]))
        before, _, _ = lines[place].partition(b":")
        indent = before[: len(before) - len(before.lstrip())]
        value = draw(st.sampled_from(BAD_VALUES)).encode()
        match draw(st.integers(0, 8)):
            case 0 | 1 | 2:
                lines[place] = before + b": " + value + b"\n"
            case 3:
                lines.insert(place, indent + b"unknown: " + value + b"\n")
            case 4:
                lines.insert(place, lines[place])
            case 5:
                lines[place] = b""
            case 6:
                lines[place] = draw(st.sampled_from([b" ", b"  ", b"\t"])) + lines[place]
            case 7:
                byte = draw(st.integers(0, len(lines[place])))
                junk = draw(st.binary(min_size=1, max_size=2))
                lines[place] = lines[place][:byte] + junk + lines[place][byte:]
            case _:
                lines = [b"".join(lines)[: draw(st.integers(0, len(OWN_TEXT)))]]
                break
    return b"".join(lines)


@pytest.mark.faults
@settings(max_examples=150, deadline=None)
@given(content=mutated_files())
def test_any_change_of_the_text_loads_or_is_refused_by_its_key(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "mutated.yaml"
    path.write_bytes(content)
    try:
        params = load_params(path)
    except UserError as error:
        for line in str(error).splitlines():
            assert line.startswith(str(path))
            said = line.removeprefix(str(path))
            if re.match(" (is not valid YAML: |is not UTF-8 text|should hold sections)", said):
                continue
            named = re.match(r": '?([\w-]+)", said)
            assert named, line
            sections = {field.alias or key for key, field in Params.model_fields.items()}
            assert named[1] in sections | {"unknown"} or named[1].encode() in content, line
    else:
        assert isinstance(params, Params)
