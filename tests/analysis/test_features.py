import math

import numpy as np
import pytest
from numpy import ndarray

from mnistpipe.analysis.features import (
    Neighbours,
    count_confusions,
    embed,
    find_mistakes,
    find_neighbours,
    pick_queries,
    same_class_share,
    score_classes,
)


def logits_of(predicted: list[int], margins: list[float]) -> ndarray:
    """Zero but for the predicted class, so that its probability is e^m / (e^m + 9)."""
    logits = np.zeros((len(predicted), 10), dtype=np.float32)
    logits[np.arange(len(predicted)), predicted] = margins
    return logits


def confidence_of(margin: float) -> float:
    return math.exp(margin) / (math.exp(margin) + 9)


def points(n: int, n_features: int) -> ndarray:
    return np.random.default_rng(0).normal(size=(n, n_features)).astype(np.float32)


def test_mistakes_are_the_wrong_images_the_most_confident_first() -> None:
    logits = logits_of([0, 5, 2, 6, 7], [1, 1, 9, 3, 2])
    mistakes = find_mistakes(logits, np.array([0, 1, 2, 3, 4]))
    assert mistakes.indices.tolist() == [3, 4, 1]
    assert mistakes.predicted.tolist() == [6, 7, 5]
    assert mistakes.confidence == pytest.approx([confidence_of(m) for m in (3, 2, 1)])


def test_equally_confident_mistakes_keep_their_order() -> None:
    mistakes = find_mistakes(logits_of([1] * 40, [2] * 40), np.zeros(40, dtype=np.int64))
    assert mistakes.indices.tolist() == list(range(40))


def test_there_may_be_no_mistakes() -> None:
    mistakes = find_mistakes(logits_of([4, 7], [1, 1]), np.array([4, 7]))
    assert [len(mistakes.indices), len(mistakes.predicted), len(mistakes.confidence)] == [0, 0, 0]


def test_the_confidence_of_huge_logits_is_a_number() -> None:
    mistakes = find_mistakes(logits_of([1, 2], [1e30, 1000]), np.array([0, 0]))
    assert mistakes.confidence.tolist() == [1.0, 1.0]


def test_confusions_have_a_row_for_each_true_class_and_all_ten_classes() -> None:
    counts = count_confusions(np.array([0, 3, 3, 3]), np.array([0, 3, 0, 0]), 10)
    expected = np.zeros((10, 10), dtype=int)
    expected[0, 0], expected[3, 3], expected[3, 0] = 1, 1, 2
    assert counts.tolist() == expected.tolist()


def test_the_diagonal_and_the_mistakes_are_all_images() -> None:
    generator = np.random.default_rng(1)
    logits = generator.normal(size=(300, 10)).astype(np.float32)
    labels = generator.integers(0, 10, 300)
    counts = count_confusions(labels, logits.argmax(axis=1), 10)
    assert counts.trace() + len(find_mistakes(logits, labels).indices) == 300
    assert counts.sum(axis=1).tolist() == np.bincount(labels, minlength=10).tolist()


def test_scores_of_classes_by_hand() -> None:
    scores = score_classes(np.array([0, 0, 0, 1, 1, 2]), np.array([0, 0, 1, 1, 0, 0]), 10)
    assert len(scores) == 10
    assert scores[0] == pytest.approx(
        {"precision": 1 / 2, "recall": 2 / 3, "f1": 4 / 7, "count": 3}
    )
    assert scores[1] == {"precision": 0.5, "recall": 0.5, "f1": 0.5, "count": 2}
    # One class is never predicted, the others do not even occur.
    assert scores[2] == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "count": 1}
    assert scores[3:] == [{"precision": 0.0, "recall": 0.0, "f1": 0.0, "count": 0}] * 7


def test_neighbours_are_those_of_an_exhaustive_search() -> None:
    features = points(40, 6)
    distances = np.linalg.norm(features[:, np.newaxis] - features, axis=2)
    np.fill_diagonal(distances, np.inf)
    found = find_neighbours(features, 7)
    assert found.indices.tolist() == distances.argsort(axis=1)[:, :7].tolist()
    np.testing.assert_allclose(found.distances, np.sort(distances, axis=1)[:, :7], rtol=1e-4)


@pytest.mark.parametrize("count", [1, 2, 3, 4])
@pytest.mark.parametrize("n_distinct", [1, 5])
def test_no_image_is_its_own_neighbour_even_among_duplicates(count: int, n_distinct: int) -> None:
    features = np.repeat(points(n_distinct, 3), 5, axis=0)
    found = find_neighbours(features, count)
    own = np.arange(len(features))[:, np.newaxis]
    assert not np.any(found.indices == own)
    assert np.all(found.indices // 5 == own // 5)  # its four copies are the nearest of all
    np.testing.assert_allclose(found.distances, 0, atol=1e-3)


def test_there_may_be_as_many_neighbours_as_other_images() -> None:
    found = find_neighbours(points(4, 2), 3)
    assert [sorted(row) for row in found.indices.tolist()] == [
        [1, 2, 3],
        [0, 2, 3],
        [0, 1, 3],
        [0, 1, 2],
    ]
    assert find_neighbours(points(4, 2), 4).indices.tolist() == found.indices.tolist()


def test_same_class_share_by_hand() -> None:
    neighbours = Neighbours(np.array([[1, 2], [0, 2], [0, 1]]), np.zeros((3, 2)))
    assert same_class_share(neighbours, np.array([5, 5, 7])) == pytest.approx(2 / 6)
    assert same_class_share(neighbours, np.array([5, 5, 5])) == 1.0


def test_one_query_of_each_class_that_occurs() -> None:
    labels = np.array([9, 2, 2, 4, 9, 4, 4])
    for seed in range(10):
        assert labels[pick_queries(labels, 10, seed)].tolist() == [2, 4, 9]


def test_of_many_classes_a_few_are_drawn_for_queries() -> None:
    labels = np.arange(2600) % 26
    chosen = labels[pick_queries(labels, 20, 0)].tolist()
    assert len(set(chosen)) == 20
    assert chosen == sorted(chosen)
    assert chosen != labels[pick_queries(labels, 20, 1)].tolist()


def test_the_seed_alone_chooses_the_queries() -> None:
    labels = np.arange(1000) % 10
    assert pick_queries(labels, 10, 3).tolist() == pick_queries(labels, 10, 3).tolist()
    assert pick_queries(labels, 10, 3).tolist() != pick_queries(labels, 10, 4).tolist()


def test_the_map_has_two_finite_dimensions_and_repeats_with_its_seed() -> None:
    features = points(60, 8)
    embedded = embed(features, 10.0, 0)
    assert embedded.shape == (60, 2)
    assert np.isfinite(embedded).all()
    assert embedded.tolist() == embed(features, 10.0, 0).tolist()


def test_the_map_keeps_clusters_apart() -> None:
    centres = np.repeat(np.array([[0.0], [100.0]], dtype=np.float32), 30, axis=0)
    embedded = embed(points(60, 8) + centres, 10.0, 0)
    between = np.linalg.norm(embedded[:30].mean(axis=0) - embedded[30:].mean(axis=0))
    within = np.linalg.norm(embedded[:30] - embedded[:30].mean(axis=0), axis=1)
    assert within.max() < between / 2


@pytest.mark.parametrize("count", [2, 3, 12])
def test_of_few_images_all_are_neighbours_and_the_perplexity_is_small(count: int) -> None:
    few = points(count, 3)
    assert np.isfinite(embed(few, 30.0, 0)).all()
    assert embed(few, 30.0, 0).tolist() == embed(few, (count - 1) / 3, 0).tolist()
    assert find_neighbours(few, 8).indices.shape == (count, min(8, count - 1))
