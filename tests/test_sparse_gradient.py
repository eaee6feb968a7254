import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mnistpipe.sparse_gradient import _kept, add_gradients
from tests.conftest import ROOT


@pytest.mark.parametrize("n_parts", [1, 2, 3])
@pytest.mark.parametrize("n_in", [1, 2])
def test_gradients_go_to_the_place_that_was_largest_and_nowhere_else(
    n_in: int, n_parts: int
) -> None:
    # One kernel of 2x2; two images of 3x3, whose maps of 2x2 are one window.
    image = np.arange(18 * n_in, dtype=np.float32).reshape(2, 3, 3, n_in)
    weight = np.arange(1, 4 * n_in + 1, dtype=np.float32).reshape(1, 2, 2, n_in)
    gradient = np.array([5, 7], dtype=np.float32).reshape(2, 1, 1, 1)
    output = np.array([1, 0], dtype=np.float32).reshape(2, 1, 1, 1)  # the second was rectified
    places = np.array([2, 3]).reshape(2, 1, 1, 1)  # of four: below, left
    to_image = np.zeros((2, 3, 3 * n_in), np.float32)
    to_weight = np.zeros((n_parts, 1, 2, 2 * n_in), np.float32)
    to_bias = np.zeros((n_parts, 1), np.float32)
    flat = image.reshape(2, 3, -1), weight.reshape(1, 2, -1)
    add_gradients(gradient, output, places, 2, 2.0, *flat, to_image, to_weight, to_bias)
    expected = np.zeros((2, 3, 3, n_in), np.float32)
    expected[0, 1:, :2] = 10 * weight[0]  # the gradient times the scale
    np.testing.assert_array_equal(to_image, expected.reshape(2, 3, -1))
    seen = image[:1, 1:, :2].reshape(1, 2, -1)
    np.testing.assert_array_equal(to_weight.sum(axis=0), 10 * seen)
    np.testing.assert_array_equal(to_bias.sum(axis=0), [10])


def test_what_is_compiled_is_loaded_by_the_next_process(tmp_path: Path) -> None:
    script = """
import torch
from mnistpipe.convolution import convolve_and_pool
layer = torch.nn.Conv2d(1, 2, 3)
convolve_and_pool(layer, torch.ones(4, 1, 6, 6), 2, 0.0).sum().backward()
"""
    kept = []
    for n_threads in ("1", "2", "1", "2"):
        environment = {"OMP_NUM_THREADS": n_threads, "NUMBA_CACHE_DIR": str(tmp_path)}
        subprocess.run(
            [sys.executable, "-c", script], cwd=ROOT, env={**os.environ, **environment}, check=True
        )
        kept.append(sorted(tmp_path.rglob("*.nbc")))
    assert 0 < len(kept[0]) < len(kept[1])  # one thread does not need the parallel loops
    assert kept[1] == kept[2] == kept[3]


@pytest.mark.faults
def test_a_full_disk_does_not_stop_a_backward_pass(tmp_path: Path) -> None:
    script = """
import resource, torch
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # stands for a full disk
from mnistpipe.convolution import convolve_and_pool
layer = torch.nn.Conv2d(1, 2, 3)
convolve_and_pool(layer, torch.ones(1, 1, 6, 6), 2, 0.0).sum().backward()
print(layer.weight.grad.shape)
"""
    done = subprocess.run(
        [sys.executable, "-B", "-c", script],
        cwd=ROOT,
        env={"PATH": "", "OMP_NUM_THREADS": "1", "NUMBA_CACHE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "torch.Size([2, 1, 3, 3])\n"
    assert not any(file.stat().st_size for file in tmp_path.rglob("*") if file.is_file())


@pytest.mark.faults
def test_without_a_folder_to_keep_them_in_loops_are_compiled_all_the_same() -> None:
    code: dict[str, Any] = {}
    exec("def double(numbers):\n    numbers[0] *= 2\n", code)  # noqa: S102 (has no file, so no folder)
    double: Callable[..., None] = _kept()(code["double"])
    numbers = np.ones(1)
    double(numbers)
    assert numbers[0] == 2
