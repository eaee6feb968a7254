"""params.yaml as frozen, strict models: a wrong key, type or range is one clear sentence."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic import model_validator as check_model
from pydantic_core import ErrorDetails

from mnistpipe.errors import UserError

PARAMS_FILE = Path("params.yaml")
# All but the first are PyYAML's, too: for broken dates and numbers, tags, sets, very deep nesting.
_YAML_ERRORS = (
    yaml.YAMLError,
    ValueError,
    TypeError,
    ArithmeticError,
    LookupError,
    AttributeError,
    RecursionError,
)
TRAIN_STAGES = ("train-convnet", "train-augmented", "train-net", "train-net-augmented")
BEST_STAGE = "train-net-augmented"  # the network that is analysed; the full-data point of the curve
SWEEP = "partial-data"
STEPS_SWEEP = "partial-data-steps"  # the same with another number of updates
# By network: the runs without and with augmentation, which the study compares.
PAIRS: dict[Literal["convnet", "net"], tuple[str, str]] = {
    "convnet": ("train-convnet", "train-augmented"),
    "net": ("train-net", "train-net-augmented"),
}

Seed = Annotated[int, Field(ge=0, lt=2**32)]
Fraction = Annotated[float, Field(gt=0, lt=1)]
FractionName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*$")]
View = Literal["original", "blur", "rotation", "affine"]
Seeds = Annotated[tuple[Seed, ...], Field(strict=False, min_length=1)]  # YAML has lists, no tuples
Perturbation = Literal["blur", "rotation"]


class _Section(BaseModel):
    model_config = ConfigDict(
        frozen=True, strict=True, extra="forbid", allow_inf_nan=False, validate_by_alias=True
    )


class Data(_Section):
    """Which data set to use, and what to do where it cannot be had."""

    dataset: Literal["mnist", "digits"]
    fallback: Literal["digits"] | None


class PrepareSplit(_Section):
    """How the validation set is drawn from the training images."""

    validation_fraction: Fraction
    seed: Seed


class Affine(_Section):
    """Half widths of the uniform distributions that an affine view is drawn from.

    Attributes:
        degrees: angle of rotation.
        translation: shift along each axis, as a share of the image's side.
        scale: change of size: 0.1 means from 0.9 to 1.1.
        shear: shift along the rows for each pixel down, in pixels.

    """

    degrees: Annotated[float, Field(ge=0, le=180)]
    translation: Annotated[float, Field(ge=0, le=0.5)]
    scale: Annotated[float, Field(ge=0, le=0.5)]
    shear: Annotated[float, Field(ge=0, le=1)]


class Recipe(_Section):
    """Everything that decides how one network is trained, but for the seed."""

    network: Literal["convnet", "net"]
    dropout: Annotated[float, Field(ge=0, lt=1)]
    views: Annotated[tuple[View, ...], Field(strict=False)]
    rotation_degrees: Annotated[float, Field(gt=0, le=180)] | None
    affine: Affine | None
    epochs: Annotated[int, Field(ge=1, le=10_000)]
    min_steps: Annotated[int, Field(ge=0, le=10_000_000)]
    # One image alone has no batch statistics, so the smallest batch is two.
    batch_size: Annotated[int, Field(ge=2, le=65_536)]
    test_batch_size: Annotated[int, Field(ge=1, le=65_536)]
    optimizer: Literal["adadelta", "rmsprop", "adamw"]
    weight_decay: Annotated[float, Field(ge=0, le=1_000)]
    lr: Annotated[float, Field(gt=0, le=1_000)]
    schedule: Literal["step", "one-cycle"]
    step_epochs: Annotated[int, Field(ge=1, le=10_000)] | None
    gamma: Annotated[float, Field(gt=0, le=1)] | None
    warmup_fraction: Fraction | None
    label_smoothing: Annotated[float, Field(ge=0, lt=1)]
    weight_averaging: Fraction | None
    precision: Literal["auto", "fp32", "bf16"]

    @check_model(mode="after")
    def _parts_are_consistent(self) -> "Recipe":
        if not self.views or len(set(self.views)) < len(self.views):
            raise ValueError("views should name at least one view, and each one once")
        for view, key in (("rotation", "rotation_degrees"), ("affine", "affine")):
            if (view in self.views) != (getattr(self, key) is not None):
                raise ValueError(f"{key} should be set if views has {view}, and null if not")
        for schedule, keys in (
            ("step", ("step_epochs", "gamma")),
            ("one-cycle", ("warmup_fraction",)),
        ):
            for key in keys:
                if (self.schedule == schedule) != (getattr(self, key) is not None):
                    raise ValueError(
                        f"{key} should be set if schedule is {schedule}, and null if not"
                    )
        return self


class TrainSection(Recipe):
    """The recipe of one train stage, and the seeds that it is repeated with."""

    seeds: Seeds

    @check_model(mode="after")
    def _seeds_differ(self) -> "TrainSection":
        _check_distinct(self.seeds)
        return self


class OtherSteps(_Section):
    """The sweep once more, for some of the fractions, with other numbers of updates.

    Attributes:
        as_half: as many updates as the half takes by itself; if not, none but those of its
            epochs, which is another sweep only if the recipe has `min_steps`.
        fractions: names among the sweep's.

    """

    as_half: bool
    fractions: Annotated[tuple[FractionName, ...], Field(strict=False, min_length=1)]


class PartialData(_Section):
    """The sweep over fractions of the training split; the keys of `fractions` name its stages."""

    fractions: Annotated[dict[FractionName, Fraction], Field(min_length=1)]
    seeds: Seeds
    other_steps: OtherSteps
    recipe: Recipe

    @check_model(mode="after")
    def _parts_are_consistent(self) -> "PartialData":
        _check_distinct(self.seeds)
        other = self.other_steps
        if other.as_half and "half" not in self.fractions:
            raise ValueError("other_steps.as_half needs half among the fractions")
        if other.as_half != (self.recipe.min_steps == 0):  # else both sweeps could be the same
            raise ValueError(
                "other_steps.as_half should be true if recipe.min_steps is 0, and false if not"
            )
        if "full" in self.fractions:
            raise ValueError("fractions should name none full, which train-net-augmented is")
        unknown = sorted(set(other.fractions) - set(self.fractions))
        if unknown or len(set(other.fractions)) < len(other.fractions):
            raise ValueError("other_steps.fractions should name fractions of the sweep, each once")
        return self


class LearningCurve(_Section):
    """How sure the law of the learning curve is."""

    bootstrap: Annotated[int, Field(ge=100, le=100_000)]
    seed: Seed


class Analyze(_Section):
    """What is shown of the best network."""

    mistakes: Annotated[int, Field(ge=16, le=100)]
    neighbours: Annotated[int, Field(ge=1, le=50)]
    perplexity: Annotated[float, Field(ge=2, le=500)]
    seed: Seed


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


class Robustness(_Section):
    """How strongly the test images are blurred and turned."""

    blur_passes: Annotated[tuple[Annotated[int, Field(ge=0, le=20)], ...], Field(strict=False)]
    turn_degrees: Annotated[tuple[Annotated[int, Field(ge=0, le=180)], ...], Field(strict=False)]
    seed: Seed

    @property
    def strengths(self) -> dict[Perturbation, tuple[int, ...]]:
        """From 0, the untouched images, upwards."""
        return {"blur": self.blur_passes, "rotation": self.turn_degrees}

    @check_model(mode="after")
    def _strengths_rise_from_zero(self) -> "Robustness":
        for key in ("blur_passes", "turn_degrees"):
            strengths = getattr(self, key)
            if (
                strengths[:1] != (0,)
                or list(strengths) != sorted({*strengths})
                or strengths == (0,)
            ):
                raise ValueError(
                    f"{key} should start with 0, the untouched images, and go on with at least "
                    f"one number, each greater than the one before, not {_show([*strengths])}"
                )
        return self


class Params(_Section):
    """The whole of params.yaml; the fields' aliases are its sections."""

    data: Data
    prepare_split: PrepareSplit = Field(alias="prepare-split")
    train_convnet: TrainSection = Field(alias="train-convnet")
    train_augmented: TrainSection = Field(alias="train-augmented")
    train_net: TrainSection = Field(alias="train-net")
    train_net_augmented: TrainSection = Field(alias="train-net-augmented")
    partial_data: PartialData = Field(alias="partial-data")
    learning_curve: LearningCurve = Field(alias="learning-curve")
    analyze: Analyze
    robustness: Robustness

    @check_model(mode="after")
    def _networks_fit_the_stages_names(self) -> "Params":
        for key, recipe, network in (
            ("train-convnet", self.train_convnet, "convnet"),
            ("train-augmented", self.train_augmented, "convnet"),
            ("train-net", self.train_net, "net"),
            ("train-net-augmented", self.train_net_augmented, "net"),
            ("partial-data.recipe", self.partial_data.recipe, "net"),
        ):
            if recipe.network != network:
                raise ValueError(
                    f"{key}.network should be {network}, which its stage is about, "
                    f"not {recipe.network}"
                )
        return self

    def training_run(self, stage: str) -> TrainingRun:
        """What the train stage of this name in dvc.yaml is about; `partial-data@half` is one.

        Raises UserError if there is no such stage.
        """
        sweep, _, name = stage.partition("@")
        if stage in TRAIN_STAGES:
            section: TrainSection = getattr(self, stage.replace("-", "_"))
            return TrainingRun(section, section.seeds, 1.0, stage, steps_of=None)
        partial = self.partial_data
        recipe, steps_of = partial.recipe, None
        names = [*partial.fractions]
        if sweep == STEPS_SWEEP:
            recipe = recipe.model_copy(update={"min_steps": 0})
            steps_of = partial.fractions["half"] if partial.other_steps.as_half else None
            names = [*partial.other_steps.fractions]
        if sweep in (SWEEP, STEPS_SWEEP) and name in names:
            key = f"{SWEEP}.fractions.{name}"
            return TrainingRun(recipe, partial.seeds, partial.fractions[name], key, steps_of)
        known = ", ".join(train_stages(self))
        raise UserError(f"'{stage}' is not a train stage; params.yaml has: {known}.")


def _check_distinct(seeds: tuple[int, ...]) -> None:
    if len(set(seeds)) < len(seeds):
        raise ValueError("seeds should name each seed once")


def sweep_stages(params: Params) -> list[str]:
    """The names of the sweep's stages in dvc.yaml, in the order of params.yaml."""
    return [f"{SWEEP}@{name}" for name in params.partial_data.fractions]


def steps_sweep_stages(params: Params) -> list[str]:
    """Likewise of the sweep with other numbers of updates."""
    return [f"{STEPS_SWEEP}@{name}" for name in params.partial_data.other_steps.fractions]


def train_stages(params: Params) -> list[str]:
    """The names of all stages that train."""
    return [*TRAIN_STAGES, *sweep_stages(params), *steps_sweep_stages(params)]


def load_params(path: Path = PARAMS_FILE) -> Params:
    """Read and check the whole file.

    Raises UserError with a sentence for each thing that is wrong, naming the key.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeyLoader)  # noqa: S506 (a SafeLoader)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text.") from error
    except _YAML_ERRORS as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path} is not valid YAML: {reason}.") from error
    if not isinstance(content, dict):
        raise UserError(f"{path} should hold sections such as 'data:', not {_show(content)}.")
    try:
        return Params.model_validate(content)
    except ValidationError as error:
        sentences = [f"{path}: {_sentence(details)}" for details in error.errors()]
        raise UserError("\n".join(sentences)) from error


class _UniqueKeyLoader(yaml.SafeLoader):
    """PyYAML keeps the last of two equal keys in silence; here the second one is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 (PyYAML's signature)
        seen = set()
        for key_node, _ in node.value:
            key = str(key_node.value)
            if key in seen:
                line = key_node.start_mark.line + 1
                raise yaml.constructor.ConstructorError(
                    problem=f"the key '{key}' stands twice, the second time in line {line}"
                )
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


def _sentence(details: ErrorDetails) -> str:
    """One sentence for one of pydantic's findings."""
    place = [str(part) for part in details["loc"] if part != "[key]"]
    key = _printable(".".join(place)) or "the file"
    match details["type"]:
        case "missing":
            says = " is missing"
        case "extra_forbidden":
            known = ", ".join(_known_keys(place[:-1]))
            says = f" is not a parameter; {'.'.join(place[:-1]) or 'the file'} knows: {known}"
        case "value_error":
            # Raised by our own checks; those of the whole file name their keys themselves.
            says = f": {details['ctx']['error']}"
            if not place:
                return f"{details['ctx']['error']}."
        case "string_pattern_mismatch":
            says = " should be a name of lower-case letters, digits and hyphens"
        case _ if "[key]" in details["loc"]:
            says = " should be a name, not a number or the like"
        case "too_short":
            says = " should not be empty"
        case "model_type":
            kind = "a section with keys of its own" + (" or null" if place[-1] in _NULLABLE else "")
            says = f" should be {kind}, not {_show(details['input'])}"
        case _:
            says = _allowed(details, place[-1])
    return f"{key}{says}."


def _allowed(details: ErrorDetails, key: str) -> str:
    """Pydantic's own words for what a value should be, and what it is."""
    allowed = details["msg"].removeprefix("Input ")
    if key in _NULLABLE:
        allowed += " or null"
    hint = ""
    if isinstance(details["input"], str) and _is_number(details["input"]):
        hint = " (YAML reads it as text: write it out, without quotes or exponent, like 0.001)"
    return f" {allowed}, not {_show(details['input'])}{hint}"


# Keys that may be null; none of them has another meaning in another section.
_NULLABLE = {
    name
    for model in (Data, Recipe)
    for name, field in model.model_fields.items()
    if type(None) in get_args(field.annotation)
}


def _known_keys(place: list[str]) -> list[str]:
    """The keys of the section at `place`, by following the models' annotations."""
    model: type[BaseModel] = Params
    for part in place:
        fields = {field.alias or name: field.annotation for name, field in _fields(model).items()}
        # Only models reject extra keys; one that may be null stands beside None.
        model = next(kind for kind in (*get_args(fields[part]), fields[part]) if kind is not None)
    return [field.alias or name for name, field in _fields(model).items()]


def _fields(model: type[BaseModel]) -> Mapping[str, Any]:
    return model.model_fields


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _show(value: object) -> str:
    if value is None:
        return "empty"
    try:
        text = repr(value)
    except ValueError:  # Python does not write out whole numbers of thousands of digits
        return "a very large number"
    return text if len(text) <= 60 else f"{text[:57]}..."  # noqa: PLR2004


def _printable(text: str) -> str:
    """In one line, whatever the key in the file is made of."""
    return text if text.isprintable() else repr(text)
