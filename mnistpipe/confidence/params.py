"""The section of params.yaml about confidence."""

from typing import Annotated

from pydantic import Field

from mnistpipe.files.sections import Section, Seed


class Confidence(Section):
    """How confidence is compared with accuracy."""

    bins: Annotated[int, Field(ge=2, le=100)]
    bootstrap: Annotated[int, Field(ge=100, le=100_000)]
    seed: Seed
