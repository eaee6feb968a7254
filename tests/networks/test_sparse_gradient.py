import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mnistpipe.networks.sparse_gradient import _kept, add_gradients
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


# What a backward pass does with one thread and with two, without waiting for PyTorch's import.
ADD_GRADIENTS = """
import json, pathlib, sys
import numpy as np
from mnistpipe.networks.sparse_gradient import _add_part, _add_parts, add_gradients

def add(n_parts):
    ones = np.ones((4, 2, 2, 2), np.float32)
    image, kernels = np.ones((4, 6, 6), np.float32), np.ones((2, 3, 3), np.float32)
    to_kernels, to_biases = np.zeros((n_parts, 2, 3, 3), "f4"), np.zeros((n_parts, 2), "f4")
    places = np.zeros(ones.shape, np.int64)
    add_gradients(ones, ones, places, 4, 1.0, image, kernels, image[:0], to_kernels, to_biases)
    return to_biases.sum(axis=0).tolist()
"""


def test_what_is_compiled_is_loaded_by_the_next_process(tmp_path: Path) -> None:
    script = f"""{ADD_GRADIENTS}
for n_parts in (1, 2):
    sums = add(n_parts)
    stats = [loops.stats for loops in (_add_part, _add_parts)]
    print(json.dumps({{
        "sums": sums,
        "kept": sorted(str(path) for path in pathlib.Path(sys.argv[1]).rglob("*.nbc")),
        "loaded": sum(sum(each.cache_hits.values()) for each in stats),
        "compiled": sum(sum(each.cache_misses.values()) for each in stats),
    }}))
"""
    environment = {**os.environ, "OMP_NUM_THREADS": "2", "NUMBA_CACHE_DIR": str(tmp_path)}
    first, second = (
        [json.loads(line) for line in run(script, tmp_path, env=environment).splitlines()]
        for _ in ("a process", "the next one")
    )
    assert 0 < len(first[0]["kept"]) < len(first[1]["kept"])  # one part needs no parallel loops
    assert [told["kept"] for told in second] == [first[1]["kept"]] * 2
    assert [told["compiled"] for told in first] == [1, 2]
    assert [told["loaded"] for told in second] == [1, 2]
    assert [told["compiled"] for told in second] == [0, 0]
    assert [told["sums"] for told in first + second] == [[16.0, 16.0]] * 4


def run(script: str, *arguments: Path, env: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, "-B", "-c", script, *map(str, arguments)],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.faults
def test_a_full_disk_does_not_stop_a_backward_pass(tmp_path: Path) -> None:
    script = f"""
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # stands for a full disk
{ADD_GRADIENTS}
print(add(1))
"""
    environment = {"PATH": "", "OMP_NUM_THREADS": "1", "NUMBA_CACHE_DIR": str(tmp_path)}
    assert run(script, env=environment) == "[16.0, 16.0]\n"
    assert not any(file.stat().st_size for file in tmp_path.rglob("*") if file.is_file())


@pytest.mark.faults
def test_without_a_folder_to_keep_them_in_loops_are_compiled_all_the_same() -> None:
    code: dict[str, Any] = {}
    exec("def double(numbers):\n    numbers[0] *= 2\n", code)  # noqa: S102 (has no file, so no folder)
    double: Callable[..., None] = _kept()(code["double"])
    numbers = np.ones(1)
    double(numbers)
    assert numbers[0] == 2
