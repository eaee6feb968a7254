"""Trials side by side on this machine; tests/test_dask.py has those of a cluster."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from joblib.externals.loky import get_reusable_executor

from mnistpipe.data.split import Split
from mnistpipe.data.split_file import SPLIT_FILE, write_split
from mnistpipe.files.slots import N_SLOTS, Turn, count_notes
from mnistpipe.networks.models import build_network
from mnistpipe.training import trials as trials_module
from mnistpipe.training import workers
from mnistpipe.training.checkpoints import CHECKPOINTS
from mnistpipe.training.engine import Engine
from mnistpipe.training.loop import count_steps
from mnistpipe.training.plan import TrainingRun
from mnistpipe.training.recipe import Recipe
from mnistpipe.training.trials import Result, Trial, run_trial
from mnistpipe.training.workers import SCHEDULER, plan_trials, run_trials
from tests.training.test_trials import assert_equal

CURVE = Path("loss.csv")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, split: Split) -> Iterator[None]:
    """A split for the checkpoints' names, and as many threads afterwards as before."""
    monkeypatch.delenv(SCHEDULER, raising=False)
    monkeypatch.delenv(N_SLOTS, raising=False)
    monkeypatch.chdir(tmp_path)
    write_split(SPLIT_FILE, split)
    n_threads = torch.get_num_threads()
    yield
    torch.set_num_threads(n_threads)
    get_reusable_executor().shutdown()  # processes of another test would stay in this folder


def run_of(recipe: Recipe, *seeds: int, fraction: float = 1.0) -> TrainingRun:
    return TrainingRun(recipe, seeds, fraction, "train-convnet", steps_of=None)


def test_one_seed_has_all_threads_and_may_draw_a_bar(
    recipe: Recipe, split: Split, engine: Engine
) -> None:
    torch.set_num_threads(3)
    (trial,) = plan_trials("train-convnet", run_of(recipe, 7), split, engine, CURVE)
    assert trial.checkpoint is not None
    assert trial.checkpoint.parent == CHECKPOINTS / "train-convnet"
    assert trial == Trial(
        label="train-convnet",
        recipe=recipe,
        seed=7,
        fraction=1.0,
        fraction_key="train-convnet",
        n_threads=3,
        bar=True,
        checkpoint=trial.checkpoint,
        curve=CURVE,
        parent=os.getpid(),
    )


@pytest.mark.parametrize(("n_threads", "each"), [(1, 1), (2, 1), (3, 1), (5, 1), (6, 2), (9, 3)])
def test_several_seeds_share_the_threads_and_the_first_writes_the_curve(
    recipe: Recipe, split: Split, engine: Engine, n_threads: int, each: int
) -> None:
    torch.set_num_threads(n_threads)
    wanted = run_of(recipe, 3, 1, 2, fraction=0.5)
    trials = plan_trials("train-convnet", wanted, split, engine, CURVE)
    assert [trial.seed for trial in trials] == [3, 1, 2]
    assert [trial.label for trial in trials] == [f"train-convnet, seed {n}" for n in (3, 1, 2)]
    assert [trial.curve for trial in trials] == [CURVE, None, None]
    assert [trial.n_threads for trial in trials] == [each] * 3
    assert len({trial.checkpoint for trial in trials} - {None}) == 3
    for trial in trials:
        assert (trial.fraction, trial.fraction_key) == (0.5, "train-convnet")
        assert (trial.parent, trial.bar, trial.recipe) == (os.getpid(), False, recipe)


def test_what_a_cluster_runs_is_kept_on_no_disk(
    recipe: Recipe, split: Split, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SCHEDULER, "tcp://nowhere:1")
    monkeypatch.setenv(N_SLOTS, "2")  # whose slots are of this machine
    trials = plan_trials("train-convnet", run_of(recipe, 1, 2), split, engine, CURVE)
    assert [(trial.checkpoint, trial.curve, trial.parent, trial.turn) for trial in trials] == [
        (None, None, None, None)
    ] * 2


@pytest.mark.parametrize("seeds", [(7,), (3, 1, 2)])
def test_where_stages_share_slots_each_trial_has_all_of_a_slots_threads(
    recipe: Recipe,
    split: Split,
    engine: Engine,
    monkeypatch: pytest.MonkeyPatch,
    seeds: tuple[int, ...],
) -> None:
    torch.set_num_threads(2)
    monkeypatch.setenv(N_SLOTS, "4")
    trials = plan_trials("train-convnet", run_of(recipe, *seeds), split, engine, CURVE)
    assert [trial.n_threads for trial in trials] == [2] * len(seeds)
    assert [trial.turn for trial in trials] == [
        Turn(4, "train-convnet", number) for number in range(len(seeds))
    ]


@pytest.mark.parametrize(
    ("n_seeds", "n_slots", "n_processes"), [(1, 1, 1), (1, 4, 1), (3, 1, 1), (3, 2, 2), (3, 8, 3)]
)
def test_a_stage_has_no_more_processes_than_seeds_or_slots(
    recipe: Recipe,
    split: Split,
    engine: Engine,
    monkeypatch: pytest.MonkeyPatch,
    n_seeds: int,
    n_slots: int,
    n_processes: int,
) -> None:
    asked: list[int] = []

    def parallel(n_jobs: int, **_: object) -> Callable[[list[Any]], list[Result]]:
        asked.append(n_jobs)
        return lambda _: []

    monkeypatch.setattr(workers, "Parallel", parallel)
    monkeypatch.setenv(N_SLOTS, f"{n_slots}")
    torch.set_num_threads(1)
    trials = plan_trials("a", run_of(recipe, *range(n_seeds)), split, engine, CURVE)
    run_trials(trials, split)
    assert asked == [n_processes]


def test_the_trials_of_several_stages_take_turns(
    recipe: Recipe, split: Split, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each stage with one seed, in threads of this process; what they do there is only noted."""
    lock, now, at_once = threading.Lock(), set[str](), list[int]()
    result = Result(build_network("convnet", 0.5, 10), [], {}, {})

    def note(trial: Trial, _: Split) -> Result:
        with lock:
            now.add(trial.label)
            at_once.append(len(now))
        time.sleep(0.3)
        with lock:
            now.remove(trial.label)
        return result

    monkeypatch.setattr(trials_module, "_train_and_score", note)
    monkeypatch.setenv(N_SLOTS, "2")
    stages = ["a", "b", "c", "d"]
    planned = [plan_trials(stage, run_of(recipe, 1), split, engine, CURVE) for stage in stages]
    with ThreadPoolExecutor(len(stages)) as pool:
        futures = [pool.submit(run_trials, trials, split) for trials in planned]
        assert [future.result() for future in futures] == [[result]] * len(stages)
    assert max(at_once) == 2
    assert [count_notes(stage) for stage in stages] == [1] * 4


def test_a_part_that_takes_the_steps_of_another_is_given_their_number(
    recipe: Recipe, split: Split, engine: Engine
) -> None:
    wanted = TrainingRun(recipe, (1, 2), 0.1, "partial-data.fractions.tenth", steps_of=0.5)
    trials = plan_trials("partial-data-steps@tenth", wanted, split, engine, CURVE)
    n_half = 80  # 8.5 of each class of the 170, to even
    for trial in trials:
        assert trial.recipe == recipe.model_copy(update={"min_steps": count_steps(n_half, recipe)})
        assert trial.recipe.min_steps == 2 * 10
        assert trial.fraction == 0.1
        n_examples = len(trial.choose(split))
        assert count_steps(n_examples, trial.recipe) >= 20


def test_seeds_side_by_side_give_what_each_one_gives_alone(
    recipe: Recipe, split: Split, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In slots, two at a time; tests/test_stages.py has two seeds that share the threads."""
    torch.set_num_threads(1)
    monkeypatch.setenv(N_SLOTS, "2")
    trials = plan_trials("train-convnet", run_of(recipe, 1, 2, 3), split, engine, CURVE)
    assert [trial.n_threads for trial in trials] == [1, 1, 1]
    results = run_trials(trials, split)
    assert CURVE.exists()
    assert count_notes("train-convnet") == 3
    monkeypatch.delenv(N_SLOTS)
    alone = plan_trials("alone", run_of(recipe, 1, 2, 3), split, engine, CURVE)
    for trial, result in zip(alone, results, strict=True):
        assert_equal(result, run_trial(trial, split))
    assert results[0].curve != results[1].curve != results[2].curve
