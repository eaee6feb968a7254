import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from numba.core.dispatcher import Dispatcher

from mnistpipe.networks import compiled, planes, pooling, sparse_gradient, winograd
from mnistpipe.networks.compiled import _keep, count_parts
from tests.conftest import ROOT

# What a backward pass does with one thread and with two, without waiting for PyTorch's layers.
ADD_GRADIENTS = """
import json, pathlib, sys
import numpy as np
from mnistpipe.networks import compiled
from mnistpipe.networks.sparse_gradient import _add, add_gradients

def add(n_parts):
    ones, kept = np.ones((4, 2, 2, 2), np.float32), np.ones((4, 2), np.float32)
    image, kernels = np.ones((4, 6, 6), np.float32), np.ones((2, 3, 3), np.float32)
    to_kernels, to_biases = np.zeros((n_parts, 2, 3, 3), "f4"), np.zeros((n_parts, 2), "f4")
    places = np.zeros(ones.shape, np.uint8)
    given = ones, ones, places, kept, 2, image, kernels
    add_gradients(*given, image[:0], to_kernels, to_biases)
    return to_biases.sum(axis=0).tolist()
"""


@pytest.mark.slow
def test_what_is_compiled_is_loaded_by_the_next_process(tmp_path: Path) -> None:
    script = f"""{ADD_GRADIENTS}
for n_parts in (1, 2):
    sums = add(n_parts)
    stats = [loop.stats for loop in (_add, *compiled._IN_PARTS)]
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
    assert 0 < len(first[0]["kept"]) < len(first[1]["kept"])  # one part needs no parallel loop
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


@pytest.mark.slow
@pytest.mark.faults
def test_a_full_disk_does_not_stop_a_backward_pass(tmp_path: Path) -> None:
    script = f"""
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # stands for a full disk
{ADD_GRADIENTS}
print(add(1), add(2))
"""
    environment = {"PATH": "", "OMP_NUM_THREADS": "2", "NUMBA_CACHE_DIR": str(tmp_path)}
    assert run(script, env=environment) == "[16.0, 16.0] [16.0, 16.0]\n"
    assert not any(file.stat().st_size for file in tmp_path.rglob("*") if file.is_file())


def double_one(folder: Path) -> tuple[float, int]:
    """By a loop of a module in this folder, as if imported anew; and was it kept."""
    module = folder / "doubling.py"
    if not module.exists():
        module.write_text("def double(numbers):\n    numbers[0] *= 2\n")
    code: dict[str, Any] = {}
    exec(compile(module.read_text(), module, "exec"), code)  # noqa: S102 (as an import, but anew)
    double = _keep(code["double"])
    numbers = np.ones(1)
    double(numbers)
    return float(numbers[0]), sum(double.stats.cache_hits.values())


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "half": lambda whole: whole[: len(whole) // 2],
    "without its end": lambda whole: whole[:-1],
    "garbage": lambda _: b"garbage" * 100,
    "another pickle": lambda _: b"\x80\x05N.",
}


@pytest.mark.faults
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
@pytest.mark.parametrize("kind", ["nbi", "nbc"])
def test_what_is_kept_and_damaged_is_compiled_anew_and_kept_again(
    tmp_path: Path, kind: str, damage: Callable[[bytes], bytes]
) -> None:
    assert [double_one(tmp_path), double_one(tmp_path)] == [(2, 0), (2, 1)]
    (kept,) = tmp_path.rglob(f"*.{kind}")
    kept.write_bytes(damage(kept.read_bytes()))
    assert [double_one(tmp_path), double_one(tmp_path)] == [(2, 0), (2, 1)]
    assert len(list((tmp_path / "__pycache__").iterdir())) == 2  # nothing is left over


@pytest.mark.faults
@pytest.mark.parametrize("kind", ["nbi", "nbc"])
def test_what_is_kept_and_damaged_need_not_be_writable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    double_one(tmp_path)
    (kept,) = tmp_path.rglob(f"*.{kind}")
    kept.write_bytes(b"")

    def refuse(*_: object) -> None:
        raise PermissionError

    with monkeypatch.context() as read_only:  # root, who may run the tests, writes everywhere
        read_only.setattr(os, "replace", refuse)
        assert double_one(tmp_path) == (2, 0)
        assert kept.read_bytes() == b""
    assert [double_one(tmp_path), double_one(tmp_path)] == [(2, 0), (2, 1)]


@pytest.mark.faults
def test_without_a_folder_to_keep_them_in_loops_are_compiled_all_the_same() -> None:
    code: dict[str, Any] = {}
    exec("def double(numbers):\n    numbers[0] *= 2\n", code)  # noqa: S102 (has no file, so no folder)
    double: Callable[..., None] = _keep(code["double"])
    numbers = np.ones(1)
    double(numbers)
    assert numbers[0] == 2


@pytest.mark.parametrize("module", [planes, pooling, sparse_gradient, winograd])
def test_a_loop_calls_none_of_another_file(module: ModuleType) -> None:
    """Numba would not notice that the other one was edited, and go on with its old code."""
    loops = [value for value in vars(module).values() if isinstance(value, Dispatcher)]
    assert loops
    for loop in loops:
        assert loop.py_func.__module__ == module.__name__


def test_a_batch_is_cut_for_each_thread_that_is_worth_it() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        assert [count_parts(n) for n in (0, 3_000_000, 5_000_000, 10**9)] == [1, 1, 2, 3]
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
        compiled._share_threads.cache_clear()
