"""The section of params.yaml about robustness."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from mnistpipe.files.sections import Section, Seed, show

Perturbation = Literal["blur", "rotation"]


class Robustness(Section):
    """How strongly the test images are blurred and turned."""

    blur_passes: Annotated[tuple[Annotated[int, Field(ge=0, le=20)], ...], Field(strict=False)]
    turn_degrees: Annotated[tuple[Annotated[int, Field(ge=0, le=180)], ...], Field(strict=False)]
    seed: Seed

    @property
    def strengths(self) -> dict[Perturbation, tuple[int, ...]]:
        """From 0, the untouched images, upwards."""
        return {"blur": self.blur_passes, "rotation": self.turn_degrees}

    @model_validator(mode="after")
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
                    f"one number, each greater than the one before, not {show([*strengths])}"
                )
        return self
