"""params.yaml as frozen, strict models: a wrong key, type or range is one clear sentence."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic import model_validator as check_model
from pydantic_core import ErrorDetails

from mnistpipe.errors import UserError

PARAMS_FILE = Path("params.yaml")
TRAIN_STAGES = ("train-convnet", "train-augmented", "train-net", "train-net-augmented")
BEST_STAGE = "train-net-augmented"  # the network that is analysed; the full-data point of the curve
SWEEP = "partial-data"

Seed = Annotated[int, Field(ge=0, lt=2**32)]
Fraction = Annotated[float, Field(gt=0, lt=1)]
FractionName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*$")]
View = Literal["original", "blur", "rotation"]


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


class Recipe(_Section):
    """Everything that decides how one network is trained."""

    network: Literal["convnet", "net"]
    dropout: Annotated[float, Field(ge=0, lt=1)]
    views: Annotated[tuple[View, ...], Field(strict=False)]  # YAML has lists, no tuples
    rotation_degrees: Annotated[float, Field(gt=0, le=180)] | None
    epochs: Annotated[int, Field(ge=1, le=10_000)]
    # One image alone has no batch statistics, so the smallest batch is two.
    batch_size: Annotated[int, Field(ge=2, le=65_536)]
    test_batch_size: Annotated[int, Field(ge=1, le=65_536)]
    optimizer: Literal["adadelta", "rmsprop"]
    lr: Annotated[float, Field(gt=0, le=1_000)]
    step_epochs: Annotated[int, Field(ge=1, le=10_000)]
    min_steps: Annotated[int, Field(ge=0, le=10_000_000)]
    gamma: Annotated[float, Field(gt=0, le=1)]
    precision: Literal["auto", "fp32", "bf16"]
    seed: Seed

    @check_model(mode="after")
    def _views_are_consistent(self) -> "Recipe":
        if not self.views or len(set(self.views)) < len(self.views):
            raise ValueError("views should name at least one view, and each one once")
        if ("rotation" in self.views) != (self.rotation_degrees is not None):
            raise ValueError(
                "rotation_degrees should be a number if views has rotation, and null if not"
            )
        return self


class PartialData(_Section):
    """The sweep over fractions of the training split; the keys of `fractions` name its stages."""

    other_min_steps: Annotated[int, Field(ge=0, le=10_000_000)]
    fractions: Annotated[dict[FractionName, Fraction], Field(min_length=1)]
    recipe: Recipe


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


class Params(_Section):
    """The whole of params.yaml; the fields' aliases are its sections."""

    data: Data
    prepare_split: PrepareSplit = Field(alias="prepare-split")
    train_convnet: Recipe = Field(alias="train-convnet")
    train_augmented: Recipe = Field(alias="train-augmented")
    train_net: Recipe = Field(alias="train-net")
    train_net_augmented: Recipe = Field(alias="train-net-augmented")
    partial_data: PartialData = Field(alias="partial-data")
    learning_curve: LearningCurve = Field(alias="learning-curve")
    analyze: Analyze

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

    def training_run(self, stage: str) -> tuple[Recipe, float]:
        """The recipe of a train stage, and the fraction of the training split that it trains on.

        `stage` is its name in dvc.yaml, such as `train-net` or `partial-data@half`.
        """
        sweep, _, name = stage.partition("@")
        if sweep == SWEEP and name in self.partial_data.fractions:
            return self.partial_data.recipe, self.partial_data.fractions[name]
        if stage in TRAIN_STAGES:
            recipe: Recipe = getattr(self, stage.replace("-", "_"))
            return recipe, 1.0
        known = [*TRAIN_STAGES, *sweep_stages(self)]
        raise UserError(f"'{stage}' is not a train stage; params.yaml has: {', '.join(known)}.")


def sweep_stages(params: Params) -> list[str]:
    """The names of the sweep's stages in dvc.yaml, in the order of params.yaml."""
    return [f"{SWEEP}@{name}" for name in params.partial_data.fractions]


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
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, RecursionError) as error:
        # All but the first are PyYAML's, too: for broken dates, tags and very deep nesting.
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
            says = f" should be a section with keys of its own, not {_show(details['input'])}"
        case _:
            says = _allowed(details, place[-1])
    return f"{key}{says}."


def _allowed(details: ErrorDetails, key: str) -> str:
    """Pydantic's own words for what a value should be, and what it is."""
    allowed = details["msg"].removeprefix("Input ")
    if key in ("fallback", "rotation_degrees"):
        allowed += " or null"
    hint = ""
    if isinstance(details["input"], str) and _is_number(details["input"]):
        hint = " (YAML reads it as text: write it out, without quotes or exponent, like 0.001)"
    return f" {allowed}, not {_show(details['input'])}{hint}"


def _known_keys(place: list[str]) -> list[str]:
    """The keys of the section at `place`, by following the models' annotations."""
    model: type[BaseModel] = Params
    for part in place:
        fields = {field.alias or name: field.annotation for name, field in _fields(model).items()}
        model = fields[part]  # only models reject extra keys
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
