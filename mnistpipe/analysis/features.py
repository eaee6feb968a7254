"""What a network learned: arrays in, arrays out."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Int64
from numpy import ndarray
from sklearn.manifold import TSNE
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support
from sklearn.neighbors import NearestNeighbors

from mnistpipe.scoring.probabilities import softmax


@dataclass(frozen=True)
class Mistakes:
    """Test images that are classified wrongly, the most confident first.

    Attributes:
        indices: among the test images.
        predicted: the class given to each.
        confidence: the probability given to that class.

    """

    indices: Int64[ndarray, " k"]
    predicted: Int64[ndarray, " k"]
    confidence: Float[ndarray, " k"]


@dataclass(frozen=True)
class Neighbours:
    """For each image of a set, the nearest other ones in feature space.

    Attributes:
        indices: nearest first.
        distances: Euclidean.

    """

    indices: Int64[ndarray, "n k"]
    distances: Float[ndarray, "n k"]


def find_mistakes(logits: Float[ndarray, "n c"], labels: Int64[ndarray, " n"]) -> Mistakes:
    """All images whose most probable class is not their label."""
    probabilities = softmax(logits)
    predicted = logits.argmax(axis=1)
    confidence = probabilities.max(axis=1)
    wrong = np.flatnonzero(predicted != labels)
    wrong = wrong[np.argsort(-confidence[wrong], kind="stable")]
    return Mistakes(wrong, predicted[wrong], confidence[wrong])


def count_confusions(
    labels: Int64[ndarray, " n"], predicted: Int64[ndarray, " n"], n_classes: int
) -> Int[ndarray, "c c"]:
    """How many images of each class (row) were given each class (column)."""
    counts: Int[ndarray, "c c"] = confusion_matrix(labels, predicted, labels=range(n_classes))
    return counts


def score_classes(
    labels: Int64[ndarray, " n"], predicted: Int64[ndarray, " n"], n_classes: int
) -> list[dict[str, float]]:
    """Precision, recall, F1 and number of images of each class.

    The precision of a class that was never predicted counts as 0.
    """
    columns = precision_recall_fscore_support(
        labels, predicted, labels=range(n_classes), zero_division=0.0
    )
    names = ("precision", "recall", "f1")
    return [
        {name: float(value) for name, value in zip(names, row, strict=False)}
        | {"count": int(row[3])}
        for row in zip(*columns, strict=True)
    ]


def find_neighbours(features: Float[ndarray, "n f"], count: int) -> Neighbours:
    """The `count` nearest other images of each image, or all others, by exhaustive search."""
    count = min(count, len(features) - 1)
    search = NearestNeighbors(n_neighbors=count, algorithm="brute").fit(features)
    distances, indices = search.kneighbors()  # without an argument, no image is its own neighbour
    return Neighbours(indices, distances)


def same_class_share(neighbours: Neighbours, labels: Int64[ndarray, " n"]) -> float:
    """The share of all neighbours that have their query image's label."""
    return float((labels[neighbours.indices] == labels[:, np.newaxis]).mean())


def pick_queries(labels: Int64[ndarray, " n"], most: int, seed: int) -> Int64[ndarray, " q"]:
    """One image of each class that occurs, drawn at random, or of as many classes as are shown."""
    generator = np.random.default_rng(seed)
    numbers = np.unique(labels)
    if len(numbers) > most:
        numbers = np.sort(generator.choice(numbers, most, replace=False))
    return np.array([generator.choice(np.flatnonzero(labels == number)) for number in numbers])


def embed(features: Float[ndarray, "n f"], perplexity: float, seed: int) -> Float[ndarray, "n 2"]:
    """A t-SNE map of the features in two dimensions, started from their principal components.

    The perplexity is at most a third of the other images: t-SNE looks at three times as many.
    """
    perplexity = min(perplexity, (len(features) - 1) / 3)
    tsne = TSNE(perplexity=perplexity, init="pca", random_state=seed)
    embedded: Float[ndarray, "n 2"] = tsne.fit_transform(features)
    return embedded
