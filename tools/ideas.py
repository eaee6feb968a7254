"""Try ideas for a recipe, by the validation set alone: python -m tools ideas FILE.

The file names a stage whose recipe is the start, and ideas: what each changes there. Every idea is
trained with every seed and has a row for each in the table beside the file; what stands there is
not trained again. The test set is never looked at.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import torch
from joblib import Parallel, delayed
from pydantic import Field

from mnistpipe.data.split import Split, subset
from mnistpipe.data.split_file import read_split
from mnistpipe.files.errors import UserError
from mnistpipe.files.sections import Fraction, Section, read_sections
from mnistpipe.files.tables import write_table
from mnistpipe.networks.models import Classifier, build_network
from mnistpipe.scoring.scores import Examples
from mnistpipe.training.engine import start_engine
from mnistpipe.training.loop import Training, fit
from mnistpipe.training.plan import read_training_run
from mnistpipe.training.recipe import Recipe, Seeds

COLUMNS = ["idea", "seed", "validation_errors", "validation_loss", "training_loss", "seconds"]


class Idea(Section):
    """A change of the recipe.

    Attributes:
        changes: fields of the recipe, or of its parts by a dot, and what they become.
        teachers: the idea whose networks teach, where there is teaching.
        fraction: share of the training split.

    """

    changes: dict[str, Any]
    teachers: str | None = None
    fraction: Fraction | None = None


class Ideas(Section):
    """What to try."""

    stage: str
    recipe: str
    seeds: Seeds
    ideas: Annotated[dict[str, Idea], Field(min_length=1)]


def main() -> None:
    """Train what is not in the table yet, then print it."""
    parser = argparse.ArgumentParser(description="Try ideas for a recipe.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=600.0)
    parser.add_argument("--to", type=Path)
    arguments = parser.parse_args()
    wanted = read_sections(Ideas, arguments.file)
    base = read_training_run(wanted.stage, Path(wanted.recipe)).recipe
    table = arguments.to or arguments.file.with_suffix(".csv")
    keep = Path(".mnistpipe/ideas")
    keep.mkdir(parents=True, exist_ok=True)
    rows = pd.read_csv(table).to_dict("records") if table.exists() else []
    done = {(row["idea"], row["seed"]) for row in rows}
    tasks = [
        (name, idea, seed)
        for name, idea in wanted.ideas.items()
        for seed in wanted.seeds
        if (name, seed) not in done
    ]
    ends = time.monotonic() + 60 * arguments.minutes
    results = Parallel(n_jobs=arguments.jobs, max_nbytes=None, return_as="generator_unordered")(
        delayed(_try)(base, name, idea, seed, wanted, keep, ends) for name, idea, seed in tasks
    )
    for row in results:
        if row is not None:
            rows.append(row)
            write_table(table, pd.DataFrame(rows, columns=COLUMNS))
            print(row, flush=True)


def _try(
    base: Recipe, name: str, idea: Idea, seed: int, wanted: Ideas, keep: Path, ends: float
) -> dict[str, object] | None:
    torch.set_num_threads(1)
    recipe = change(base, idea.changes)
    engine = start_engine(recipe.precision)
    split = read_split()
    chosen = split.train
    if idea.fraction is not None:
        chosen = subset(split.train, split.classes, idea.fraction, seed, "fraction")
    teachers: Sequence[Classifier] = ()
    if idea.teachers is not None:
        files = [keep / f"{idea.teachers}-{each}.pt" for each in wanted.seeds]
        while not all(file.exists() for file in files):
            if time.monotonic() > ends:
                return None
            time.sleep(0.5)
        teachers = [_load(file, recipe, len(split.classes)) for file in files]
    examples, validation = (Examples.on(engine.device, part) for part in (chosen, split.validation))
    started = time.monotonic()
    if started > ends:
        return None
    training = Training(recipe, seed, engine, len(split.classes), teachers)
    for epoch in fit(training, examples, validation):
        if time.monotonic() > ends:
            return None
    torch.save(training.result.state_dict(), keep / f"{name}-{seed}.tmp")
    (keep / f"{name}-{seed}.tmp").rename(keep / f"{name}-{seed}.pt")
    errors = round((1 - epoch.validation_accuracy) * len(validation))
    return dict(
        zip(
            COLUMNS,
            (
                name,
                seed,
                errors,
                epoch.validation_loss,
                epoch.training_loss,
                round(time.monotonic() - started, 1),
            ),
            strict=True,
        )
    )


def _load(file: Path, recipe: Recipe, n_classes: int) -> Classifier:
    network = build_network(recipe.network, recipe.dropout, n_classes)
    network.load_state_dict(torch.load(file, map_location="cpu"))
    return network


def change(recipe: Recipe, changes: dict[str, Any]) -> Recipe:
    """The recipe with other values."""
    fields = recipe.model_dump(mode="json")
    fields.pop("seeds", None)
    for key, value in changes.items():
        *above, last = key.split(".")
        place = fields
        for part in above:
            place = place[int(part)] if isinstance(place, list) else place[part]
        place[last] = value
    return Recipe.model_validate(fields)


if __name__ == "__main__":
    main()
