"""Which labels the networks dispute: each image is judged by those that were not trained on it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int64
from numpy import ndarray

from mnistpipe.data.split import Split, nested_subset
from mnistpipe.scoring.probabilities import softmax
from mnistpipe.training.plan import TrainingRun

UNSEEN = -1  # in the place of a class


@dataclass(frozen=True)
class Judgements:
    """What each of k networks says of n images; nothing of those that it was trained on.

    Attributes:
        stages: those that trained the networks.
        predicted: the most probable class, or -1 where there is no judgement.
        label_probability: what it gives to the image's label; 0 where there is none.

    """

    stages: tuple[str, ...]
    predicted: Int64[ndarray, "n k"]
    label_probability: Float[ndarray, "n k"]

    @property
    def judges(self) -> Int64[ndarray, " n"]:
        """How many networks judge each image."""
        counts: Int64[ndarray, " n"] = (self.predicted >= 0).sum(axis=1)
        return counts


@dataclass(frozen=True)
class Disputed:
    """Images of which most of their judges say the same other class than the label.

    Attributes:
        indices: among the images of the set, the least probable label first.
        says: the class that they say.
        votes: how many of them say it.
        judges: how many there are.
        label_probability: what they give to the label, on average.

    """

    indices: Int64[ndarray, " d"]
    says: Int64[ndarray, " d"]
    votes: Int64[ndarray, " d"]
    judges: Int64[ndarray, " d"]
    label_probability: Float[ndarray, " d"]


def held_out(split: Split, run: TrainingRun) -> dict[str, Bool[ndarray, " n"]]:
    """Of each set, which images the network that a run has saved, its first, was not trained on."""
    seen = nested_subset(
        split.train.labels, split.classes, run.fraction, run.seeds[0], run.fraction_key
    )
    unseen = {
        "test": np.ones(len(split.test), dtype=bool),
        "validation": np.full(len(split.validation), not run.recipe.validation_too),
        "train": np.ones(len(split.train), dtype=bool),
    }
    unseen["train"][seen] = False
    return unseen


def judge(
    labels: Int64[ndarray, " n"],
    unseen: Mapping[str, Bool[ndarray, " n"]],
    logits: Mapping[str, Float[ndarray, "_ c"]],
) -> Judgements:
    """By stage, from its network's logits of the images that it has not seen, in their order."""
    shape = len(labels), len(unseen)
    predicted, probability = np.full(shape, UNSEEN), np.zeros(shape)
    for column, (stage, own) in enumerate(unseen.items()):
        probabilities = softmax(logits[stage])
        predicted[own, column] = logits[stage].argmax(axis=1)
        probability[own, column] = probabilities[np.arange(own.sum()), labels[own]]
    return Judgements(tuple(unseen), predicted, probability)


def find_disputed(judgements: Judgements, labels: Int64[ndarray, " n"]) -> Disputed:
    """All images on which more than half of the judges agree against the label.

    The mean probability of the label orders them: the self-confidence of an ensemble, by which
    labels are searched for errors (Kuan and Mueller 2022).
    """
    numbers = range(int(max(labels.max(), judgements.predicted.max())) + 1)
    votes = np.stack([(judgements.predicted == number).sum(axis=1) for number in numbers])
    votes[labels, np.arange(len(labels))] = 0
    says, most, judges = votes.argmax(axis=0), votes.max(axis=0), judgements.judges
    mean = judgements.label_probability.sum(axis=1) / np.maximum(judges, 1)
    found = np.flatnonzero(2 * most > judges)
    found = found[np.argsort(mean[found], kind="stable")]
    return Disputed(found, says[found], most[found], judges[found], mean[found])


def tabulate(
    part: str,
    numbers: Int64[ndarray, " n"],
    labels: Int64[ndarray, " n"],
    disputed: Disputed,
    judgements: Judgements,
    classes: Sequence[str],
) -> pd.DataFrame:
    """A row for each disputed image, with what each network says of it.

    Args:
        part: the set that it is in.
        numbers: of the set's images, as they came.
        labels: of the set's images.
        disputed: some of them.
        judgements: of all images of the set; where there is none, the cell is empty.
        classes: their names.

    """
    names, own = np.array([*classes, ""], dtype=object), disputed.indices
    return pd.DataFrame(
        {
            "set": part,
            "image": numbers[own],
            "label": names[labels[own]],
            "says": names[disputed.says],
            "votes": disputed.votes,
            "judges": disputed.judges,
            "label_probability": disputed.label_probability,
            **dict(zip(judgements.stages, names[judgements.predicted[own]].T, strict=True)),
        }
    )
