"""Train the networks of one section of params.yaml; all train stages use this script."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from mnistpipe.data.split import Split
from mnistpipe.data.split_file import read_split
from mnistpipe.files.artifacts import write_json
from mnistpipe.networks.model_files import ModelCard, write_model
from mnistpipe.networks.models import count_parameters
from mnistpipe.scoring.predictions import predictions_file, write_predictions
from mnistpipe.scoring.scores import PIXEL_MEAN, PIXEL_STD, Predictions, average, score, vote
from mnistpipe.training.checkpoints import finish, forget_recorded
from mnistpipe.training.engine import start_engine
from mnistpipe.training.loop import convergence_epoch, count_steps
from mnistpipe.training.plan import read_training_run
from mnistpipe.training.trials import Result, images_per_epoch, write_curve
from mnistpipe.training.workers import plan_trials, run_trials


def main(stage: str) -> None:
    """Train a network for each seed, then write the first one and the scores of all."""
    wanted = read_training_run(stage)
    split = read_split()
    engine = start_engine(wanted.recipe.precision)
    curve, model = Path(f"plots/loss/{stage}.csv"), Path(f"models/{stage}.safetensors")
    forget_recorded(stage)
    trials = plan_trials(stage, wanted, split, engine, curve)
    results = run_trials(trials, split)
    recipe, n_examples, first = trials[0].recipe, len(trials[0].choose(split)), results[0]
    write_curve(curve, first.curve, split.title)
    write_model(
        model,
        first.network,
        ModelCard(
            recipe.network, recipe.dropout, split.title, split.classes, PIXEL_MEAN, PIXEL_STD
        ),
    )
    by_seed = dict(zip(wanted.seeds, results, strict=True))
    committee = _hold_votes(results)
    tested = {
        "predicted": first.predictions["test"],  # the name by which dvc.yaml plots it
        **{f"seed-{seed}": by_seed[seed].predictions["test"] for seed in wanted.seeds[1:]},
        **({"committee": committee["test"]} if committee else {}),
    }
    write_predictions(
        predictions_file(stage),
        split.test.labels,
        {column: predictions.labels.numpy() for column, predictions in tested.items()},
        split.classes,
    )
    write_json(
        Path(f"metrics/{stage}.json"),
        {
            "dataset": split.title,
            "network": recipe.network,
            "parameters": count_parameters(first.network),
            "precision": engine.precision,
            "pytorch": torch.__version__,
            "examples": n_examples,
            "steps": count_steps(n_examples, recipe),
            "images_per_epoch": images_per_epoch(n_examples, recipe),
            "convergence_epoch": convergence_epoch([e.validation_loss for e in first.curve]),
            **{
                name: average({seed: result.scores[name] for seed, result in by_seed.items()})
                for name in first.scores
            },
            **({"committee": _score_votes(committee, split)} if committee else {}),
        },
    )
    finish(stage, [trial.checkpoint for trial in trials], model)


def _hold_votes(results: Sequence[Result]) -> dict[str, Predictions]:
    """What all seeds' networks say together, on each set; nothing of one network alone."""
    if len(results) == 1:
        return {}
    return {
        name: vote([result.predictions[name] for result in results])
        for name in results[0].predictions
    }


def _score_votes(committee: dict[str, Predictions], split: Split) -> dict[str, dict[str, Any]]:
    labels = {"validation": split.validation.labels, "test": split.test.labels}
    return {
        name: asdict(score(predictions.logits, torch.from_numpy(labels[name.removesuffix("_tta")])))
        for name, predictions in committee.items()
    }
