"""The stratified split, and the nested subsets of the training part."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64, UInt8
from numpy import ndarray

from mnistpipe.files.errors import UserError

SIDE = 28  # pixels along each edge of an image


@dataclass(frozen=True)
class Labelled:
    """Images, grey levels 0..255, with their class numbers, counted from 0."""

    images: UInt8[ndarray, "n 28 28"]
    labels: Int64[ndarray, " n"]

    def __len__(self) -> int:
        """The number of images."""
        return len(self.labels)


@dataclass(frozen=True)
class Split:
    """The canonical arrays that everything after `prepare-split` reads.

    Attributes:
        title: the data set's name, as it stands in every product.
        classes: the classes' names, by number.
        train: what may be trained on.
        validation: scored after each epoch, never trained on.
        test: untouched by training and selection.
        train_indices: where `train` stood among the training images as they came.
        validation_indices: likewise for `validation`; a validation set that the data set has itself
            stands behind all training images.

    """

    title: str
    classes: tuple[str, ...]
    train: Labelled
    validation: Labelled
    test: Labelled
    train_indices: Int64[ndarray, " n_train"]
    validation_indices: Int64[ndarray, " n_validation"]


def split_dataset(
    title: str,
    classes: tuple[str, ...],
    train: Labelled,
    test: Labelled,
    validation_fraction: float,
    seed: int,
    validation: Labelled | None = None,
) -> Split:
    """Set a fraction of each class of `train` aside for validation; all keep their order.

    Where the data set has a validation set itself, that is taken, and `train` stays whole.

    Raises UserError if a class would have no example left in one of the two parts.
    """
    if validation is not None:
        n_train, n_both = len(train), len(train) + len(validation)
        indices = np.arange(n_train), np.arange(n_train, n_both)
        return Split(title, classes, train, validation, test, *indices)
    labels = train.labels
    key = "prepare-split.validation_fraction"
    chosen = nested_subset(labels, classes, validation_fraction, seed, key)
    rest = np.setdiff1d(np.arange(len(labels)), chosen, assume_unique=True)
    for class_number in np.unique(labels):
        if not np.any(labels[rest] == class_number):
            raise UserError(
                f"{key} {validation_fraction} leaves no example of class {classes[class_number]} "
                "for training; take a smaller fraction."
            )
    return Split(
        title=title,
        classes=classes,
        train=_take(train, rest),
        validation=_take(train, chosen),
        test=test,
        train_indices=rest,
        validation_indices=chosen,
    )


def nested_subset(
    labels: Int64[ndarray, " n"], classes: Sequence[str], fraction: float, seed: int, parameter: str
) -> Int64[ndarray, " k"]:
    """Indices of a stratified subset, in ascending order.

    Each class is shuffled once, by the seed alone, and the subset takes the first
    `round(fraction * class size)` of each: with the same seed a smaller fraction's subset lies
    inside a larger one's, and each class has its share to within half an example.

    Raises UserError, naming the parameter and the class, if one would have no example.
    """
    generator = np.random.default_rng(seed)
    parts = []
    for class_number, name in enumerate(classes):
        members = generator.permutation(np.flatnonzero(labels == class_number))
        n_taken = round(fraction * len(members))
        if n_taken == 0 and len(members) > 0:
            raise UserError(
                f"{parameter} {fraction} leaves no example of class {name}, which has "
                f"{len(members)}; take a larger fraction."
            )
        parts.append(members[:n_taken])
    return np.sort(np.concatenate(parts))


def subset(
    examples: Labelled, classes: Sequence[str], fraction: float, seed: int, parameter: str
) -> Labelled:
    """The examples at the indices of `nested_subset`."""
    return _take(examples, nested_subset(examples.labels, classes, fraction, seed, parameter))


def join(first: Labelled, second: Labelled) -> Labelled:
    """The examples of both, one after the other."""
    return Labelled(
        np.concatenate([first.images, second.images]), np.concatenate([first.labels, second.labels])
    )


def _take(examples: Labelled, indices: Int64[ndarray, " k"]) -> Labelled:
    return Labelled(examples.images[indices], examples.labels[indices])
