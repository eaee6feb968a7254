"""The sections of params.yaml about the learning curve."""

from typing import Annotated

from pydantic import Field, model_validator

from mnistpipe.files.sections import Section, Seed


class LearningCurve(Section):
    """How sure the law of the learning curve is."""

    bootstrap: Annotated[int, Field(ge=100, le=100_000)]
    seed: Seed


class Size(Section):
    """A point of the dense curve.

    Attributes:
        images: of the training split that a network is trained on, as nearly as all classes keep
            their shares.
        seeds: how many networks: by the seeds 1, 2 and so on, each on a choice of images of its
            own.

    """

    images: Annotated[int, Field(ge=2)]
    seeds: Annotated[int, Field(ge=1, le=1_000)]


class DenseCurve(Section):
    """The sweep over many sizes, by the recipe of partial-data.

    Attributes:
        sizes: none for no sweep.
        fit_up_to: the most images of a size that the law is fitted to; it predicts the others.

    """

    sizes: Annotated[tuple[Size, ...], Field(strict=False)]
    fit_up_to: Annotated[int, Field(ge=1)]

    @model_validator(mode="after")
    def _sizes_differ(self) -> "DenseCurve":
        if len({size.images for size in self.sizes}) < len(self.sizes):
            raise ValueError("sizes should name each number of images once")
        return self
