"""The recipe of one training run, as params.yaml gives it.

A view, an optimizer and a schedule are each a name with its own parameters.
"""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from mnistpipe.files.sections import Fraction, Section, Seed


class Original(Section):
    """The image as it is."""

    name: Literal["original"]


class Blur(Section):
    """The image, blurred by the binomial kernel."""

    name: Literal["blur"]


class Rotation(Section):
    """The image, turned by an angle that is drawn uniformly from `-degrees` to `degrees`."""

    name: Literal["rotation"]
    degrees: Annotated[float, Field(gt=0, le=180)]


class Affine(Section):
    """The image, deformed by numbers drawn uniformly; these are the half widths.

    Attributes:
        degrees: angle of rotation.
        translation: shift along each axis, as a share of the image's side.
        scale: change of size: 0.1 means from 0.9 to 1.1.
        shear: shift along the rows for each pixel down, in pixels.

    """

    name: Literal["affine"]
    degrees: Annotated[float, Field(ge=0, le=180)]
    translation: Annotated[float, Field(ge=0, le=0.5)]
    scale: Annotated[float, Field(ge=0, le=0.5)]
    shear: Annotated[float, Field(ge=0, le=1)]


View = Annotated[Original | Blur | Rotation | Affine, Field(discriminator="name")]

OptimizerName = Literal["adadelta", "rmsprop", "adamw"]


class OptimizerParams(Section):
    """PyTorch's optimizer of this name, with its defaults but for the weight decay."""

    name: OptimizerName
    weight_decay: Annotated[float, Field(ge=0, le=1_000)]


class Step(Section):
    """The learning rate is multiplied by `gamma` after every `step_epochs` epochs."""

    name: Literal["step"]
    step_epochs: Annotated[int, Field(ge=1, le=10_000)]
    gamma: Annotated[float, Field(gt=0, le=1)]


class OneCycle(Section):
    """It rises from 0 in the first `warmup_fraction` of all updates and falls back to 0."""

    name: Literal["one-cycle"]
    warmup_fraction: Fraction


Schedule = Annotated[Step | OneCycle, Field(discriminator="name")]


class Recipe(Section):
    """Everything that decides how one network is trained, but for the seed."""

    network: Literal["convnet", "net"]  # as in NETWORKS of networks/models.py
    dropout: Annotated[float, Field(ge=0, lt=1)]
    views: Annotated[tuple[View, ...], Field(strict=False, min_length=1)]  # YAML has lists
    epochs: Annotated[int, Field(ge=1, le=10_000)]
    min_steps: Annotated[int, Field(ge=0, le=10_000_000)]
    # One image alone has no batch statistics, so the smallest batch is two.
    batch_size: Annotated[int, Field(ge=2, le=65_536)]
    lr: Annotated[float, Field(gt=0, le=1_000)]
    optimizer: OptimizerParams
    schedule: Schedule
    label_smoothing: Annotated[float, Field(ge=0, lt=1)]
    validation_too: bool = False
    test_time_draws: Annotated[int, Field(ge=0, le=1_000)] = 0
    precision: Literal["auto", "fp32", "bf16"]

    @model_validator(mode="after")
    def _views_differ(self) -> "Recipe":
        if len({view.name for view in self.views}) < len(self.views):
            raise ValueError("views should name each view once")
        return self


Seeds = Annotated[tuple[Seed, ...], Field(strict=False, min_length=1)]


class TrainSection(Recipe):
    """The recipe of one train stage, and the seeds that it is repeated with."""

    seeds: Seeds

    @model_validator(mode="after")
    def _seeds_differ(self) -> "TrainSection":
        check_distinct(self.seeds)
        return self


def check_distinct(seeds: tuple[int, ...]) -> None:
    """Raises ValueError if a seed stands twice: it would count the same network twice."""
    if len(set(seeds)) < len(seeds):
        raise ValueError("seeds should name each seed once")
