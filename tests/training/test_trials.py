import csv
import os
import signal
from collections.abc import Iterator
from dataclasses import astuple, replace
from pathlib import Path

import pytest
import torch

from mnistpipe.data.split import Split
from mnistpipe.scoring.scores import Examples, score
from mnistpipe.training.checkpoints import load_checkpoint, save_checkpoint
from mnistpipe.training.engine import Engine
from mnistpipe.training.loop import Training, fit
from mnistpipe.training.progress import Progress
from mnistpipe.training.recipe import Blur, Original, Recipe, Rotation
from mnistpipe.training.trials import Result, Trial, images_per_epoch, run_trial


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    """A trial sets their number for its whole process."""
    n_threads = torch.get_num_threads()
    yield
    torch.set_num_threads(n_threads)


@pytest.fixture
def trial(recipe: Recipe) -> Trial:
    """Of two epochs over the whole training split."""
    return Trial("train-convnet", recipe, 1, 1.0, "train-convnet", n_threads=1, bar=False)


def assert_equal(result: Result, expected: Result) -> None:
    assert result.curve == expected.curve
    assert result.scores == expected.scores
    assert result.predictions.keys() == expected.predictions.keys()
    for name, predictions in result.predictions.items():
        assert torch.equal(predictions.logits, expected.predictions[name].logits), name
    weights = expected.network.state_dict()
    assert result.network.state_dict().keys() == weights.keys()
    for key, value in result.network.state_dict().items():
        assert torch.equal(value, weights[key]), key


def test_the_scores_are_counts_over_whole_sets(trial: Trial, split: Split) -> None:
    result = run_trial(trial, split)
    sets = {
        "train": split.train,
        "train_split": split.train,
        "validation": split.validation,
        "test": split.test,
    }
    assert {name: score.count for name, score in result.scores.items()} == {
        name: len(part) for name, part in sets.items()
    }
    assert result.scores["train_split"] == result.scores["train"]
    assert result.scores["validation"].loss == result.curve[-1].validation_loss
    assert list(result.predictions) == ["validation", "test"]  # which a committee votes on
    for name, predictions in result.predictions.items():
        labels = torch.from_numpy(sets[name].labels)
        assert score(predictions.logits, labels) == result.scores[name]


def test_a_part_of_the_data_is_scored_on_itself_and_on_the_whole(
    trial: Trial, split: Split
) -> None:
    half = replace(trial, fraction=0.5, fraction_key="half")
    scores = run_trial(half, split).scores
    assert scores["train"].count == len(half.choose(split)) == 80  # 8.5 of each class, to even
    assert scores["train_split"].count == len(split.train) == 170
    assert scores["train_split"].errors >= scores["train"].errors


def test_validation_images_that_are_trained_on_are_no_longer_validated(
    trial: Trial, split: Split
) -> None:
    both = replace(trial, recipe=trial.recipe.model_copy(update={"validation_too": True}))
    chosen = both.choose(split)
    assert len(chosen) == len(split.train) + len(split.validation)
    assert (chosen.images[len(split.train) :] == split.validation.images).all()
    result = run_trial(both, split)
    assert {name: score.count for name, score in result.scores.items()} == {
        "train": len(chosen),
        "train_split": len(split.train),
        "test": len(split.test),
    }
    assert list(result.predictions) == ["test"]


def test_test_time_augmentation_is_a_score_beside_the_others(trial: Trial, split: Split) -> None:
    plain = run_trial(trial, split)
    draws = {"test_time_draws": 2, "views": (Rotation(name="rotation", degrees=30.0),)}
    trial = replace(trial, recipe=trial.recipe.model_copy(update=draws))
    result = run_trial(trial, split)
    assert {*result.scores} == {*plain.scores, "validation_tta", "test_tta"}
    assert list(result.predictions) == ["validation", "validation_tta", "test", "test_tta"]
    for name, part in (("validation_tta", split.validation), ("test_tta", split.test)):
        logits = result.predictions[name].logits
        assert not torch.equal(logits, result.predictions[name.removesuffix("_tta")].logits)
        assert score(logits, torch.from_numpy(part.labels)) == result.scores[name]


def test_another_seed_chooses_another_part(trial: Trial, split: Split) -> None:
    assert trial.choose(split) is split.train
    first, second = (
        replace(trial, fraction=0.5, seed=seed).choose(split).images for seed in (1, 2)
    )
    assert first.shape == second.shape
    assert (first != second).any()


def test_the_loss_curve_is_written_with_its_data_set(
    trial: Trial, split: Split, tmp_path: Path
) -> None:
    path = tmp_path / "loss.csv"
    result = run_trial(replace(trial, curve=path), split)
    header, *rows = csv.reader(path.read_text().splitlines())
    assert header == [
        "epoch",
        "lr",
        "training_loss",
        "validation_loss",
        "validation_accuracy",
        "dataset",
    ]
    assert [row[-1] for row in rows] == ["random", "random"]
    for row, epoch in zip(rows, result.curve, strict=True):
        assert [float(cell) for cell in row[:-1]] == pytest.approx(astuple(epoch))


def test_the_loss_curve_grows_by_a_row_an_epoch_while_it_trains(
    trial: Trial, split: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What draws it, `dvc plots show` or an editor, need not wait for the end."""
    path, epochs = tmp_path / "loss.csv", []

    def look(*_: object) -> None:
        epochs.append([row["epoch"] for row in csv.DictReader(path.read_text().splitlines())])

    monkeypatch.setattr(Progress, "epoch", look)
    run_trial(replace(trial, curve=path), split)
    assert epochs == [["1"], ["1", "2"]]


@pytest.mark.parametrize("n_done", [1, 2])
def test_an_unfinished_run_trains_the_missing_epochs_alone(
    trial: Trial,
    split: Split,
    engine: Engine,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    n_done: int,
) -> None:
    whole = run_trial(trial, split)
    stopped = Training(trial.recipe, trial.seed, engine, 10)
    train, validation = (
        Examples.on(engine.device, part) for part in (split.train, split.validation)
    )
    for _, _ in zip(range(n_done), fit(stopped, train, validation), strict=False):
        pass
    path, curve = tmp_path / "run.safetensors", tmp_path / "loss.csv"
    save_checkpoint(path, stopped)
    capsys.readouterr()
    assert_equal(run_trial(replace(trial, checkpoint=path, curve=curve), split), whole)
    first, *others = capsys.readouterr().out.splitlines()
    assert first == f"train-convnet: going on after epoch {n_done} of 2"
    assert [line.split(",")[0] for line in others] == ["train-convnet: epoch 2/2"][: 2 - n_done]
    again = Training(trial.recipe, trial.seed, engine, 10)
    load_checkpoint(path, again)
    assert again.curve == whole.curve


class _EndedError(Exception):
    """Stands for the end of the process."""


def test_a_trial_ends_with_the_process_that_waits_for_it(
    trial: Trial,
    split: Split,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def end(status: int) -> None:
        assert status == 1
        raise _EndedError

    monkeypatch.setattr(os, "_exit", end)
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # this process keeps its own
    path = tmp_path / "run.safetensors"
    for parent in (os.getpid(), os.getppid()):
        run_trial(replace(trial, parent=parent), split)
    assert capsys.readouterr().out.count("epoch 2/2") == 2
    with pytest.raises(_EndedError):
        run_trial(replace(trial, parent=0, checkpoint=path), split)
    assert "epoch 2/2" not in capsys.readouterr().out
    assert path.exists()  # so that the next run goes on from there


def test_an_epochs_images_are_counted_with_views_and_passes(recipe: Recipe) -> None:
    views = (Original(name="original"), Blur(name="blur"))
    recipe = recipe.model_copy(update={"views": views, "batch_size": 10})
    assert images_per_epoch(100, recipe) == 200
    # 10 steps a pass and 2 epochs: 3 passes reach 60 updates.
    assert images_per_epoch(100, recipe.model_copy(update={"min_steps": 50})) == 600
