"""The section of params.yaml about the learning curve."""

from typing import Annotated

from pydantic import Field

from mnistpipe.files.sections import Section, Seed


class LearningCurve(Section):
    """How sure the law of the learning curve is."""

    bootstrap: Annotated[int, Field(ge=100, le=100_000)]
    seed: Seed
