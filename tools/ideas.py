"""Try ideas for a recipe, by the validation set alone: python -m tools ideas FILE [--table CSV].

The file names the stage whose recipe the ideas change, and what each of them changes there. Each is
trained with each seed, and compared with the first one. The test set is out of reach, as
`tools.selection` has it. What is stopped goes on where it was.
"""

import argparse
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
from pydantic import Field, ValidationError, model_validator
from scipy.stats import ttest_rel

from mnistpipe.data.split_file import read_split
from mnistpipe.files.errors import UserError
from mnistpipe.files.sections import Fraction, Section, read_sections
from mnistpipe.files.tables import write_table
from mnistpipe.training.engine import start_engine
from mnistpipe.training.plan import read_training_run
from mnistpipe.training.recipe import Recipe, Seeds, check_distinct
from mnistpipe.training.trials import Trial
from mnistpipe.training.workers import place_trials, run_trials
from tools.selection import choose


class Ideas(Section):
    """What is tried.

    Attributes:
        recipe: a file in the form of params.yaml ...
        stage: ... and the stage there whose recipe is changed.
        fraction: share of the training split that is trained on; null: all of it.
        seeds: each idea is trained with each of them.
        ideas: by name, the recipe's fields that it changes; `views.0.scale` is a field of a part.

    """

    recipe: str
    stage: str
    fraction: Fraction | None = None
    seeds: Seeds
    ideas: Annotated[dict[str, dict[str, Any]], Field(min_length=1)]

    @model_validator(mode="after")
    def _seeds_differ(self) -> "Ideas":
        check_distinct(self.seeds)
        return self


def main() -> None:
    """Try them, then write a row for each trial, and print a line for each idea."""
    parser = argparse.ArgumentParser(description="Try ideas for a recipe.")
    parser.add_argument("file", type=Path, help="YAML: recipe, stage, fraction, seeds, ideas")
    parser.add_argument("--table", type=Path, help="CSV file for all trials")
    arguments = parser.parse_args()
    wanted = read_sections(Ideas, arguments.file)
    base = read_training_run(wanted.stage, Path(wanted.recipe)).recipe
    recipes = {}
    for name, fields in wanted.ideas.items():
        try:
            recipes[name] = change(base, fields)
        except (ValidationError, LookupError, TypeError, ValueError) as error:
            reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
            raise UserError(
                f"{arguments.file}: ideas.{name} does not change {wanted.recipe}'s {wanted.stage} "
                f"into a recipe: {reason}."
            ) from error
    table = choose(try_all, recipes, wanted.seeds, wanted.fraction or 1.0)
    if arguments.table is not None:
        write_table(arguments.table, table)
    for column in table.columns[table.columns.str.startswith("validation_errors")]:
        print_errors(table, column)


def print_errors(table: pd.DataFrame, column: str) -> None:
    """A line for each idea, beside the first one."""
    errors = table.pivot_table(column, index="seed", columns="idea", sort=False, observed=True)
    first = errors.iloc[:, 0]
    what = "validation errors"
    if column.endswith("_tta"):
        what += " by test-time augmentation"
    for name in errors:
        line = f"{name}: {errors[name].mean():.1f} {what}"
        if len(errors) > 1:
            line += f", sd {errors[name].std():.1f}"
            if name != first.name:
                p = ttest_rel(errors[name], first).pvalue
                line += f", {(errors[name] - first).mean():+.1f} to {first.name}, p = {p:.2g}"
        print(line)


def try_all(recipes: dict[str, Recipe], seeds: tuple[int, ...], fraction: float) -> pd.DataFrame:
    """Train each recipe with each seed; a row for each: idea, seed, validation errors and loss.

    And, if all have test-time augmentation, the errors by it.
    """
    split = read_split()
    trials = [
        Trial(f"{name}, seed {seed}", recipe, seed, fraction, "fraction", n_threads=1, bar=False)
        for name, recipe in recipes.items()
        for seed in seeds
    ]
    placed = place_trials("ideas", trials, start_engine(trials[0].recipe.precision))
    scores = [result.scores for result in run_trials(placed, split)]
    named = [(name, seed) for name in recipes for seed in seeds]
    return pd.DataFrame(
        {
            "idea": [name for name, _ in named],
            "seed": [seed for _, seed in named],
            "validation_errors": [each["validation"].errors for each in scores],
            "validation_loss": [each["validation"].loss for each in scores],
        }
        | (
            {"validation_errors_tta": [each["validation_tta"].errors for each in scores]}
            if all("validation_tta" in each for each in scores)
            else {}
        )
    )


def change(recipe: Recipe, fields: dict[str, Any]) -> Recipe:
    """The recipe with other values.

    Raises LookupError, TypeError or ValueError if it has no such field, or not with this value.
    """
    values = recipe.model_dump(mode="json", exclude={"seeds"})
    for key, value in fields.items():
        *above, last = key.split(".")
        place: Any = values
        for part in above:
            place = place[int(part)] if isinstance(place, list) else place[part]
        place[last] = value
    return Recipe.model_validate(values)


if __name__ == "__main__":
    main()
