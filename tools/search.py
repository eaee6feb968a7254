"""Search a train stage's hyperparameters: python -m tools search STAGE [--trials N] ...

Optuna proposes values around those of params.yaml, each is trained on a part of the training
split, and the error on the validation set decides; the test set is out of reach, as
`tools.selection` has it. A search that is stopped goes on where it was. Optuna rather than DVC's
queue of experiments: what it tries next depends on what came of the last ones, and a run that falls
behind is not trained to its end.
"""

import argparse
import hashlib
from pathlib import Path

import optuna
import pandas as pd

from mnistpipe.data.split import Split, subset
from mnistpipe.data.split_file import SPLIT_FILE, read_split
from mnistpipe.files.errors import UserError
from mnistpipe.files.tables import write_table
from mnistpipe.scoring.scores import Examples
from mnistpipe.study import load_params
from mnistpipe.training.engine import start_engine
from mnistpipe.training.loop import Training, fit
from mnistpipe.training.recipe import Affine, OneCycle, Recipe, View
from tools.ideas import change
from tools.repro import at_least_one
from tools.selection import choose

STORAGE = Path(".mnistpipe/search")  # in the folder of `tools.selection`
COLUMNS = ("trial", "state", "validation_error")


def main() -> None:
    """Search, then write every trial into a table and print the best."""
    parser = argparse.ArgumentParser(description="Search a train stage's hyperparameters.")
    parser.add_argument("stage", nargs="?", help="as in params.yaml: train-net")
    parser.add_argument("--trials", type=at_least_one, default=20, help="how many more to run")
    parser.add_argument("--fraction", type=_share, default=0.25, help="of the training split")
    parser.add_argument("--epochs", type=at_least_one, default=8, help="of each trial")
    parser.add_argument("--seed", type=at_least_one, default=1, help="of images and weights")
    parser.add_argument("--table", type=Path, help="CSV file for all trials so far")
    arguments = parser.parse_args()
    params = load_params()
    if arguments.stage not in params.train_stages:
        raise UserError(
            f"Name one stage that trains ({', '.join(params.train_stages)}): "
            "make search STAGE=train-net"
        )
    recipe = params.training_run(arguments.stage).recipe
    recipe = change(recipe, {"epochs": arguments.epochs, "min_steps": 0})
    if not isinstance(recipe.schedule, OneCycle):
        raise UserError(
            "The search is for one-cycle recipes; take one: "
            "cp recipes/tuned/params.yaml params.yaml"
        )
    table = choose(
        search, arguments.stage, recipe, arguments.fraction, arguments.seed, arguments.trials
    )
    if arguments.table is not None:
        write_table(arguments.table, table)
    complete = table[table["state"] == "complete"]
    best = complete.sort_values("validation_error", kind="stable").iloc[0]
    error = best["validation_error"]
    print(f"best of {len(table)}: {error:.2%} of the validation set wrong with")
    for key, value in best.drop([*COLUMNS]).items():
        print(f"  {key}: {value:.4g}")


def search(stage: str, recipe: Recipe, fraction: float, seed: int, n_trials: int) -> pd.DataFrame:
    """Run more trials of a search, beginning it or going on with it.

    Returns a row for each trial so far: `COLUMNS`, then a column for each value that was tried.

    Raises UserError if none has reached its last epoch.
    """
    split = read_split()
    basis = f"{recipe.model_dump_json()} {fraction} {seed}".encode()
    basis += SPLIT_FILE.read_bytes()
    STORAGE.mkdir(parents=True, exist_ok=True)
    study = optuna.create_study(
        study_name=hashlib.sha256(basis).hexdigest(),  # another recipe or split is another search
        storage=f"sqlite:///{STORAGE}/{stage}.db",
        load_if_exists=True,
        pruner=optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=2),
    )
    # A search that goes on must not propose once more what it began with.
    study.sampler = optuna.samplers.TPESampler(seed=len(study.trials), multivariate=True)
    if not study.trials:
        study.enqueue_trial(_values(recipe))
    study.optimize(
        lambda trial: _validation_error(trial, _propose(trial, recipe), split, fraction, seed),
        n_trials=n_trials,
    )
    if not study.get_trials(states=[optuna.trial.TrialState.COMPLETE]):
        raise UserError("No trial reached its last epoch; search around a smaller lr.")
    rows = [
        dict(zip(COLUMNS, (trial.number, trial.state.name.lower(), trial.value), strict=True))
        | trial.params
        for trial in study.trials
        if trial.value is not None
    ]
    return pd.DataFrame(rows)


def _values(recipe: Recipe) -> dict[str, float]:
    """What the search may change, as it stands in the recipe."""
    affine = [view for view in recipe.views if isinstance(view, Affine)]
    return {
        "lr": recipe.lr,
        "batch_size": recipe.batch_size,
        "dropout": recipe.dropout,
        "label_smoothing": recipe.label_smoothing,
        "weight_decay": recipe.optimizer.weight_decay,
        **{key: value for view in affine for key, value in view if key != "name"},
    }


def _propose(trial: optuna.Trial, recipe: Recipe) -> Recipe:
    fields: dict[str, object] = {
        "lr": trial.suggest_float("lr", recipe.lr / 3, recipe.lr * 3, log=True),
        "batch_size": trial.suggest_categorical(
            "batch_size", sorted({64, 128, 256, recipe.batch_size})
        ),
        "dropout": trial.suggest_float("dropout", 0.0, 0.5),
        "label_smoothing": trial.suggest_float("label_smoothing", 0.0, 0.2),
        "optimizer": {
            "name": recipe.optimizer.name,
            "weight_decay": trial.suggest_float("weight_decay", 0.001, 1.0, log=True),
        },
        "views": tuple(_propose_view(trial, view) for view in recipe.views),
    }
    return change(recipe, fields)


def _propose_view(trial: optuna.Trial, view: View) -> dict[str, object]:
    if not isinstance(view, Affine):
        return view.model_dump()
    return {
        "name": view.name,
        "degrees": trial.suggest_float("degrees", 0.0, 25.0),
        "translation": trial.suggest_float("translation", 0.0, 0.2),
        "scale": trial.suggest_float("scale", 0.0, 0.3),
        "shear": trial.suggest_float("shear", 0.0, 0.4),
    }


def _validation_error(
    trial: optuna.Trial, recipe: Recipe, split: Split, fraction: float, seed: int
) -> float:
    """After the last epoch; a trial that falls behind the others ends early."""
    engine = start_engine(recipe.precision)
    examples, validation = (
        Examples.on(engine.device, part)
        for part in (
            subset(split.train, split.classes, fraction, seed, "--fraction"),
            split.validation,
        )
    )
    error = 1.0
    try:
        for epoch in fit(Training(recipe, seed, engine, len(split.classes)), examples, validation):
            error = 1 - epoch.validation_accuracy
            trial.report(error, epoch.epoch)
            if trial.should_prune():
                raise optuna.TrialPruned
    except UserError as diverged:  # so are these values out of the question
        raise optuna.TrialPruned(str(diverged)) from diverged
    return error


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise argparse.ArgumentTypeError(f"should be more than 0 and at most 1, not '{text}'")
    return share
