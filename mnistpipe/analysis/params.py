"""The section of params.yaml about the analysis."""

from typing import Annotated

from pydantic import Field

from mnistpipe.files.sections import Section, Seed


class Analyze(Section):
    """What is shown of the best network."""

    mistakes: Annotated[int, Field(ge=16, le=100)]
    neighbours: Annotated[int, Field(ge=1, le=50)]
    perplexity: Annotated[float, Field(ge=2, le=500)]
    seed: Seed
