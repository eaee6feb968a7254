"""The sections of params.yaml about data."""

from typing import Literal

from mnistpipe.files.sections import Fraction, Section, Seed


class Data(Section):
    """Which data set to use, and what to do where it cannot be had.

    `folder` and `prepare` are about your own images; a path stands there even if they are not used,
    since DVC has to find it.
    """

    dataset: Literal[
        "mnist",
        "fashion-mnist",
        "kmnist",
        "emnist-digits",
        "emnist-letters",
        "emnist-balanced",
        "digits",
        "folder",
    ]
    fallback: Literal["digits"] | None
    folder: str
    prepare: Literal["resize", "mnist"]


class PrepareSplit(Section):
    """How the validation set is drawn from the training images."""

    validation_fraction: Fraction
    seed: Seed
