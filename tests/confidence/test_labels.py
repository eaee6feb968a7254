from dataclasses import replace

import numpy as np
import pytest
from numpy import ndarray

from mnistpipe.confidence.labels import (
    UNSEEN,
    Judgements,
    find_disputed,
    held_out,
    judge,
    tabulate,
)
from mnistpipe.data.split import Labelled, Split
from mnistpipe.files.sections import read_section
from mnistpipe.training.plan import BEST_STAGE, SWEEP, PartialData, TrainingRun
from mnistpipe.training.recipe import TrainSection
from mnistpipe.training.trials import Trial
from tests.conftest import PARAMS_FILE

KEY = "partial-data.fractions.half"


def split_of(n: int = 400, seed: int = 3) -> Split:
    """Each image's first two pixels are its own number: training, validation, test."""
    labels = np.random.default_rng(seed).integers(0, 3, n + 10)
    images = np.zeros((n + 10, 28, 28), dtype=np.uint8)
    images[:, 0, 0], images[:, 0, 1] = np.divmod(np.arange(n + 10), 256)
    train, validation, test = (
        Labelled(images[part], labels[part])
        for part in (slice(n), slice(n, n + 5), slice(n + 5, n + 10))
    )
    indices = np.arange(n), np.arange(n, n + 5)
    return Split("toy", ("a", "b", "c"), train, validation, test, *indices)


def numbers_of(examples: Labelled) -> list[int]:
    high, low = examples.images[:, 0, :2].astype(int).T
    numbers: list[int] = (256 * high + low).tolist()
    return numbers


def run_of(fraction: float, seed: int = 1, *, validation_too: bool = False) -> TrainingRun:
    section = read_section(BEST_STAGE, TrainSection, PARAMS_FILE)
    recipe = section.model_copy(update={"validation_too": validation_too})
    return TrainingRun(recipe, (seed, seed + 1), fraction, KEY, steps_of=None)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(
    ("fraction", "validation_too"),
    [(1.0, True), (1.0, False), (0.5, False), (0.25, False), (0.0625, False)],
)
def test_held_out_is_exactly_what_training_leaves_out(
    fraction: float,
    seed: int,
    validation_too: bool,  # noqa: FBT001 (parametrized)
) -> None:
    """By the choice of the trial itself; else a network would judge what it was taught."""
    split = split_of()
    run = run_of(fraction, seed, validation_too=validation_too)
    trial = Trial("toy", run.recipe, seed, fraction, KEY, n_threads=1, bar=False)
    unseen = held_out(split, run)
    trained_on = {*numbers_of(trial.choose(split))}
    judged = {
        number
        for part, own in unseen.items()
        for number, is_unseen in zip(numbers_of(getattr(split, part)), own, strict=True)
        if is_unseen
    }
    assert trained_on
    assert judged.isdisjoint(trained_on)
    assert judged | trained_on == {*range(410)}


def test_the_seed_decides_what_is_held_out() -> None:
    one, other = (held_out(split_of(), run_of(0.5, seed))["train"] for seed in (1, 2))
    assert (one != other).any()


def test_what_a_larger_part_leaves_out_a_smaller_one_does_as_well() -> None:
    half, quarter = (held_out(split_of(), run_of(fraction))["train"] for fraction in (0.5, 0.25))
    assert (quarter | ~half).all()
    assert quarter.sum() > half.sum()


def logits_of(*probabilities: list[float]) -> ndarray:
    logits: ndarray = np.log(np.array(probabilities)).astype(np.float32)
    return logits


def test_no_network_judges_an_image_that_it_has_not_held_out() -> None:
    labels = np.array([0, 1, 2])
    unseen = {"one": np.array([True, False, True]), "none": np.zeros(3, dtype=bool)}
    logits = {
        "one": logits_of([0.2, 0.7, 0.1], [0.5, 0.4, 0.1]),
        "none": np.empty((0, 3), dtype=np.float32),
    }
    found = judge(labels, unseen, logits)
    assert found.stages == ("one", "none")
    assert found.predicted.tolist() == [[1, UNSEEN], [UNSEEN, UNSEEN], [0, UNSEEN]]
    assert found.label_probability == pytest.approx(np.array([[0.2, 0], [0, 0], [0.1, 0]]))
    assert found.judges.tolist() == [1, 0, 1]


def judgements() -> tuple[Judgements, ndarray]:
    """Of six images by four networks, some of which were trained on some of them."""
    predicted = [
        [1, 1, 1, 0],  # three of four against the label
        [1, 1, 2, 0],  # two of four: not most of them
        [0, 0, 0, 0],  # the label
        [2, UNSEEN, UNSEEN, UNSEEN],  # one of one
        [UNSEEN, UNSEEN, UNSEEN, UNSEEN],  # nobody
        [2, 2, 2, 2],  # all
    ]
    probability = [
        [0.1, 0.1, 0.1, 0.9],
        [0.1, 0.1, 0.1, 0.9],
        [0.9, 0.9, 0.9, 0.9],
        [0.25, 0, 0, 0],
        [0, 0, 0, 0],
        [0.01, 0.02, 0.01, 0.04],
    ]
    stages = ("p", "q", "r", "s")
    found = Judgements(stages, np.array(predicted), np.array(probability))
    return found, np.zeros(6, dtype=np.int64)


def test_disputed_is_what_most_judges_call_the_same_other_class() -> None:
    found = find_disputed(*judgements())
    assert found.indices.tolist() == [5, 3, 0]  # the least probable label first
    assert found.says.tolist() == [2, 2, 1]
    assert found.votes.tolist() == [4, 1, 3]
    assert found.judges.tolist() == [4, 1, 4]
    assert found.label_probability == pytest.approx([0.02, 0.25, 0.3])


def test_a_label_that_its_judges_give_is_not_disputed() -> None:
    found, labels = judgements()
    agreed = replace(found, predicted=np.zeros_like(found.predicted))
    assert len(find_disputed(agreed, labels).indices) == 0


def test_the_table_has_what_each_judge_says_and_nothing_of_the_others() -> None:
    found, labels = judgements()
    disputed = find_disputed(found, labels)
    numbers = np.array([10, 11, 12, 13, 14, 15])
    table = tabulate("train", numbers, labels, disputed, found, ["a", "b", "c"])
    columns = ["set", "image", "label", "says", "votes", "judges", "label_probability"]
    assert [*table] == [*columns, *found.stages]
    assert table["image"].tolist() == [15, 13, 10]
    assert table["label"].tolist() == ["a", "a", "a"]
    assert table[[*found.stages]].to_numpy().tolist() == [
        ["c", "c", "c", "c"],
        ["c", "", "", ""],
        ["b", "b", "b", "a"],
    ]


def test_a_set_without_disputed_images_has_a_table_without_rows() -> None:
    found, labels = judgements()
    agreed = replace(found, predicted=np.zeros_like(found.predicted))
    disputed = find_disputed(agreed, labels)
    table = tabulate("test", np.arange(6), labels, disputed, agreed, ["a", "b", "c"])
    assert len(table) == 0
    assert "judges" in table


def test_the_study_judges_nine_tenths_of_its_training_images() -> None:
    """A sixteenth is in the smallest part, and so in every other one; none may judge it."""
    sweep = read_section(SWEEP, PartialData, PARAMS_FILE)
    split = split_of(1600)
    unseen = [
        held_out(split, run_of(fraction, sweep.seeds[0]))["train"]
        for fraction in sweep.fractions.values()
    ]
    assert np.any(unseen, axis=0).mean() == pytest.approx(1 - 1 / 16, abs=0.002)
