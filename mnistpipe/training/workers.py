"""The trials of a train stage side by side: in processes of this machine, or on a Dask cluster."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from joblib import Parallel, delayed, parallel_config

from mnistpipe.data.split import Split, nested_subset
from mnistpipe.files.errors import UserError
from mnistpipe.files.slots import Turn, count_slots
from mnistpipe.training.checkpoints import checkpoint_path
from mnistpipe.training.engine import Engine
from mnistpipe.training.loop import count_steps
from mnistpipe.training.plan import TrainingRun
from mnistpipe.training.trials import Result, Trial, run_trial

# The address of a Dask scheduler; Dask's own libraries read the same variable.
SCHEDULER = "DASK_SCHEDULER_ADDRESS"
ANSWERS_WITHIN = "20s"
HALF_KEY = "partial-data.fractions.half"


def plan_trials(
    stage: str, wanted: TrainingRun, split: Split, engine: Engine, curve: Path
) -> list[Trial]:
    """A trial for each seed of a train stage.

    The first one writes its loss curve to a file after each epoch, unless a cluster runs it.
    """
    recipe, seeds = wanted.recipe, wanted.seeds
    if wanted.steps_of is not None:
        labels, names = split.train.labels, split.classes
        alike = nested_subset(labels, names, wanted.steps_of, seeds[0], HALF_KEY)
        recipe = recipe.model_copy(update={"min_steps": count_steps(len(alike), recipe)})
    trials = [
        Trial(
            label=stage if len(seeds) == 1 else f"{stage}, seed {seed}",
            recipe=recipe,
            seed=seed,
            fraction=wanted.fraction,
            fraction_key=wanted.fraction_key,
            n_threads=1,
            bar=len(seeds) == 1,
        )
        for seed in seeds
    ]
    if SCHEDULER not in os.environ:  # another machine's disk is not ours to write on
        trials[0] = replace(trials[0], curve=curve)
    return place_trials(stage, trials, engine)


def place_trials(stage: str, trials: Sequence[Trial], engine: Engine) -> list[Trial]:
    """All trials of a stage, each with its threads, its checkpoint and its turn, if it has any.

    Those that run at the same time share the threads. Where stages share slots, these threads are a
    slot's, and each trial has all of them.
    """
    here = SCHEDULER not in os.environ
    n_slots = count_slots() if here else None
    n_sharing = len(trials) if n_slots is None else 1
    n_threads = max(1, torch.get_num_threads() // n_sharing)
    placed = [replace(trial, n_threads=n_threads) for trial in trials]
    if here:
        placed = [
            replace(trial, checkpoint=_checkpoint(stage, trial, engine), parent=os.getpid())
            for trial in placed
        ]
    if n_slots is not None:
        placed = [
            replace(trial, turn=Turn(n_slots, stage, number)) for number, trial in enumerate(placed)
        ]
    return placed


def _checkpoint(stage: str, trial: Trial, engine: Engine) -> Path:
    return checkpoint_path(stage, trial.recipe, trial.seed, trial.fraction, engine, trial.n_threads)


def run_trials(trials: Sequence[Trial], split: Split) -> list[Result]:
    """In processes of this machine, or on a Dask cluster.

    There are as many processes as there are threads, or slots, and no more than trials.

    Raises UserError if the cluster does not answer, or is not made for this.
    """
    calls = [delayed(run_trial)(trial, split) for trial in trials]
    if SCHEDULER in os.environ:
        return _run_on_cluster(calls)
    turn, n_threads = trials[0].turn, trials[0].n_threads
    n_at_once = torch.get_num_threads() // n_threads if turn is None else turn.n_slots
    n_jobs = min(len(trials), n_at_once)
    # Without memory maps, of which PyTorch complains that they cannot be written to.
    return list(Parallel(n_jobs=n_jobs, max_nbytes=None)(calls))


def _run_on_cluster(calls: list[Any]) -> list[Result]:
    try:
        from distributed import Client  # noqa: PLC0415 (an optional extra)
    except ImportError as error:
        raise UserError(
            f"{SCHEDULER} is set, but Dask is not installed; run: pip install -e '.[cluster]'"
        ) from error
    try:
        client = Client(os.environ[SCHEDULER], timeout=ANSWERS_WITHIN)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise UserError(
            f"No Dask scheduler answers at {os.environ[SCHEDULER]}, which {SCHEDULER} names; "
            "start it, or unset the variable to train on this machine."
        ) from error
    with client, parallel_config("dask"):
        threads = client.nthreads().values()  # type: ignore[no-untyped-call]
        if not threads or max(threads) > 1:  # PyTorch's random numbers are one stream a process
            raise UserError(
                f"The Dask cluster that {SCHEDULER} names should have workers of one thread each; "
                "start them by: dask worker --nthreads 1"
            )
        # The split goes along with each call: scattered, it could be lost with a worker.
        return list(Parallel()(calls))
