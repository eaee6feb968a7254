"""Compile loops by Numba, keep what came of it, and share the images of a batch among threads.

What Numba has compiled it keeps in `__pycache__`, beside the loop's file, or in the user's cache
folder, where later processes find it. It notices a change of the loop's own file alone: so a loop
calls none of another file's, and names its ways of rounding itself.
"""

from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numba import config, njit, prange, set_num_threads, typeof, types
from numba.core.caching import FunctionCache

Loop = Callable[..., None]

_WORTH_A_THREAD = 2_500_000  # operations, which take some times as long as calling another thread

inlined = njit(inline="always")  # for helpers that are called in an inner loop


def compiled(*fastmath: str) -> Callable[[Loop], Loop]:
    """Compile a loop, and keep the result where there is a folder for it.

    One that `run` calls takes a part's number and the number of parts, and does its share of the
    images.

    Args:
        fastmath: what LLVM may do with its sums: `contract` multiplies and adds in one instruction,
            `reassoc` adds in another order (always the same), `nnan` does not think of NaN, `nsz`
            nor of the sign of zero.

    """
    # Division without a check for zero.
    return lambda function: _keep(function, error_model="numpy", fastmath=set(fastmath))


def count_parts(n_operations: int) -> int:
    """Into how many parts a batch is cut, to be worked on side by side: at most one a thread.

    Args:
        n_operations: multiplications and additions that a dense convolution of it takes.

    """
    n_threads = torch.get_num_threads()
    if n_threads > 1:
        _share_threads(n_threads)
    return max(1, min(n_threads, n_operations // _WORTH_A_THREAD))


def run(
    loop: Loop, n_parts: int, constants: tuple[int, ...], arguments: tuple[object, ...]
) -> None:
    """Call a loop for all parts of a batch.

    The first call with other constants compiles it.

    Args:
        loop: takes a part's number, the number of parts, the constants and the arguments.
        n_parts: from `count_parts`.
        constants: handed on as tuples of these lengths, which Numba knows when it compiles: loops
            are unrolled, and distances known.
        arguments: arrays and numbers, at each call of the same types.

    """
    lengths = [(0,) * constant for constant in constants]
    if n_parts == 1:
        loop(0, 1, *lengths, *arguments)
        return
    key = loop, constants
    if key not in _ADDRESSES:
        _ADDRESSES[key] = _Address(loop, (*lengths, *arguments))
    _IN_PARTS[len(constants)](_ADDRESSES[key], n_parts, *lengths, arguments)


class _Cache(FunctionCache):
    """What Numba keeps on the disk, without which it compiles: nothing there may stop it."""

    def load_overload(self, sig: object, target_context: object) -> object:
        """What is kept for these types, or None. Files that are damaged are written anew."""
        try:
            return super().load_overload(sig, target_context)  # type: ignore[no-untyped-call]
        except Exception:  # noqa: BLE001 (a pickle that is cut short or garbage raises many kinds)
            try:
                self.flush()  # type: ignore[no-untyped-call]
            except OSError:
                self.disable()  # type: ignore[no-untyped-call]
            return None

    def save_overload(self, sig: object, data: object) -> None:
        """Keep what was compiled, unless the disk is full."""
        with suppress(OSError):
            super().save_overload(sig, data)  # type: ignore[no-untyped-call]


def _keep(function: Loop, **options: Any) -> Any:  # noqa: ANN401 (as Numba takes and gives them)
    """Compile a function, and keep the result where there is a folder for it."""
    loop = njit(**options)(function)
    with suppress(RuntimeError):  # no folder to keep it in
        # What `cache=True` does with Numba's own.
        loop._cache = _Cache(function)  # type: ignore[no-untyped-call]  # noqa: SLF001
    return loop


class _Address(types.WrapperAddressProtocol):
    """Where a compiled loop lies in memory.

    What calls it there need not be compiled together with it, which would take as long again.
    """

    def __init__(self, loop: Any, arguments: tuple[object, ...]) -> None:  # noqa: ANN401 (Numba's)
        """Compile the loop for arguments of these types."""
        self._signature = types.void(types.int64, types.int64, *map(typeof, arguments))
        loop.compile(self._signature)
        result = loop.overloads[self._signature.args]
        name = result.fndesc.llvm_cfunc_wrapper_name
        self._address = result.library.get_pointer_to_function(name)

    def __wrapper_address__(self) -> int:
        return int(self._address)

    def signature(self) -> Any:  # noqa: ANN401 (Numba's)
        return self._signature


_ADDRESSES: dict[tuple[Loop, tuple[int, ...]], _Address] = {}  # by the loop and its constants


def _in_parts(loop: Loop, n_parts: int, arguments: tuple[object, ...]) -> None:
    for part in prange(n_parts):
        loop(np.int64(part), n_parts, *arguments)


def _in_parts_with_one(
    loop: Loop, n_parts: int, constant: tuple[int, ...], arguments: tuple[object, ...]
) -> None:
    for part in prange(n_parts):
        loop(np.int64(part), n_parts, constant, *arguments)


def _in_parts_with_two(
    loop: Loop,
    n_parts: int,
    first: tuple[int, ...],
    second: tuple[int, ...],
    arguments: tuple[object, ...],
) -> None:
    for part in prange(n_parts):
        loop(np.int64(part), n_parts, first, second, *arguments)


_IN_PARTS: list[Loop] = [  # by the number of constants
    _keep(function, parallel=True)
    for function in (_in_parts, _in_parts_with_one, _in_parts_with_two)
]


@lru_cache(maxsize=1)  # called again only when the number changes
def _share_threads(n_threads: int) -> None:
    """Let Numba's parallel loops take as many threads as PyTorch's."""
    set_num_threads(min(n_threads, config.NUMBA_NUM_THREADS))  # type: ignore[attr-defined]
    # Both may use the same OpenMP, whose number Numba sets when it starts its threads.
    torch.set_num_threads(n_threads)
