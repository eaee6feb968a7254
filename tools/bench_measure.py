"""One measurement of the benchmark: in a process of its own, which trains by one of the sides."""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from mnistpipe.data.split import Labelled
from mnistpipe.files.errors import UserError
from mnistpipe.networks.models import build_network
from mnistpipe.scoring.scores import Examples
from mnistpipe.study import load_params
from mnistpipe.training.engine import Engine, start_engine
from mnistpipe.training.loop import Training, fit
from mnistpipe.training.recipe import Recipe

Side = Literal["ours", "reference", "example"]  # ours, the plain loop, PyTorch's example

N_CLASSES = 10  # of MNIST, and of the digits in its place


@dataclass(frozen=True)
class Measurement:
    """What one process found out.

    Attributes:
        images_per_s: trained on, views included.
        peak_mb: largest resident memory, in 10^6 bytes.
        precision: of the convolutions and products.
        flops_share: of the rate at which this machine multiplies large matrices; the products are
            counted that a library computes, not those of our compiled loops.

    """

    images_per_s: float
    peak_mb: float
    precision: str
    flops_share: float


def measure_in_a_process(
    examples: Path, side: Side, stage: str, n_images: int, n_threads: int, n_workers: int = 0
) -> Measurement:
    """What `measure` finds out in a fresh process; raises UserError if that fails."""
    request = {
        "examples": str(examples),
        "side": side,
        "stage": stage,
        "n_images": n_images,
        "n_threads": n_threads,
        "n_workers": n_workers,
    }
    done = subprocess.run(
        [sys.executable, "-m", "tools", "bench", "--measure", json.dumps(request)],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise UserError(f"{stage} could not be measured; the lines above say why.")
    return Measurement(**json.loads(done.stdout.splitlines()[-1]))


def measure(
    examples: str, side: Side, stage: str, n_images: int, n_threads: int, n_workers: int
) -> Measurement:
    """Train for two epochs and time the second.

    Args:
        examples: file of what is trained on, as `tools.bench_data` writes it.
        side: which loop trains.
        stage: whose network and recipe; `example` has those without further views alone.
        n_images: of an epoch, taken from the file's beginning, again and again if they are more.
        n_threads: of PyTorch, in this process.
        n_workers: processes that load images for it; ours has none.

    """
    torch.set_num_threads(n_threads)
    recipe = short_recipe(stage)
    engine = start_engine(recipe.precision) if side == "ours" else None
    chosen = read_examples(Path(examples), n_images, engine or Engine(torch.device("cpu"), "fp32"))
    epochs: Iterator[object]
    network: nn.Module
    if engine is None:
        # Ours runs without torchvision.
        from tools.reference import plain_network, train_example, train_reference  # noqa: PLC0415

        train = train_example if side == "example" else train_reference
        epochs = train(chosen.images.numpy(), chosen.labels.numpy(), recipe, n_workers)
        network = plain_network(recipe)
    else:
        epochs = start_training(recipe, chosen, engine)
        network = build_network(recipe.network, recipe.dropout, N_CLASSES)
    next(epochs)
    start_s = time.perf_counter()
    next(epochs)
    images_per_s = n_images * len(recipe.views) / (time.perf_counter() - start_s)
    return Measurement(
        images_per_s=images_per_s,
        peak_mb=_peak_bytes() / 1e6,
        precision=engine.precision if engine else "fp32",
        flops_share=images_per_s * _flops_per_image(network) / _matmul_rate(engine),
    )


def short_recipe(stage: str) -> Recipe:
    """The recipe of a train stage, for two epochs of whatever length."""
    recipe = load_params().training_run(stage).recipe
    return recipe.model_copy(update={"epochs": 2, "min_steps": 0})


def read_examples(file: Path, n_images: int, engine: Engine) -> Examples:
    """The first examples of the file, which begins anew at its end, on the engine's device."""
    with np.load(file) as arrays:
        images, labels = arrays["images"], arrays["labels"]
    chosen = np.arange(n_images) % len(labels)
    return Examples.on(engine.device, Labelled(images[chosen], labels[chosen]))


def start_training(recipe: Recipe, examples: Examples, engine: Engine) -> Iterator[object]:
    """Our side: each step trains an epoch."""
    few = Examples(examples.images[:10], examples.labels[:10])  # next to no validation
    return fit(Training(recipe, 1, engine, N_CLASSES), examples, few)


def _peak_bytes() -> int:
    """The most memory that this process has held.

    On Linux not by `getrusage`, whose number starts with what the process that started this one
    held at that moment.
    """
    status = Path("/proc/self/status")
    if status.exists():
        words = status.read_text(encoding="ascii").partition("VmHWM:")[2].split()
        return int(words[0]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _flops_per_image(network: nn.Module) -> float:
    """Of convolutions and matrix products, forwards and backwards."""
    n_images = 8
    with FlopCounterMode(display=False) as counter:
        network(torch.randn(n_images, 1, 28, 28)).sum().backward()
    return float(counter.get_total_flops()) / n_images


def _matmul_rate(engine: Engine | None) -> float:
    """The best of some products of large matrices, in operations per second."""
    bf16 = engine is not None and engine.precision == "bf16"
    device = engine.device if engine else torch.device("cpu")
    size = 2048
    a = torch.randn(size, size, device=device, dtype=torch.bfloat16 if bf16 else torch.float32)
    best_s = float("inf")
    for _ in range(8):
        start_s = time.perf_counter()
        (a @ a)[0, 0].item()  # reading waits for the device
        best_s = min(best_s, time.perf_counter() - start_s)
    return 2 * size**3 / best_s
