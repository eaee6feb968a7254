"""The sections of params.yaml about data."""

from typing import Literal

from mnistpipe.files.sections import Fraction, Section, Seed


class Data(Section):
    """Which data set to use, and what to do where it cannot be had."""

    dataset: Literal[
        "mnist",
        "fashion-mnist",
        "kmnist",
        "emnist-digits",
        "emnist-letters",
        "emnist-balanced",
        "digits",
    ]
    fallback: Literal["digits"] | None


class PrepareSplit(Section):
    """How the validation set is drawn from the training images."""

    validation_fraction: Fraction
    seed: Seed
