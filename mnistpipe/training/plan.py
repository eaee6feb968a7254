"""What each train stage trains, as its section of params.yaml says."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from mnistpipe.files.errors import UserError
from mnistpipe.files.sections import PARAMS_FILE, Fraction, Section, read_section
from mnistpipe.training.recipe import Recipe, Seeds, TrainSection, check_distinct

# By network: the runs without and with augmentation, which the study compares.
PAIRS: dict[Literal["convnet", "net"], tuple[str, str]] = {
    "convnet": ("train-convnet", "train-augmented"),
    "net": ("train-net", "train-net-augmented"),
}
_NETWORKS = {stage: network for network, pair in PAIRS.items() for stage in pair}
TRAIN_STAGES = tuple(_NETWORKS)  # on all of the training split
BEST_STAGE = "train-net-augmented"  # the network that is analysed; the full-data point of the curve
SWEEP = "partial-data"
STEPS_SWEEP = "partial-data-steps"  # the same with another number of updates
OWN = "own"  # the user's runs, beside the study

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*$")]

# Shares that the report tells by these names.
NAMED = {"half": 1 / 2, "quarter": 1 / 4, "eighth": 1 / 8, "sixteenth": 1 / 16}


@dataclass(frozen=True)
class TrainingRun:
    """What a train stage trains.

    Attributes:
        recipe: how.
        seeds: one network for each.
        fraction: share of the training split that it is trained on.
        fraction_key: the parameter that says so.
        steps_of: if not None, it is given as many updates as this fraction takes by itself.

    """

    recipe: Recipe
    seeds: tuple[int, ...]
    fraction: float
    fraction_key: str
    steps_of: float | None


class OtherSteps(Section):
    """The sweep once more, for some of the fractions, with other numbers of updates.

    Attributes:
        as_half: as many updates as the half takes by itself; if not, none but those of its
            epochs, which is another sweep only if the recipe has `min_steps`.
        fractions: names among the sweep's.

    """

    as_half: bool
    fractions: Annotated[tuple[Name, ...], Field(strict=False, min_length=1)]


class PartialData(Section):
    """The sweep over fractions of the training split; the keys of `fractions` name its stages."""

    fractions: Annotated[dict[Name, Fraction], Field(min_length=1)]
    seeds: Seeds
    other_steps: OtherSteps
    recipe: Recipe

    @property
    def stages(self) -> dict[str, str]:
        """The sweep's stages in dvc.yaml, by the names of their fractions."""
        return {name: f"{SWEEP}@{name}" for name in self.fractions}

    @property
    def steps_stages(self) -> dict[str, str]:
        """Likewise of the sweep with other numbers of updates."""
        return {name: f"{STEPS_SWEEP}@{name}" for name in self.other_steps.fractions}

    @model_validator(mode="after")
    def _parts_are_consistent(self) -> "PartialData":
        check_distinct(self.seeds)
        check_network("recipe", self.recipe, "net")
        if self.recipe.validation_too:
            raise ValueError("recipe.validation_too should be false: its points are fractions")
        other = self.other_steps
        if other.as_half and "half" not in self.fractions:
            raise ValueError("other_steps.as_half needs half among the fractions")
        if other.as_half != (self.recipe.min_steps == 0):  # else both sweeps could be the same
            raise ValueError(
                "other_steps.as_half should be true if recipe.min_steps is 0, and false if not"
            )
        for name in self.fractions.keys() & NAMED.keys():
            if self.fractions[name] != NAMED[name]:
                raise ValueError(
                    f"fractions.{name} should be {NAMED[name]}, as its name says; give another "
                    "share a name of its own"
                )
        if "full" in self.fractions:
            raise ValueError("fractions should name none full, which train-net-augmented is")
        unknown = sorted(set(other.fractions) - set(self.fractions))
        if unknown or len(set(other.fractions)) < len(other.fractions):
            raise ValueError("other_steps.fractions should name fractions of the sweep, each once")
        return self

    def training_run(self, stage: str) -> TrainingRun:
        """What a stage of either sweep is about.

        Raises UserError, naming all train stages, if neither has such a stage.
        """
        if stage not in (*self.stages.values(), *self.steps_stages.values()):
            known = ", ".join(train_stages(self))
            raise UserError(
                f"'{stage}' is not a train stage; params.yaml has: {known}. The other stages have "
                "scripts of their own in stages/."
            )
        sweep, _, name = stage.partition("@")
        key, fraction = f"{SWEEP}.fractions.{name}", self.fractions[name]
        if sweep == SWEEP:
            return TrainingRun(self.recipe, self.seeds, fraction, key, steps_of=None)
        recipe = self.recipe.model_copy(update={"min_steps": 0})
        steps_of = self.fractions["half"] if self.other_steps.as_half else None
        return TrainingRun(recipe, self.seeds, fraction, key, steps_of)


class Own(Section):
    """Runs on all of the training split that the study and its report know nothing of, by name."""

    runs: dict[Name, TrainSection]

    @property
    def stages(self) -> dict[str, str]:
        """Their stages in dvc.yaml."""
        return {name: f"{OWN}@{name}" for name in self.runs}

    def training_run(self, stage: str) -> TrainingRun:
        """What one of them is about.

        Raises UserError, naming them all, if there is no such stage.
        """
        name = stage.removeprefix(f"{OWN}@")
        if name not in self.runs:
            known = ", ".join(self.runs) or "none"
            raise UserError(
                f"'{stage}' is not a train stage; own.runs in params.yaml has: {known}."
            )
        section = self.runs[name]
        return TrainingRun(section, section.seeds, 1.0, f"{OWN}.runs.{name}", steps_of=None)


def train_stages(partial: PartialData) -> list[str]:
    """The names of the study's stages that train, the sweeps' among them."""
    return [*TRAIN_STAGES, *partial.stages.values(), *partial.steps_stages.values()]


def read_training_run(stage: str, path: Path = PARAMS_FILE) -> TrainingRun:
    """What the train stage of this name in dvc.yaml is about; `partial-data@half` is one.

    Reads the stage's own section alone. Raises UserError if there is no such stage, or with a
    sentence for each thing that is wrong there.
    """
    if stage.startswith(f"{OWN}@"):
        return read_section(OWN, Own, path).training_run(stage)
    if stage not in TRAIN_STAGES:
        return read_section(SWEEP, PartialData, path).training_run(stage)
    section = read_section(stage, TrainSection, path)
    try:
        return whole_data_run(stage, section)
    except ValueError as error:
        raise UserError(f"{path}: {error}.") from error


def whole_data_run(stage: str, section: TrainSection) -> TrainingRun:
    """What one of `TRAIN_STAGES` is about.

    Raises ValueError if its section is about another network than its name.
    """
    check_network(stage, section, _NETWORKS[stage])
    return TrainingRun(section, section.seeds, 1.0, stage, steps_of=None)


def check_network(key: str, recipe: Recipe, network: str) -> None:
    """Raises ValueError if a recipe is about another network than its stage's name."""
    if recipe.network != network:
        raise ValueError(
            f"{key}.network should be {network}, which its stage is about, not {recipe.network}"
        )
