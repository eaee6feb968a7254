"""A function on a GPU as one CUDA graph: one launch in place of hundreds of small kernels'.

A training step at a batch of 32 is some hundreds of kernels that last a few microseconds each, so
that launching them one by one takes longer than they do.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

_WARM_UPS = 3  # calls before the capture, as PyTorch's documentation has them


@runtime_checkable
class _Graph(Protocol):
    """What is asked of a CUDA graph."""

    def replay(self) -> None: ...


@dataclass(frozen=True)
class _Captured:
    """A graph, where it reads its arguments, and where it writes its result."""

    graph: _Graph
    places: list[Tensor]
    result: Tensor


class CapturedFunction:
    """Replays a function's kernels on new numbers, captured once for each shape of its arguments.

    The function may read and write further tensors, at the same place in memory each time; which of
    these it changes besides the result is said by `state`. It must not wait for the GPU.
    """

    def __init__(self, function: Callable[..., Tensor], state: Callable[[], list[Tensor]]) -> None:
        """Nothing is captured yet.

        Args:
            function: from tensors to a tensor, on the GPU.
            state: all that a call of it changes, but for the random generator, and but for what it
                sets anew each time.

        """
        self._function, self._state = function, state
        self._captured: dict[tuple[torch.Size, ...], _Captured] = {}

    def __call__(self, *arguments: Tensor) -> Tensor:
        """What the function gives for these arguments."""
        shapes = tuple(argument.shape for argument in arguments)
        if shapes not in self._captured:
            self._captured[shapes] = self._capture(arguments)
        captured = self._captured[shapes]
        for place, argument in zip(captured.places, arguments, strict=True):
            place.copy_(argument)
        captured.graph.replay()
        return captured.result.clone()  # the next replay writes over it

    def _capture(self, arguments: tuple[Tensor, ...]) -> _Captured:
        """Capture the kernels; the numbers are afterwards as if it had not been called."""
        places = [argument.clone() for argument in arguments]
        with _unchanged(self._state()):
            aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
            aside.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(aside):
                for _ in range(_WARM_UPS):
                    self._function(*places)
            torch.cuda.current_stream().wait_stream(aside)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                result = self._function(*places)
        return _Captured(graph, places, result)


@contextmanager
def _unchanged(state: list[Tensor]) -> Iterator[None]:
    """Put numbers, and the GPU's random generator, back to what they were."""
    before, generator = [tensor.clone() for tensor in state], torch.cuda.get_rng_state()
    yield
    torch.cuda.set_rng_state(generator)
    for tensor, value in zip(state, before, strict=True):
        tensor.copy_(value)
