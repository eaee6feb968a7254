"""The whole of params.yaml, and the rules of its small sections."""

import ast
import copy
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mnistpipe import study
from mnistpipe.analysis.params import Analyze
from mnistpipe.confidence.params import Confidence
from mnistpipe.data.params import Data, PrepareSplit
from mnistpipe.files.errors import UserError
from mnistpipe.files.sections import Section, read_section
from mnistpipe.learning_curve.params import DenseCurve, LearningCurve
from mnistpipe.robustness.params import Robustness
from mnistpipe.study import Params, load_params, scripts_with_sections
from mnistpipe.training.plan import (
    SWEEP,
    TRAIN_STAGES,
    Own,
    PartialData,
    read_training_run,
    train_stages,
)
from mnistpipe.training.recipe import TrainSection
from tests.conftest import PARAMS_FILE, ROOT
from tests.mistakes import OWN_TEXT, edited, problems

TREE: dict[str, Any] = yaml.safe_load(OWN_TEXT)
# Left out of the comparison below: the write-up knows none of them.
NEW_IN_THIS_STUDY = {"min_steps", "precision", "seeds"}
SECTIONS: dict[str, type[Section]] = {
    "data": Data,
    "prepare-split": PrepareSplit,
    **dict.fromkeys(TRAIN_STAGES, TrainSection),
    "partial-data": PartialData,
    "own": Own,
    "dense-curve": DenseCurve,
    "learning-curve": LearningCurve,
    "analyze": Analyze,
    "robustness": Robustness,
    "confidence": Confidence,
}


def without_lines(first: str, after: str) -> str:
    """The tests' file without the lines from `first` up to `after`."""
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
        "schedule": {"name": "step", "step_epochs": 1, "gamma": 0.7},
        "label_smoothing": 0.0,
        "validation_too": False,
        "test_time_draws": 0,
    }
    adadelta = {"name": "adadelta", "weight_decay": 0.0}
    rmsprop = {"name": "rmsprop", "weight_decay": 0.0}
    convnet = shared | {"network": "convnet", "epochs": 20, "optimizer": adadelta, "lr": 1.0}
    net = shared | {"network": "net", "epochs": 20, "optimizer": rmsprop, "lr": 0.001}
    original, blur = {"name": "original"}, {"name": "blur"}
    plain: dict[str, object] = {"views": (original,)}
    blurred: dict[str, object] = {"views": (original, blur)}
    all_views: dict[str, object] = {
        "views": (original, blur, {"name": "rotation", "degrees": 15.0})
    }

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
    assert params.data.model_dump() == {
        "dataset": "mnist",
        "fallback": "digits",
        "folder": "data/images",
        "prepare": "resize",
    }


def test_a_section_whose_model_stands_in_its_stages_script_is_left_to_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "params.yaml"
    file.write_text(OWN_TEXT + "\nour-own: {bins: 3}\n", encoding="utf-8")
    assert scripts_with_sections() == []
    with pytest.raises(UserError, match="our-own"):
        load_params(file)
    monkeypatch.setattr(study, "ROOT", tmp_path)
    script = tmp_path / "stages" / "our_own.py"
    script.parent.mkdir()
    script.write_text("def main() -> None: ...\n", encoding="utf-8")
    with pytest.raises(UserError, match="our-own"):
        load_params(file)
    script.write_text("class OurOwn(Section): ...\n", encoding="utf-8")
    assert load_params(file) == load_params(PARAMS_FILE)


def test_nothing_read_can_be_changed_afterwards() -> None:
    params = load_params(PARAMS_FILE)
    with pytest.raises(ValueError, match="frozen"):
        params.train_net.epochs = 1


def test_the_whole_file_has_what_each_section_says_alone() -> None:
    params = load_params(PARAMS_FILE)
    for field, key in zip(Params.model_fields, SECTIONS, strict=True):
        assert Params.model_fields[field].alias in (key, None)
        assert getattr(params, field) == read_section(key, SECTIONS[key], PARAMS_FILE)
    assert list(TREE) == list(SECTIONS)
    assert params.train_stages == train_stages(params.partial_data)
    for stage in params.train_stages:
        assert params.training_run(stage) == read_training_run(stage, PARAMS_FILE)


@pytest.mark.faults
@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        # data
        ("data:\n", "data:\n  mirror: x\n", "data.mirror is not a parameter; data knows: dataset,"),
        (
            ": mnist ",
            ": cifar ",
            "data.dataset should be 'mnist', 'fashion-mnist', 'kmnist', 'emnist-digits', "
            "'emnist-letters', 'emnist-balanced', 'digits' or 'folder', not 'cifar'",
        ),
        (": digits ", ": mnist ", "data.fallback should be 'digits' or null, not 'mnist'"),
        ("  fallback: digits ", "# ", "data.fallback is missing"),
        ("  prepare: resize ", "# ", "data.prepare is missing"),
        ("folder: data/images", "folder: null", "data.folder should be"),
        ("prepare: resize", "prepare: crop", "data.prepare should be 'resize' or 'mnist', not"),
        # the split
        ("  seed: 0\n", "", "prepare-split.seed is missing"),
        ("seed: 0", "seed: -1", "prepare-split.seed should be greater than or equal to 0, not -1"),
        ("seed: 0", "seed: 4294967296", "prepare-split.seed should be less than 4294967296"),
        ("n: 0.15", "n: 0", "prepare-split.validation_fraction should be greater than 0, not 0"),
        ("n: 0.15", "n: 1", "prepare-split.validation_fraction should be less than 1, not 1"),
        ("n: 0.15", "n: 1.5", "prepare-split.validation_fraction should be less than 1, not 1.5"),
        ("n: 0.15", "n: .nan", "prepare-split.validation_fraction should be a finite number, not "),
        # recipes
        ("epochs: 20", "epochs: 20.5", "train-convnet.epochs should be a valid integer, not 20.5"),
        (
            "lr: 1.0",
            "lr: 1e-3",
            "train-convnet.lr should be a valid number, not '1e-3' (YAML reads",
        ),
        (
            "gamma: 0.7",
            "gamma: 1.1",
            "train-convnet.schedule.gamma should be less than or equal to",
        ),
        (
            "adadelta,",
            "sgd,",
            "train-convnet.optimizer.name should be 'adadelta', 'rmsprop' or 'ad",
        ),
        (
            "- name: blur\n",
            "- name: blurr\n",
            "train-augmented.views.1.name should be 'original', ",
        ),
        (
            "s: 15.0",
            "s: 190.0",
            "train-net-augmented.views.2.degrees should be less than or equal ",
        ),
        ("half: 0.5", "half: 1.0", "partial-data.fractions.half should be less than 1, not 1.0"),
        (
            "sizes: []",
            "sizes: [{images: 100, seeds: 0}]",
            "dense-curve.sizes.0.seeds should be greater than or equal to 1, not 0",
        ),
        (
            "sizes: []",
            "sizes: [{images: 100, seeds: 1}, {images: 100, seeds: 2}]",
            "dense-curve: sizes should name each number of images once",
        ),
        # what is made of the networks
        (
            "p: 1000",
            "p: 99",
            "learning-curve.bootstrap should be greater than or equal to 100, not",
        ),
        (
            "p: 1000",
            "p: 100001",
            "learning-curve.bootstrap should be less than or equal to 100000,",
        ),
        (
            "mistakes: 25",
            "mistakes: 9",
            "analyze.mistakes should be greater than or equal to 16, n",
        ),
        (
            "mistakes: 25",
            "mistakes: 101",
            "analyze.mistakes should be less than or equal to 100, n",
        ),
        (
            "neighbours: 8",
            "neighbours: 0",
            "analyze.neighbours should be greater than or equal to ",
        ),
        ("y: 30.0", "y: 1.5", "analyze.perplexity should be greater than or equal to 2, not 1.5"),
        ("  - 3\n", "  - 2.5\n", "robustness.blur_passes.3 should be a valid integer, not 2.5"),
        (
            "  - 45\n",
            "  - 181\n",
            "robustness.turn_degrees.3 should be less than or equal to 180, ",
        ),
        (
            "  - 45\n",
            "  - 1\n",
            "robustness: turn_degrees should start with 0, the untouched image",
        ),
    ],
)
def test_a_mistake_is_named_with_its_key_and_what_is_allowed(
    tmp_path: Path, old: str, new: str, line: str
) -> None:
    text = edited(old, new)
    (of_the_file,) = problems(load_params, tmp_path, text)
    assert of_the_file.startswith(line)
    key = re.split(r"[.:]", line)[0]
    assert problems(partial(read_section, key, SECTIONS[key]), tmp_path, text) == [of_the_file]


@pytest.mark.faults
def test_what_is_no_section_is_said_to_be_none(tmp_path: Path) -> None:
    known = ", ".join(SECTIONS)
    wrong, unknown = problems(load_params, tmp_path, edited("data:\n", "data: mnist\nold:\n"))
    assert wrong == "data should be a section with keys of its own, not 'mnist'."
    assert unknown == f"old is not a parameter; the file knows: {known}."
    (line,) = problems(load_params, tmp_path, edited("data:\n", "plot: {}\ndata:\n"))
    assert line == f"plot is not a parameter; the file knows: {known}."


@pytest.mark.faults
def test_one_mistake_is_one_line(tmp_path: Path) -> None:
    assert problems(load_params, tmp_path, edited("epochs: 20", "epochs: 20.5")) == [
        "train-convnet.epochs should be a valid integer, not 20.5."
    ]


@pytest.mark.faults
@pytest.mark.parametrize("key", SECTIONS)
def test_a_missing_section_is_named(tmp_path: Path, key: str) -> None:
    keys = [*SECTIONS, "the end"]
    after = keys[keys.index(key) + 1]
    text = without_lines(f"{key}:", f"{after}:") if after in SECTIONS else OWN_TEXT.split(key)[0]
    assert problems(load_params, tmp_path, text) == [f"{key} is missing."]


@pytest.mark.faults
def test_another_network_than_a_stages_name_promises_is_refused(tmp_path: Path) -> None:
    for stage in TRAIN_STAGES:
        own, other = ("net", "convnet") if "-net" in stage else ("convnet", "net")
        old, new = (f"{stage}:\n  network: {name}\n" for name in (own, other))
        assert problems(load_params, tmp_path, edited(old, new)) == [
            f"{stage}.network should be {own}, which its stage is about, not {other}."
        ]


@pytest.mark.faults
def test_several_mistakes_give_a_line_each(tmp_path: Path) -> None:
    text = edited("n: 0.15", "n: 2", edited("half: 0.5", "half: zero"))
    text = edited("perplexity:", "perplexty:", text)
    keys = {line.split()[0] for line in problems(load_params, tmp_path, text)}
    assert keys == {
        "prepare-split.validation_fraction",
        "partial-data.fractions.half",
        "analyze.perplexity",
        "analyze.perplexty",
    }


@pytest.mark.faults
@pytest.mark.parametrize("stage", ["train-resnet", f"{SWEEP}@third", "train-net@half"])
def test_an_unknown_stage_is_refused(stage: str) -> None:
    with pytest.raises(UserError, match=f"'{stage}' is not a train stage; params.yaml has: train-"):
        load_params(PARAMS_FILE).training_run(stage)


Place = tuple[str | int, ...]


def leaves(tree: Any, place: Place = ()) -> Iterator[Place]:  # noqa: ANN401 (whatever YAML holds)
    """Where the values stand, and the sections and lists that hold them."""
    if place:
        yield place
    if isinstance(tree, dict | list):
        for key in tree if isinstance(tree, dict) else range(len(tree)):
            yield from leaves(tree[key], (*place, key))


JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=10**300, max_value=10**400)
    | st.floats()
    | st.text(max_size=80)
    | st.sampled_from(["original", "step", "name", "1e-3", "0x10", "net", "2026-01-01"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=8) | st.just("name"), inner, max_size=3)
    ),
    max_leaves=5,
)


@pytest.mark.faults
@settings(max_examples=60, deadline=None)
@given(place=st.sampled_from(list(leaves(TREE))), junk=JUNK)
def test_any_value_in_any_place_loads_or_is_refused(
    tmp_path_factory: pytest.TempPathFactory, place: Place, junk: object
) -> None:
    tree = copy.deepcopy(TREE)
    section: Any = tree
    for key in place[:-1]:
        section = section[key]
    section[place[-1]] = junk
    path = tmp_path_factory.getbasetemp() / "junk.yaml"
    path.write_text(yaml.safe_dump(tree), encoding="utf-8")
    try:
        params = load_params(path)
    except UserError as error:
        for line in str(error).splitlines():
            # Quoted where a key cannot be printed, by either mark.
            assert re.match(rf"{re.escape(str(path))}: ['\"]?{place[0]}\b", line)
    else:
        assert isinstance(params, Params)


LINES = OWN_TEXT.encode().splitlines(keepends=True)
NAMED = [i for i, line in enumerate(LINES) if re.match(rb" *(- )?[a-z\d][\w-]*(:|\n)", line)]
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
    *(
        "{name: step}",
        "{name: []}",
        "{name: {name: blur}}",
        "{? {name: blur}}",
        "&x {name: *x}",
        "!!set {name}",
        "!!binary bmFtZQ==",
        "[{name: blur}, {name: blur}]",
    ),
]


@st.composite
def mutated_files(draw: st.DrawFn) -> bytes:
    """The valid file with something wrong, or harmless, at a place or two."""
    lines = list(LINES)
    for _ in range(draw(st.integers(1, 2))):
        place = draw(st.sampled_from([i for i in NAMED if i < len(lines)]))
        before, colon, _ = lines[place].rstrip(b"\n").partition(b":")
        indent = before[: len(before) - len(before.lstrip())]
        if not colon:  # an item of a list
            before = indent + b"-"
        value = draw(st.sampled_from(BAD_VALUES)).encode()
        match draw(st.integers(0, 8)):
            case 0 | 1 | 2:
                lines[place] = before + colon + b" " + value + b"\n"
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


def named_at_the_start(said: str) -> str:
    """The section's name, or what stands for one; within quotes if it cannot be printed."""
    quoted = re.match(r"""('.*?'|".*?")(: | is | should )""", said)
    name = re.match(r"[\w-]+|[^\w-]+", ast.literal_eval(quoted[1]) if quoted else said)
    assert name is not None
    return name[0]


@pytest.mark.faults
@settings(max_examples=150, deadline=None)
@given(content=mutated_files())
@example(content=edited("  precision", ".  precision").encode())
@example(content=edited("  precision", "\N{NO-BREAK SPACE}  precision").encode())
@example(content=edited("  precision", "  p'\N{NO-BREAK SPACE}\": is ").encode())
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
            named = named_at_the_start(said.removeprefix(": "))
            assert named in {*SECTIONS, "unknown"} or named.encode() in content, line
    else:
        assert isinstance(params, Params)
