"""Train networks on ever more images; the law of the small sizes predicts the large ones."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from mnistpipe.data.split import Split
from mnistpipe.data.split_file import read_split
from mnistpipe.files.artifacts import write_json
from mnistpipe.files.errors import UserError
from mnistpipe.files.figure_files import write_figure
from mnistpipe.files.sections import read_section
from mnistpipe.files.tables import write_table
from mnistpipe.learning_curve.dense import COLUMNS, describe, fit_dense_curve, gather_sizes
from mnistpipe.learning_curve.dense_figure import draw_dense_curve
from mnistpipe.learning_curve.params import DenseCurve, LearningCurve, Size
from mnistpipe.training.checkpoints import finish
from mnistpipe.training.engine import start_engine
from mnistpipe.training.loop import count_steps
from mnistpipe.training.plan import SWEEP, PartialData
from mnistpipe.training.recipe import Recipe
from mnistpipe.training.trials import Result, Trial
from mnistpipe.training.workers import place_trials, run_trials

STAGE = "dense-curve"
TABLE = Path("plots/dense-curve.csv")


def main() -> None:
    """Without sizes, which is the default, nothing is trained and all that is written is empty."""
    wanted = read_section(STAGE, DenseCurve)
    settings = read_section("learning-curve", LearningCurve)
    sweep = read_section(SWEEP, PartialData)
    recipe = sweep.recipe
    split = read_split()
    trials = _plan(wanted.sizes, recipe, split)
    results: list[Result] = []
    if trials:
        # Finished networks are kept when DVC has recorded them, too: another size trains no other.
        trials = place_trials(STAGE, trials, start_engine(recipe.precision))
        results = run_trials(trials, split)
    rows = []
    for trial, result in zip(trials, results, strict=True):
        train, validation, test = (result.scores[name] for name in ("train", "validation", "test"))
        rows.append(
            {
                "images": round(trial.fraction * len(split.train)),
                "seed": trial.seed,
                "examples": train.count,
                "updates": count_steps(train.count, recipe),
                "training_error": 1 - train.accuracy,
                "validation_error": 1 - validation.accuracy,
                "test_error": 1 - test.accuracy,
                "test_images": test.count,
                "dataset": split.title,
            }
        )
    table = pd.DataFrame(rows, columns=COLUMNS).sort_values(["images", "seed"])
    dense = fit_dense_curve(
        gather_sizes(table), wanted.fit_up_to, settings.bootstrap, settings.seed
    )
    write_table(TABLE, table)
    write_figure(STAGE, draw_dense_curve(dense, split.title))
    write_json(Path("metrics/dense-curve.json"), describe(dense))
    if trials:
        finish(STAGE, [trial.checkpoint for trial in trials], TABLE)


def _plan(sizes: Sequence[Size], recipe: Recipe, split: Split) -> list[Trial]:
    """The largest first: what is trained last, perhaps alone, should be short."""
    n_all, n_networks = len(split.train), sum(size.seeds for size in sizes)
    trials: list[Trial] = []
    for size in sorted(sizes, key=lambda size: size.images, reverse=True):
        if size.images > n_all:
            raise UserError(
                f"dense-curve.sizes asks for {size.images} images, and the training split has "
                f"{n_all}; take fewer."
            )
        for seed in range(1, size.seeds + 1):
            place = f"{STAGE} {len(trials) + 1} of {n_networks}"
            trials.append(
                Trial(
                    label=f"{place} ({size.images:,} images, seed {seed})",
                    recipe=recipe,
                    seed=seed,
                    fraction=size.images / n_all,
                    fraction_key=f"dense-curve.sizes with {size.images} images, a fraction of",
                    n_threads=1,
                    bar=False,
                )
            )
    return trials
