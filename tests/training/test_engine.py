import copy
import ctypes
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from typing import Literal, NoReturn

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (PyTorch's own convention)

from mnistpipe.files.errors import UserError
from mnistpipe.networks.models import Classifier
from mnistpipe.training import engine as engine_module
from mnistpipe.training.engine import (
    Engine,
    explained_out_of_memory,
    flatten_parameters,
    keep_freed_memory,
    start_engine,
)
from mnistpipe.training.loop import Training
from mnistpipe.training.recipe import Recipe
from tests.conftest import ROOT

NETWORKS = ("convnet", "net")


def set_hardware(monkeypatch: pytest.MonkeyPatch, device: str, *, computes_bf16: bool) -> None:
    monkeypatch.setattr(engine_module, "_find_device", lambda: torch.device(device))
    monkeypatch.setattr(engine_module, "_computes_bf16", lambda _: computes_bf16)


def build(name: str, recipe: Recipe, engine: Engine) -> Classifier:
    """Without dropout, so that a network and its copy compute the same."""
    recipe = type(recipe).model_validate(recipe.model_dump() | {"network": name, "dropout": 0.0})
    return Training(recipe, 1, engine, 10).network


@pytest.mark.parametrize(
    ("precision", "device", "computes_bf16", "chosen"),
    [
        ("auto", "cpu", True, "fp32"),  # numbers of a processor do not depend on which one it is
        ("auto", "cpu", False, "fp32"),
        ("auto", "cuda", True, "bf16"),
        ("auto", "cuda", False, "fp32"),
        ("fp32", "cpu", True, "fp32"),
        ("fp32", "cpu", False, "fp32"),
        ("fp32", "cuda", True, "fp32"),
        ("bf16", "cpu", True, "bf16"),
        ("bf16", "cuda", True, "bf16"),
    ],
)
def test_the_precision_is_what_was_asked_for_and_the_hardware_has(
    monkeypatch: pytest.MonkeyPatch,
    precision: Literal["auto", "fp32", "bf16"],
    device: str,
    chosen: str,
    *,
    computes_bf16: bool,
) -> None:
    set_hardware(monkeypatch, device, computes_bf16=computes_bf16)
    engine = start_engine(precision)
    assert (engine.device.type, engine.precision) == (device, chosen)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_bf16_is_not_emulated(monkeypatch: pytest.MonkeyPatch, device: str) -> None:
    set_hardware(monkeypatch, device, computes_bf16=False)
    with pytest.raises(UserError) as caught:
        start_engine("bf16")
    assert str(caught.value) == (
        f"precision: bf16 needs hardware that computes it, which this {device} is not; "
        "use auto or fp32."
    )


@pytest.mark.parametrize(
    ("features", "expected"),
    [
        ({}, False),
        ({"avx2": True, "avx512_bf16": False}, False),
        ({"avx512_bf16": True}, True),
        ({"amx_bf16": True, "avx512_bf16": False}, True),
    ],
)
def test_a_processor_computes_bf16_if_it_says_so(
    monkeypatch: pytest.MonkeyPatch, features: dict[str, bool], *, expected: bool
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: features)
    assert engine_module._computes_bf16(torch.device("cpu")) == expected


def test_this_machine_has_an_engine() -> None:
    """With the real look at the hardware, whatever it is."""
    engine = start_engine("auto")
    assert engine.device.type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert engine.precision in (("fp32", "bf16") if engine.device.type == "cuda" else ("fp32",))
    assert start_engine("fp32") == Engine(engine.device, "fp32")


@pytest.mark.faults
def test_a_gpu_that_does_not_compute_is_passed_over_with_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As one that PyTorch has no code for, or cannot start; this machine has no other kind."""
    for number, kind in enumerate((RuntimeError, AssertionError)):
        reason = f"CUDA error: no kernel image is available ({number})"

        def fail(
            *_: object, kind: type[Exception] = kind, reason: str = reason, **__: object
        ) -> None:
            raise kind(f"{reason}.\nCompile with TORCH_USE_CUDA_DSA.")

        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch, "ones", fail)
        with pytest.warns(RuntimeWarning) as caught:
            engines = [start_engine("auto"), start_engine("auto")]
        (sentence,) = [str(warning.message) for warning in caught]
        assert sentence.endswith(f"GPU, so that the processor is used: {reason}.")
        assert engines == [Engine(torch.device("cpu"), "fp32")] * 2


def test_pytorchs_own_words_about_a_driver_become_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def is_available() -> bool:
        warnings.warn("CUDA initialization: the driver is too old.\nUpdate it.", stacklevel=1)
        return False

    monkeypatch.setattr(torch.cuda, "is_available", is_available)
    with pytest.warns(
        RuntimeWarning, match=r"is used: CUDA initialization: the driver is too old.$"
    ):
        assert start_engine("auto").device.type == "cpu"


def test_a_gpu_that_computes_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    ones = torch.ones
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch, "ones", lambda n, **_: ones(n))
    monkeypatch.setattr(engine_module, "_computes_bf16", lambda _: True)
    assert start_engine("auto") == Engine(torch.device("cuda"), "bf16")


def test_without_a_gpu_that_may_be_seen_nothing_is_said() -> None:
    script = (
        "from mnistpipe.training.engine import start_engine; print(start_engine('auto').device)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=os.environ | {"CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("cpu\n", "")


@pytest.mark.faults
def test_a_full_gpu_is_a_users_error_that_says_what_to_do() -> None:
    with pytest.raises(UserError) as caught, explained_out_of_memory():
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.")
    assert str(caught.value) == (
        "The GPU's memory is full: take a smaller batch_size, end what else runs on it, or "
        'train on the processor by CUDA_VISIBLE_DEVICES="".'
    )


def test_autocast_computes_products_in_the_engines_precision() -> None:
    square = torch.ones(2, 2)
    for precision, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        engine = Engine(torch.device("cpu"), "bf16" if precision == "bf16" else "fp32")
        with engine.autocast():
            assert (square @ square).dtype == dtype
    assert (square @ square).dtype == torch.float32


@pytest.mark.parametrize("name", NETWORKS)
def test_flat_parameters_keep_values_shapes_and_memory_format(
    name: str, recipe: Recipe, engine: Engine
) -> None:
    network = build(name, recipe, engine)
    assert network.get_parameter("conv2.weight").is_contiguous(memory_format=torch.channels_last)
    before = [(p.detach().clone(), p.shape, p.stride()) for p in network.parameters()]
    flatten_parameters(network)
    after = list(network.parameters())
    assert len(after) == len(before)
    for parameter, (values, shape, stride) in zip(after, before, strict=True):
        assert torch.equal(parameter, values)
        assert (parameter.shape, parameter.stride()) == (shape, stride)


@pytest.mark.parametrize("name", NETWORKS)
def test_flat_parameters_and_their_gradients_are_the_vectors_own(
    name: str, recipe: Recipe, engine: Engine
) -> None:
    network = build(name, recipe, engine)
    flat = flatten_parameters(network)
    parameters = list(network.parameters())
    assert flat.shape == (sum(parameter.numel() for parameter in parameters),)
    assert flat.grad is not None
    for vector, parts in (
        (flat.data, [p.data for p in parameters]),
        (flat.grad, [p.grad for p in parameters]),
    ):
        # Filling each part with its own number reaches every place of the vector, once.
        for number, part in enumerate(parts):
            assert part is not None
            part.fill_(number)
        counts = torch.tensor([parameter.numel() for parameter in parameters])
        assert torch.equal(vector, torch.arange(len(parts)).repeat_interleave(counts).float())


@pytest.mark.parametrize("name", NETWORKS)
def test_a_backward_pass_fills_the_vectors_gradient(
    name: str, recipe: Recipe, engine: Engine
) -> None:
    network = build(name, recipe, engine)
    separate = copy.deepcopy(network)
    flat = flatten_parameters(network)
    for each in (separate, network):
        loss_of(each, 0).backward()  # type: ignore[no-untyped-call]
    assert flat.grad is not None
    for parameter, twin in zip(network.parameters(), separate.parameters(), strict=True):
        assert parameter.grad is not None
        assert parameter.grad.untyped_storage().data_ptr() == flat.grad.data_ptr()
        torch.testing.assert_close(parameter.grad, twin.grad)
    assert flat.grad.abs().sum() > 0


def loss_of(network: nn.Module, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(12, 1, 28, 28, generator=generator)
    return F.nll_loss(network(images), torch.arange(12) % 10)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(
    "optimizer_of",
    [
        lambda weights: torch.optim.Adadelta(weights, lr=1.0),
        lambda weights: torch.optim.RMSprop(weights, lr=0.001),
    ],
    ids=["adadelta", "rmsprop"],
)
def test_steps_over_the_vector_are_steps_over_each_parameter(
    name: str,
    optimizer_of: Callable[[list[nn.Parameter]], torch.optim.Optimizer],
    recipe: Recipe,
    engine: Engine,
) -> None:
    network = build(name, recipe, engine)
    separate = copy.deepcopy(network)
    start = copy.deepcopy(network)
    flat = flatten_parameters(network)
    for each, weights in ((network, [flat]), (separate, list(separate.parameters()))):
        optimizer = optimizer_of(weights)
        for step in range(3):
            optimizer.zero_grad(set_to_none=False)
            loss_of(each, step).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    for moved, twin, old in zip(
        network.parameters(), separate.parameters(), start.parameters(), strict=True
    ):
        assert not torch.equal(moved, old)
        torch.testing.assert_close(moved, twin)


def test_glibc_is_told_to_keep_large_buffers(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    class Libc:
        @staticmethod
        def mallopt(option: int, value: int) -> int:
            asked.append((option, value))
            return 1

    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(ctypes, "CDLL", lambda _: Libc)
    keep_freed_memory()
    # M_MMAP_THRESHOLD and M_TRIM_THRESHOLD of malloc.h, to one GiB.
    assert sorted(asked) == [(-3, 1 << 30), (-1, 1 << 30)]
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())  # a C library without mallopt
    keep_freed_memory()


def test_freed_memory_may_really_be_kept_twice() -> None:
    keep_freed_memory()
    keep_freed_memory()
    assert torch.arange(3_000_000).sum() == 4_499_998_500_000  # and memory still works


def test_elsewhere_than_on_linux_the_allocator_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = []

    def load(*arguments: object) -> NoReturn:
        calls.append(arguments)
        raise OSError

    monkeypatch.setattr(ctypes, "CDLL", load)
    with monkeypatch.context() as elsewhere:
        for platform in ("darwin", "win32"):
            elsewhere.setattr(sys, "platform", platform)
            keep_freed_memory()
    assert calls == []
