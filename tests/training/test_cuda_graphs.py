from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor

from mnistpipe.training.cuda_graphs import CapturedFunction


class Stream:
    """Stands for CUDA's, of which a machine without a GPU has none."""

    def wait_stream(self, other: "Stream") -> None:
        assert isinstance(other, Stream)


class Graph:
    """Does again what was done while it captured, on the same tensors; as CUDA's does."""

    captured: Callable[[], None]

    def replay(self) -> None:
        self.captured()


@pytest.fixture(autouse=True)
def cuda(monkeypatch: pytest.MonkeyPatch) -> dict[str, Graph | None]:
    """A stand-in for the parts of torch.cuda that capture, on the processor."""
    now: dict[str, Graph | None] = {"capturing": None}

    @contextmanager
    def capture(graph: Graph) -> Iterator[None]:
        now["capturing"] = graph
        yield
        now["capturing"] = None

    replacements: dict[str, Any] = {
        "Stream": Stream,
        "current_stream": Stream,
        "stream": lambda _: nullcontext(),
        "CUDAGraph": Graph,
        "graph": capture,
        "get_rng_state": torch.get_rng_state,
        "set_rng_state": torch.set_rng_state,
    }
    for name, replacement in replacements.items():
        monkeypatch.setattr(torch.cuda, name, replacement)
    return now


def counting(
    cuda: dict[str, Graph | None], total: Tensor, calls: list[str]
) -> Callable[[Tensor], Tensor]:
    """A function with noise that adds to `total`, and tells when its kernels are run."""

    def function(numbers: Tensor) -> Tensor:
        result = torch.empty(())

        def kernels() -> None:
            calls.append("run")
            total.add_(numbers.sum())
            result.copy_(numbers.sum() + torch.rand(()))

        graph = cuda["capturing"]
        if graph is None:
            kernels()
        else:
            graph.captured = kernels  # not run: captured
        return result

    return function


def test_replays_give_what_plain_calls_give(cuda: dict[str, Graph | None]) -> None:
    results, totals = [], []
    for captured in (False, True):
        total, calls = torch.zeros(()), list[str]()
        plain = counting(cuda, total, calls)
        function = CapturedFunction(plain, lambda total=total: [total]) if captured else plain  # type: ignore[misc]
        torch.manual_seed(0)
        results.append([float(function(torch.full((n,), 2.0))) for n in (3, 3, 2, 3)])
        totals.append(float(total))
    assert results[0] == results[1]  # warming up draws no random numbers of the run
    assert totals == [22.0, 22.0]  # nor does it change the state


def test_a_shape_is_captured_once(cuda: dict[str, Graph | None]) -> None:
    total, calls = torch.zeros(()), list[str]()
    function = CapturedFunction(counting(cuda, total, calls), lambda: [total])
    runs = []
    for n in (3, 3, 2, 2, 3):
        calls.clear()
        function(torch.ones(n))
        runs.append(len(calls))
    assert runs == [4, 1, 4, 1, 1]  # three to warm up


def test_a_result_is_not_written_over_by_the_next(cuda: dict[str, Graph | None]) -> None:
    function = CapturedFunction(counting(cuda, torch.zeros(()), []), list)
    first = function(torch.zeros(2))
    before = float(first)
    function(torch.ones(2))
    assert float(first) == before


def test_arguments_may_be_changed_afterwards(cuda: dict[str, Graph | None]) -> None:
    function = CapturedFunction(counting(cuda, torch.zeros(()), []), list)
    numbers = torch.zeros(2)
    function(numbers)
    numbers.fill_(5)
    assert 10 <= float(function(numbers)) < 11
