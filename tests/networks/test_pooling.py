import numpy as np
import pytest
import torch
from torch.nn import functional as F  # noqa: N812 (PyTorch's own convention)

from mnistpipe.networks.pooling import pool_maps


@pytest.mark.parametrize("window", [1, 2, 3])
def test_what_pytorch_pools_is_pooled_and_its_place_known(window: int) -> None:
    side, n_channels = 7, 5
    maps = torch.randn(4, n_channels, side, side, generator=torch.Generator().manual_seed(0))
    kept = np.array([[0, 1, 2, 1, 1]] * 4, np.float32)
    expected, indices = F.max_pool2d(maps, window, return_indices=True)
    pooled = side // window
    output = np.full((4, pooled, pooled, n_channels), np.nan, np.float32)
    places = np.full(output.shape, 255, np.uint8)
    channels_last = maps.permute(0, 2, 3, 1).contiguous().numpy()
    pool_maps(channels_last, window, kept, output, places)
    rectified = expected.relu().permute(0, 2, 3, 1).numpy()
    np.testing.assert_array_equal(output, rectified * kept[:, None, None])
    rows, columns = indices // side % window, indices % side % window
    in_window = (rows * window + columns).permute(0, 2, 3, 1).numpy()
    assert (places == in_window)[rectified > 0].all()


def test_the_first_of_equal_numbers_counts() -> None:
    maps, places = np.ones((1, 2, 2, 3), np.float32), np.full((1, 1, 1, 3), 9, np.uint8)
    pool_maps(maps, 2, np.ones((1, 3), np.float32), np.empty((1, 1, 1, 3), np.float32), places)
    assert places.tolist() == [[[[0, 0, 0]]]]
