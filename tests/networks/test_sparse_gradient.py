import numpy as np
import pytest

from mnistpipe.networks.sparse_gradient import add_gradients


@pytest.mark.parametrize("n_parts", [1, 2, 3])
@pytest.mark.parametrize("n_in", [1, 2])
def test_gradients_go_to_the_place_that_was_largest_and_nowhere_else(
    n_in: int, n_parts: int
) -> None:
    # One kernel of 2x2; three images of 3x3, whose maps of 2x2 are one window.
    image = np.arange(27 * n_in, dtype=np.float32).reshape(3, 3, 3, n_in)
    weight = np.arange(1, 4 * n_in + 1, dtype=np.float32).reshape(1, 2, 2, n_in)
    gradient = np.array([5, 7, 9], dtype=np.float32).reshape(3, 1, 1, 1)
    output = np.array([1, 0, 1], dtype=np.float32).reshape(3, 1, 1, 1)  # the second was rectified
    kept = np.array([[2], [2], [0]], dtype=np.float32)  # the third was dropped
    places = np.array([2, 3, 1], dtype=np.uint8).reshape(3, 1, 1, 1)  # of four: below, left
    to_image = np.full((3, 3, 3 * n_in), np.nan, np.float32)
    to_weight = np.zeros((n_parts, 1, 2, 2 * n_in), np.float32)
    to_bias = np.zeros((n_parts, 1), np.float32)
    flat = image.reshape(3, 3, -1), weight.reshape(1, 2, -1)
    add_gradients(gradient, output, places, kept, 2, *flat, to_image, to_weight, to_bias)
    expected = np.zeros((3, 3, 3, n_in), np.float32)
    expected[0, 1:, :2] = 10 * weight[0]  # the gradient times what dropout multiplied by
    np.testing.assert_array_equal(to_image, expected.reshape(3, 3, -1))
    seen = image[:1, 1:, :2].reshape(1, 2, -1)
    np.testing.assert_array_equal(to_weight.sum(axis=0), 10 * seen)
    np.testing.assert_array_equal(to_bias.sum(axis=0), [10])
