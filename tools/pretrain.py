"""Make the network that comes with the package: python -m tools pretrain.

The tuned recipe of train-net-augmented, trained for longer: 12 minutes on one core for each seed.
The validation set chooses among the seeds and fixes what the network is used with; the test set is
scored once, for the card. Needs data/split.npz; a run that is stopped goes on where it was.
"""

import argparse
import subprocess
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 (PyTorch's own convention)

from mnistpipe.classifier import PRETRAINED
from mnistpipe.data.split import Split
from mnistpipe.data.split_file import read_split
from mnistpipe.files.artifacts import write_json
from mnistpipe.files.errors import UserError
from mnistpipe.networks.model_files import ModelCard, write_model
from mnistpipe.scoring.probabilities import sure_from
from mnistpipe.scoring.scores import PIXEL_MEAN, PIXEL_STD, Examples, predict
from mnistpipe.training.engine import start_engine
from mnistpipe.training.plan import BEST_STAGE, TrainingRun, read_training_run
from mnistpipe.training.trials import Result
from mnistpipe.training.workers import plan_trials, run_trials
from tools.repro import at_least_one

RECIPE = Path("recipes/tuned/params.yaml")


def main() -> None:
    """Train, choose, and write network and card."""
    parser = argparse.ArgumentParser(description="Make the network that comes with the package.")
    parser.add_argument("--seeds", type=at_least_one, default=1, help="the best of so many")
    parser.add_argument("--epochs", type=at_least_one, default=60)
    parser.add_argument("--recipe", type=Path, default=RECIPE)
    parser.add_argument("--to", type=Path, default=PRETRAINED, help="the file of the network")
    arguments = parser.parse_args()
    split = read_split()
    tuned = read_training_run(BEST_STAGE, arguments.recipe)
    wanted = TrainingRun(
        recipe=tuned.recipe.model_copy(update={"epochs": arguments.epochs}),
        seeds=tuple(range(1, arguments.seeds + 1)),
        fraction=1.0,
        fraction_key=tuned.fraction_key,
        steps_of=None,
    )
    curve = Path(".mnistpipe/pretrain.csv")
    trials = plan_trials("pretrain", wanted, split, start_engine(wanted.recipe.precision), curve)
    results = dict(zip(wanted.seeds, run_trials(trials, split), strict=True))
    seed = min(results, key=lambda each: results[each].scores["validation"].errors)
    write_pretrained(arguments.to, wanted, seed, results[seed], split)
    for trial in trials:
        if trial.checkpoint is not None:
            trial.checkpoint.unlink()
    print(f"{arguments.to}: test accuracy {results[seed].scores['test'].accuracy:.2%}.")


def write_pretrained(
    path: Path, wanted: TrainingRun, seed: int, result: Result, split: Split
) -> None:
    """The network with its card, and beside it what it is used with and how it came about."""
    recipe = wanted.recipe
    card = ModelCard(
        recipe.network, recipe.dropout, split.title, split.classes, PIXEL_MEAN, PIXEL_STD
    )
    write_model(path, result.network, card)
    validation = Examples.on(torch.device("cpu"), split.validation)
    logits = predict(result.network, validation.images).logits
    temperature = calibrate(logits, validation.labels)
    probabilities = torch.softmax(logits.double() / temperature, dim=1).numpy()
    threshold = sure_from(probabilities, split.validation.labels)
    if threshold == 1:
        raise UserError("No threshold makes the answers sure; train for more epochs.")
    write_json(
        path.with_suffix(".json"),
        {
            "temperature": temperature,
            "sure_from": threshold,
            "dataset": split.title,
            "examples": len(split.train.labels),
            "validation_accuracy": result.scores["validation"].accuracy,
            "test_accuracy": result.scores["test"].accuracy,
            "commit": _commit(),
            "seed": seed,
            "recipe": recipe.model_dump(mode="json", exclude={"seeds"}),
        },
    )


def calibrate(logits: Float[Tensor, "n c"], labels: Tensor) -> float:
    """The temperature, in steps of a hundredth, at which the loss is least."""
    losses = {
        step: float(F.cross_entropy(logits.double() * 100 / step, labels))
        for step in range(10, 301)
    }
    return min(losses, key=losses.__getitem__) / 100


def _commit() -> str:
    told = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12"],  # noqa: S607
        capture_output=True,
        text=True,
        check=True,
    )
    return told.stdout.strip()


if __name__ == "__main__":
    main()
