import numpy as np
from numpy import ndarray

from mnistpipe.confidence.labels import Disputed
from mnistpipe.confidence.reviewed import KEPT, REJECTED, compare_with_reviewers


def disputed_at(says: dict[int, int]) -> Disputed:
    indices: ndarray = np.array([*says], dtype=np.int64)
    votes = np.full(len(says), 3)
    return Disputed(
        indices, np.array([*says.values()], np.int64), votes, votes, np.zeros(len(says))
    )


def test_a_hundred_images_were_reviewed_and_fifteen_labels_rejected() -> None:
    assert len(REJECTED) == 15
    assert len({*REJECTED} | {*KEPT}) == 100
    assert sum(label is not None for label in REJECTED.values()) == 10


def test_networks_and_reviewers_are_compared_image_by_image() -> None:
    """947 as they say, 1621 otherwise, 2130 where they agree on nothing, 247 kept, 3 not seen."""
    disputed = disputed_at({947: 9, 1621: 5, 2130: 9, 247: 6, 3: 1})
    right = np.ones(10_000, dtype=bool)
    right[[947, 9729, 17]] = False
    assert compare_with_reviewers(disputed, right) == {
        "reviewed": 100,
        "rejected": 15,
        "relabelled": 10,
        "disputed_and_rejected": 3,
        "disputed_and_kept": 1,
        "disputed_and_relabelled_alike": 1,
        "mistakes_and_rejected": 2,
    }
