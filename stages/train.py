"""Train the networks of one section of params.yaml: python -m stages.train STAGE."""

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from joblib import Parallel, delayed, parallel_config

from mnistpipe.artifacts import read_split, write_csv, write_json
from mnistpipe.checkpoints import checkpoint_path, remove_checkpoints
from mnistpipe.engine import Engine, start_engine
from mnistpipe.errors import UserError
from mnistpipe.evaluation import PIXEL_MEAN, PIXEL_STD, average
from mnistpipe.model_files import ModelCard, write_model
from mnistpipe.models import count_parameters
from mnistpipe.params import TrainingRun, load_params
from mnistpipe.split import Split, nested_subset
from mnistpipe.training import convergence_epoch, count_steps
from mnistpipe.trials import Result, Trial, images_per_epoch, run_trial, write_curve
from stages.cli import run

# The address of a Dask scheduler; Dask's own libraries read the same variable.
SCHEDULER = "DASK_SCHEDULER_ADDRESS"
HALF_KEY = "partial-data.fractions.half"


def main() -> None:
    """Train a network for each seed, then write the first one and the scores of all."""
    if len(sys.argv) != 2:  # noqa: PLR2004
        raise UserError("Name one train stage: python -m stages.train train-net")
    stage = sys.argv[1]
    wanted = load_params().training_run(stage)
    split = read_split()
    engine = start_engine(wanted.recipe.precision)
    trials = _plan(stage, wanted, split, engine)
    results = _run_all(trials, split)
    recipe, n_examples, first = trials[0].recipe, len(trials[0].choose(split)), results[0]
    write_curve(_curve_path(stage), first.curve, split.title)
    write_model(
        Path(f"models/{stage}.safetensors"),
        first.network,
        ModelCard(recipe.network, recipe.dropout, split.title, PIXEL_MEAN, PIXEL_STD),
    )
    write_csv(
        Path(f"plots/predictions/{stage}.csv"),
        ["actual", "predicted"],
        zip(split.test.labels.tolist(), first.predicted.tolist(), strict=True),
    )
    by_seed = dict(zip(wanted.seeds, results, strict=True))
    write_json(
        Path(f"metrics/{stage}.json"),
        {
            "dataset": split.title,
            "network": recipe.network,
            "parameters": count_parameters(first.network),
            "precision": engine.precision,
            "examples": n_examples,
            "steps": count_steps(n_examples, recipe),
            "images_per_epoch": images_per_epoch(n_examples, recipe),
            "convergence_epoch": convergence_epoch([e.validation_loss for e in first.curve]),
            **{
                name: average({seed: result.scores[name] for seed, result in by_seed.items()})
                for name in first.scores
            },
        },
    )
    remove_checkpoints(stage)


def _plan(stage: str, wanted: TrainingRun, split: Split, engine: Engine) -> list[Trial]:
    """A trial for each seed; those that run at the same time share the threads."""
    recipe, seeds = wanted.recipe, wanted.seeds
    if wanted.steps_of is not None:
        alike = nested_subset(split.train.labels, wanted.steps_of, seeds[0], HALF_KEY)
        recipe = recipe.model_copy(update={"min_steps": count_steps(len(alike), recipe)})
    alone, here = len(seeds) == 1, SCHEDULER not in os.environ
    n_threads = max(1, torch.get_num_threads() // len(seeds))
    trials = [
        Trial(
            label=stage if alone else f"{stage}, seed {seed}",
            recipe=recipe,
            seed=seed,
            fraction=wanted.fraction,
            fraction_key=wanted.fraction_key,
            n_threads=n_threads,
            bar=alone,
        )
        for seed in seeds
    ]
    if here:  # another machine's disk is not ours to write on
        trials = [
            replace(trial, checkpoint=_checkpoint(stage, trial, engine), parent=os.getpid())
            for trial in trials
        ]
        trials[0] = replace(trials[0], curve=_curve_path(stage))
    return trials


def _checkpoint(stage: str, trial: Trial, engine: Engine) -> Path:
    return checkpoint_path(stage, trial.recipe, trial.seed, trial.fraction, engine, trial.n_threads)


def _run_all(trials: Sequence[Trial], split: Split) -> list[Result]:
    """In processes of this machine, as many as there are threads, or on a Dask cluster."""
    calls = [delayed(run_trial)(trial, split) for trial in trials]
    if SCHEDULER in os.environ:
        return _run_on_cluster(calls)
    n_jobs = min(len(trials), torch.get_num_threads() // trials[0].n_threads)
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
        client = Client(os.environ[SCHEDULER], timeout="20s")  # type: ignore[no-untyped-call]
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


def _curve_path(stage: str) -> Path:
    return Path(f"plots/loss/{stage}.csv")


if __name__ == "__main__":
    run(main, *sys.argv[1:2])
