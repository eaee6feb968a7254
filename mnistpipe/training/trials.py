"""One network of a train stage: trained with one seed, then scored once on every set."""

import os
import signal
from collections.abc import Sequence
from contextlib import closing, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd
import torch

from mnistpipe.data.split import Labelled, Split, join, subset
from mnistpipe.files.slots import Turn
from mnistpipe.files.tables import write_table
from mnistpipe.networks.models import Classifier
from mnistpipe.scoring.scores import Examples, Predictions, Score, predict, score
from mnistpipe.training.checkpoints import load_checkpoint, save_checkpoint
from mnistpipe.training.engine import explained_out_of_memory, start_engine
from mnistpipe.training.loop import Epoch, Training, count_passes, fit
from mnistpipe.training.progress import Progress
from mnistpipe.training.recipe import Recipe
from mnistpipe.training.test_time import predict_by_views


@dataclass(frozen=True)
class Trial:
    """What to train, and what to keep of it on the way.

    Attributes:
        label: what progress calls it.
        recipe: how to train.
        seed: of everything random in it.
        fraction: share of the training split that it is trained on.
        fraction_key: the parameter that says so.
        n_threads: for PyTorch.
        bar: whether it may draw a progress bar, being alone.
        checkpoint: where to keep the unfinished run, or None.
        curve: where to write the loss curve after each epoch, or None.
        parent: process without which it has no purpose, or None.
        turn: what to wait for before it trains, or None.

    """

    label: str
    recipe: Recipe
    seed: int
    fraction: float
    fraction_key: str
    n_threads: int
    bar: bool
    checkpoint: Path | None = None
    curve: Path | None = None
    parent: int | None = None
    turn: Turn | None = None

    def choose(self, split: Split) -> Labelled:
        """The examples to train on."""
        if self.recipe.validation_too:
            return join(split.train, split.validation)
        if self.fraction == 1:
            return split.train
        return subset(split.train, split.classes, self.fraction, self.seed, self.fraction_key)


@dataclass(frozen=True)
class Result:
    """What came of a trial.

    Attributes:
        network: trained, on the processor.
        curve: a record of each epoch.
        scores: of the sets `train`, `train_split`, `validation`, unless it was trained on, and
            `test`; of the last two by test-time augmentation, too, where the recipe has it, as
            `validation_tta` and `test_tta`.
        predictions: of the last two, by either way, on the processor.

    """

    network: Classifier
    curve: list[Epoch]
    scores: dict[str, Score]
    predictions: dict[str, Predictions]


def run_trial(trial: Trial, split: Split) -> Result:
    """Train, or go on training, and score, in its turn. Runs in any process, on any machine."""
    if trial.parent not in (None, os.getpid()):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent gets it, too, and ends us
    turn = trial.turn.taken(lambda: _end_with_parent(trial)) if trial.turn else nullcontext()
    with turn, explained_out_of_memory():
        return _train_and_score(trial, split)


def _end_with_parent(trial: Trial) -> None:
    if trial.parent not in (None, os.getpid(), os.getppid()):
        os._exit(1)  # nobody is left to wait for the result, and to be told so


def _train_and_score(trial: Trial, split: Split) -> Result:
    torch.set_num_threads(trial.n_threads)
    recipe = trial.recipe
    engine = start_engine(recipe.precision)
    chosen = trial.choose(split)
    examples = Examples.on(engine.device, chosen)
    validation = Examples.on(engine.device, split.validation)
    training = Training(recipe, trial.seed, engine, len(split.classes))
    if trial.checkpoint is not None:
        load_checkpoint(trial.checkpoint, training)
    with closing(_start_progress(trial, len(chosen), len(training.curve))) as progress:
        for epoch in fit(training, examples, validation, progress.batch):
            if trial.checkpoint is not None:
                save_checkpoint(trial.checkpoint, training)
            if trial.curve is not None:
                write_curve(trial.curve, training.curve, split.title)
            progress.epoch(epoch)
            _end_with_parent(trial)

    network = training.network
    scores: dict[str, Score] = {}
    kept: dict[str, Predictions] = {}
    for name, part in (
        ("train", chosen),
        ("train_split", split.train),
        *([] if recipe.validation_too else [("validation", split.validation)]),
        ("test", split.test),
    ):
        if name == "train_split" and part is chosen:
            scores[name] = scores["train"]
            continue
        wanted = Examples.on(engine.device, part)
        predictions = predict(network, wanted.images)
        scores[name] = score(predictions.logits, wanted.labels)
        if name in {"validation", "test"}:  # what a committee is chosen and tested by
            kept[name] = Predictions(predictions.logits.cpu())
            if recipe.test_time_draws > 0:
                averaged = predict_by_views(
                    network, wanted.images, recipe.views, recipe.test_time_draws
                )
                scores[f"{name}_tta"] = score(averaged.logits, wanted.labels)
                kept[f"{name}_tta"] = Predictions(averaged.logits.cpu())
    return Result(network.cpu(), training.curve, scores, kept)


def images_per_epoch(n_examples: int, recipe: Recipe) -> int:
    """How many images, views included, are trained on in an epoch."""
    return n_examples * len(recipe.views) * count_passes(n_examples, recipe)


def write_curve(path: Path, curve: Sequence[Epoch], dataset: str) -> None:
    """One row for each epoch; each names the data set, so that the charts do."""
    write_table(path, pd.DataFrame([asdict(epoch) for epoch in curve]).assign(dataset=dataset))


def _start_progress(trial: Trial, n_examples: int, n_done: int) -> Progress:
    n_images = images_per_epoch(n_examples, trial.recipe)
    return Progress(trial.label, trial.recipe.epochs, n_images, n_done=n_done, bar=trial.bar)
