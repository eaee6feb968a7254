"""Search a train stage's hyperparameters: python -m tools.search STAGE [--trials N] ...

Optuna proposes values around those of params.yaml, each is trained on a part of the training
split, and the error on the validation set decides; the test set is never looked at. A search
that is stopped goes on where it was. Optuna rather than DVC's queue of experiments: what it tries
next depends on what came of the last ones, and a run that falls behind is not trained to its end.
"""

import argparse
from pathlib import Path

import optuna

from mnistpipe.artifacts import read_split, write_csv
from mnistpipe.engine import start_engine
from mnistpipe.errors import UserError
from mnistpipe.evaluation import Examples
from mnistpipe.params import Recipe, load_params, train_stages
from mnistpipe.split import Split, subset
from mnistpipe.training import Training, fit
from stages.cli import run

STORAGE = Path(".mnistpipe/search")


def main() -> None:
    """Search, then write every trial into a table and print the best."""
    parser = argparse.ArgumentParser(description="Search a train stage's hyperparameters.")
    parser.add_argument("stage", choices=train_stages(load_params()))
    parser.add_argument("--trials", type=int, default=20, help="how many more to run")
    parser.add_argument("--fraction", type=float, default=0.25, help="of the training split")
    parser.add_argument("--epochs", type=int, default=8, help="of each trial")
    parser.add_argument("--seed", type=int, default=1, help="of proposals, images and weights")
    parser.add_argument("--table", type=Path, help="CSV file for all trials so far")
    arguments = parser.parse_args()
    recipe = load_params().training_run(arguments.stage).recipe
    recipe = _changed(recipe, {"epochs": arguments.epochs, "min_steps": 0})
    if recipe.schedule != "one-cycle":
        raise UserError("The search is for one-cycle recipes, such as recipes/tuned/params.yaml.")
    split = read_split()

    STORAGE.mkdir(parents=True, exist_ok=True)
    name = f"{arguments.stage}, {arguments.fraction} of the data, {arguments.epochs} epochs"
    study = optuna.create_study(
        study_name=name,
        storage=f"sqlite:///{STORAGE}/{arguments.stage}.db",
        load_if_exists=True,
        sampler=optuna.samplers.TPESampler(seed=arguments.seed, multivariate=True),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=2),
    )
    if not study.trials:
        study.enqueue_trial(_values(recipe))
    study.optimize(
        lambda trial: _validation_error(
            trial, _propose(trial, recipe), split, arguments.fraction, arguments.seed
        ),
        n_trials=arguments.trials,
    )
    finished = [trial for trial in study.trials if trial.value is not None]
    if arguments.table is not None:
        names = list(study.best_params)
        rows = [
            [trial.number, trial.state.name.lower(), trial.value, *map(trial.params.get, names)]
            for trial in finished
        ]
        write_csv(arguments.table, ["trial", "state", "validation_error", *names], rows)
    print(f"best of {len(finished)}: {study.best_value:.2%} of the validation set wrong with")
    for key, value in study.best_params.items():
        print(f"  {key}: {value:.4g}")


def _values(recipe: Recipe) -> dict[str, float]:
    """What the search may change, as it stands in the recipe."""
    values = {
        "lr": recipe.lr,
        "batch_size": recipe.batch_size,
        "dropout": recipe.dropout,
        "label_smoothing": recipe.label_smoothing,
        "weight_decay": recipe.weight_decay,
    }
    return values | (recipe.affine.model_dump() if recipe.affine else {})


def _propose(trial: optuna.Trial, recipe: Recipe) -> Recipe:
    fields: dict[str, object] = {
        "lr": trial.suggest_float("lr", recipe.lr / 3, recipe.lr * 3, log=True),
        "batch_size": trial.suggest_categorical("batch_size", [64, 128, 256]),
        "dropout": trial.suggest_float("dropout", 0.0, 0.5),
        "label_smoothing": trial.suggest_float("label_smoothing", 0.0, 0.2),
        "weight_decay": trial.suggest_float("weight_decay", 0.001, 1.0, log=True),
    }
    if recipe.affine is not None:
        fields["affine"] = {
            "degrees": trial.suggest_float("degrees", 0.0, 25.0),
            "translation": trial.suggest_float("translation", 0.0, 0.2),
            "scale": trial.suggest_float("scale", 0.0, 0.3),
            "shear": trial.suggest_float("shear", 0.0, 0.4),
        }
    return _changed(recipe, fields)


def _validation_error(
    trial: optuna.Trial, recipe: Recipe, split: Split, fraction: float, seed: int
) -> float:
    """After the last epoch; a trial that falls behind the others ends early."""
    engine = start_engine(recipe.precision)
    examples, validation = (
        Examples.on(engine.device, part)
        for part in (subset(split.train, fraction, seed, "--fraction"), split.validation)
    )
    error = 1.0
    for epoch in fit(Training(recipe, seed, engine), examples, validation):
        error = 1 - epoch.validation_accuracy
        trial.report(error, epoch.epoch)
        if trial.should_prune():
            raise optuna.TrialPruned
    return error


def _changed(recipe: Recipe, fields: dict[str, object]) -> Recipe:
    return type(recipe).model_validate(recipe.model_dump() | fields)


if __name__ == "__main__":
    run(main)
