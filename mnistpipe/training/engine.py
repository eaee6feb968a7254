"""Decisions that make training fast without changing what is computed.

They are all here, but for one that concerns the layers of the networks: `convolution`.
"""

import ctypes
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import torch
from torch import nn

from mnistpipe.files.errors import UserError


@dataclass(frozen=True)
class Engine:
    """Where and how a network is trained.

    Attributes:
        device: the first GPU if PyTorch can compute on it, else the processor.
        precision: of convolutions and matrix products; weights, loss and updates stay fp32.

    """

    device: torch.device
    precision: Literal["fp32", "bf16"]

    def autocast(self) -> AbstractContextManager[object]:
        """Run the forward pass in the engine's precision."""
        return torch.autocast(
            self.device.type, dtype=torch.bfloat16, enabled=self.precision == "bf16"
        )


def start_engine(precision: Literal["auto", "fp32", "bf16"]) -> Engine:
    """Choose device and precision, and prepare the process for training.

    A GPU that does not compute is passed over, with a warning. `auto` is fp32 on every processor,
    so that its numbers do not depend on whether one computes bf16, and bf16 on a GPU that does.

    Raises UserError if bf16 is demanded of a processor that only emulates it: that works, but
    is many times slower than fp32.
    """
    device = _find_device()
    native = _computes_bf16(device)
    if precision == "bf16" and not native:
        raise UserError(
            f"precision: bf16 needs hardware that computes it, which this {device.type} is not; "
            "use auto or fp32."
        )
    keep_freed_memory()
    # These concern GPUs alone: fp32 means fp32 and not TF32, and convolutions and matrix products
    # give the same bits each time.
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.deterministic = True
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    if precision == "auto":
        precision = "bf16" if native and device.type == "cuda" else "fp32"
    return Engine(device, precision)


def _find_device() -> torch.device:
    """The first GPU, if a trial shows that it computes: PyTorch may have no code for its kind."""
    reasons: list[Exception | Warning | str] = []
    with warnings.catch_warnings(record=True) as told:  # PyTorch's own are of several lines
        warnings.simplefilter("always")
        try:
            if torch.cuda.is_available():
                torch.ones(2, device="cuda").add(1).sum().item()
                return torch.device("cuda")
        except Exception as error:  # noqa: BLE001 (drivers raise many kinds)
            reasons.append(error)
    reasons += [warning.message for warning in told]
    if reasons:  # none: there is no GPU
        _say_why_not(str(reasons[0]).strip().partition("\n")[0].rstrip("."))
    return torch.device("cpu")


@lru_cache  # once a process: each training of a stage asks for a device
def _say_why_not(reason: str) -> None:
    sentence = "PyTorch cannot compute on this machine's GPU, so that the processor is used"
    warnings.warn(f"{sentence}: {reason}.", RuntimeWarning, stacklevel=3)


@contextmanager
def explained_out_of_memory() -> Iterator[None]:
    """Say what to do about a GPU whose memory is full.

    Raises UserError then.
    """
    try:
        yield
    except torch.cuda.OutOfMemoryError as error:
        raise UserError(
            "The GPU's memory is full: take a smaller batch_size, end what else runs on it, or "
            'train on the processor by CUDA_VISIBLE_DEVICES="".'
        ) from error


def flatten_parameters(network: nn.Module) -> nn.Parameter:
    """Move all weights into one vector, of which the network's parameters become views.

    An optimizer that is given this vector updates a small network in a handful of calls instead
    of a handful for each layer. All optimizers here treat each weight by itself, so that the
    result is the same. Gradients are views of the vector's, and must be zeroed, not dropped.
    """
    parameters = list(network.parameters())
    weights = parameters[0].new_empty(sum(parameter.numel() for parameter in parameters))
    flat = nn.Parameter(weights)
    flat.grad = torch.zeros_like(weights)
    start = 0
    for parameter in parameters:
        place = (parameter.size(), parameter.stride(), start)  # keeps the memory format
        view = weights.as_strided(*place)
        view.copy_(parameter.data)
        parameter.data = view
        parameter.grad = flat.grad.as_strided(*place)
        start += parameter.numel()
    return flat


def keep_freed_memory() -> None:
    """Make glibc keep large freed buffers instead of handing them back to the kernel.

    Each training step frees and asks for the same few megabytes; by default each of them is
    unmapped and then faulted in again page by page. Elsewhere than on glibc this does nothing.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        m_trim_threshold, m_mmap_threshold = -1, -3  # from malloc.h
        mallopt(m_mmap_threshold, 1 << 30)
        mallopt(m_trim_threshold, 1 << 30)


def _computes_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    features = torch.cpu.get_capabilities()
    return any(features.get(name, False) for name in ("avx512_bf16", "amx_bf16"))
