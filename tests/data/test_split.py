from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy import ndarray

from mnistpipe.data.idx import read_idx
from mnistpipe.data.split import Labelled, Split, nested_subset, split_dataset, subset
from mnistpipe.files.errors import UserError
from tests.conftest import TEN

MNIST_COUNTS = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
FRACTIONS = [1 / 16, 1 / 8, 1 / 4, 1 / 2]

LABELS = st.lists(st.integers(0, 9), min_size=1, max_size=120).map(np.array)
FRACTION = st.floats(0, 1, exclude_min=True, exclude_max=True)
SEED = st.integers(0, 2**32 - 1)


def labels_with(counts: list[int]) -> ndarray:
    """Labels in random order, so many of each class."""
    labels = np.repeat(np.arange(len(counts)), counts)
    return np.random.default_rng(7).permutation(labels)


def numbered(labels: ndarray) -> Labelled:
    """Examples whose first two pixels tell where they stood."""
    images = np.zeros((len(labels), 28, 28), dtype=np.uint8)
    images[:, 0, 0], images[:, 0, 1] = np.divmod(np.arange(len(labels)), 256)
    return Labelled(images, labels)


def places(examples: Labelled) -> list[int]:
    pixels = examples.images[:, 0, :2].astype(int)
    return [int(place) for place in pixels[:, 0] * 256 + pixels[:, 1]]


def divide(labels: ndarray, fraction: float, seed: int = 0) -> Split:
    return split_dataset("made up", TEN, numbered(labels), numbered(np.arange(10)), fraction, seed)


def test_fifteen_percent_of_mnists_class_sizes_are_exactly_9000() -> None:
    labels = labels_with(MNIST_COUNTS)
    split = split_dataset(
        "MNIST",
        TEN,
        Labelled(np.zeros((60_000, 28, 28), dtype=np.uint8), labels),
        numbered(np.arange(10)),
        0.15,
        seed=0,
    )
    assert (len(split.train), len(split.validation)) == (51_000, 9_000)
    assert np.bincount(split.validation.labels).tolist() == [
        888, 1011, 894, 920, 876, 813, 888, 940, 878, 892,
    ]  # fmt: skip


@pytest.mark.mnist
def test_mnist_is_split_into_51000_and_9000(mnist_mirror: Path) -> None:
    labels = read_idx(mnist_mirror / "train-labels-idx1-ubyte.gz").astype(np.int64)
    assert np.bincount(labels).tolist() == MNIST_COUNTS
    images = read_idx(mnist_mirror / "train-images-idx3-ubyte.gz")
    split = split_dataset(
        "MNIST", TEN, Labelled(images, labels), numbered(np.arange(10)), 0.15, seed=0
    )
    assert (len(split.train), len(split.validation)) == (51_000, 9_000)
    assert np.array_equal(split.train.images, images[split.train_indices])
    assert np.array_equal(split.validation.labels, labels[split.validation_indices])


def test_every_image_is_in_one_part_with_its_own_label() -> None:
    labels = labels_with([30, 20, 25, 40, 20, 20, 20, 20, 20, 21])
    split = divide(labels, 0.15)
    assert sorted(places(split.train) + places(split.validation)) == list(range(236))
    for part, indices in (
        (split.train, split.train_indices),
        (split.validation, split.validation_indices),
    ):
        assert places(part) == indices.tolist()
        assert np.array_equal(part.labels, labels[indices])


def test_both_parts_keep_the_order_of_the_images() -> None:
    split = divide(labels_with([20] * 10), 0.3)
    assert places(split.train) == sorted(places(split.train))
    assert places(split.validation) == sorted(places(split.validation))


def test_title_and_test_set_are_passed_through() -> None:
    test = numbered(labels_with([2] * 10))
    split = split_dataset("made up", TEN, numbered(labels_with([20] * 10)), test, 0.15, seed=0)
    assert split.title == "made up"
    assert split.test is test


def test_each_class_has_its_share_to_within_one_example() -> None:
    counts = [30, 7, 25, 41, 20, 13, 99, 20, 22, 21]
    split = divide(labels_with(counts), 0.15)
    shares = np.bincount(split.validation.labels, minlength=10)
    assert shares.tolist() == [4, 1, 4, 6, 3, 2, 15, 3, 3, 3]
    assert np.abs(shares - 0.15 * np.array(counts)).max() < 1


def test_the_seed_alone_decides_which_images_are_taken() -> None:
    labels = labels_with([50] * 10)
    first, again, other = (
        nested_subset(labels, TEN, 0.5, seed, "f").tolist() for seed in (0, 0, 1)
    )
    assert first == again
    assert first != other
    assert len(first) == len(other) == 250


def test_smaller_fractions_lie_inside_larger_ones() -> None:
    labels = labels_with([51, 64, 32, 33, 40, 70, 35, 36, 47, 48])
    subsets = [set(nested_subset(labels, TEN, fraction, 1, "f").tolist()) for fraction in FRACTIONS]
    sixteenth, eighth, quarter, half = subsets
    assert sixteenth < eighth < quarter < half
    assert [len(chosen) for chosen in subsets] == [27, 56, 115, 229]


def test_the_sweeps_subsets_of_mnist_have_the_write_ups_sizes() -> None:
    split = divide(labels_with(MNIST_COUNTS), 0.15)
    sizes = [
        len(nested_subset(split.train.labels, TEN, fraction, 1, "f")) for fraction in FRACTIONS
    ]
    assert sizes == pytest.approx([3187.5, 6375, 12_750, 25_500], abs=5)


def test_a_subset_has_the_images_and_labels_at_its_indices() -> None:
    examples = numbered(labels_with([8] * 10))
    indices = nested_subset(examples.labels, TEN, 0.25, 3, "f")
    chosen = subset(examples, TEN, 0.25, 3, "f")
    assert len(chosen) == 20
    assert places(chosen) == indices.tolist()
    assert np.array_equal(chosen.labels, examples.labels[indices])


def test_a_fraction_too_small_for_a_class_is_refused_by_its_name() -> None:
    with pytest.raises(UserError) as caught:
        nested_subset(
            labels_with([20, 20, 7]),
            ("cat", "dog", "T-shirt/top"),
            0.05,
            0,
            "partial-data.fractions.tiny",
        )
    assert str(caught.value) == (
        "partial-data.fractions.tiny 0.05 leaves no example of class T-shirt/top, which has 7; "
        "take a larger fraction."
    )
    with pytest.raises(UserError, match=r"^prepare-split\.validation_fraction 0\.01 .* larger"):
        divide(labels_with([20] * 10), 0.01)


def test_a_validation_fraction_that_leaves_nothing_to_train_on_is_refused() -> None:
    with pytest.raises(UserError) as caught:
        divide(labels_with([20, 20, 7]), 0.95)
    assert str(caught.value) == (
        "prepare-split.validation_fraction 0.95 leaves no example of class 2 for training; "
        "take a smaller fraction."
    )


def test_a_class_that_the_data_do_not_have_is_no_error() -> None:
    assert len(nested_subset(labels_with([0, 10, 10]), TEN, 0.5, 0, "f")) == 10


@settings(max_examples=60, deadline=None)
@given(labels=LABELS, fraction=FRACTION, seed=SEED)
def test_any_data_are_divided_without_rest_or_refused(
    labels: ndarray, fraction: float, seed: int
) -> None:
    counts = np.bincount(labels)
    counts = counts[counts > 0]
    shares = [round(fraction * int(count)) for count in counts]
    if any(share in {0, count} for share, count in zip(shares, counts, strict=True)):
        with pytest.raises(UserError, match=r"^prepare-split\.validation_fraction "):
            divide(labels, fraction, seed)
        return
    split = divide(labels, fraction, seed)
    both = np.concatenate([split.train_indices, split.validation_indices])
    assert sorted(both.tolist()) == list(range(len(labels)))
    taken = np.bincount(split.validation.labels)
    assert taken[taken > 0].tolist() == shares


@settings(max_examples=60, deadline=None)
@given(labels=LABELS, fractions=st.tuples(FRACTION, FRACTION).map(sorted), seed=SEED)
def test_any_two_fractions_are_nested(labels: ndarray, fractions: list[float], seed: int) -> None:
    smaller, larger = fractions
    try:
        inner = nested_subset(labels, TEN, smaller, seed, "f")
    except UserError:
        counts = np.bincount(labels)
        assert any(round(smaller * int(count)) == 0 for count in counts[counts > 0])
        return
    outer = nested_subset(labels, TEN, larger, seed, "f")
    assert set(inner.tolist()) <= set(outer.tolist())
    assert inner.tolist() == sorted(set(inner.tolist()))
