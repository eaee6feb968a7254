"""Time the training engine against a plain loop: python -m tools bench.

Every measurement is a process of its own, and the two sides take turns. Both train the same
network by the same recipe on scikit-learn's digits, repeated, with the same number of threads: ours
on four times as many, so that both take about as long. Validation is left out of both. The plain
loop runs on the processor, as it does in most notebooks of its day, even where ours finds a GPU.
The threads of both wait for each other as briefly as those of a stage (see `stages.__main__`).

The last line printed is one JSON object.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from mnistpipe.data.split import Labelled
from mnistpipe.files.errors import UserError
from mnistpipe.networks.models import build_network
from mnistpipe.scoring.scores import Examples
from mnistpipe.study import load_params
from mnistpipe.training.engine import Engine, start_engine
from mnistpipe.training.loop import Training, fit
from mnistpipe.training.plan import TRAIN_STAGES
from mnistpipe.training.recipe import Recipe

MNIST_TRAINING_IMAGES = 51_000  # without the validation set
TRIAL_IMAGES = 640  # enough to tell how many images make a measurement of the wanted length
OURS_TO_REFERENCE = 4  # images of a measurement, so that both take about as long


@dataclass(frozen=True)
class Length:
    """How thorough the comparison is.

    Attributes:
        measured_s: rough time of the measured epoch; as much goes before it as a warm-up.
        rounds: measurements of each side.

    """

    measured_s: float
    rounds: int


FULL, QUICK = Length(measured_s=3.0, rounds=4), Length(measured_s=1.0, rounds=1)


@dataclass(frozen=True)
class Measurement:
    """What one process found out.

    Attributes:
        images_per_s: trained on, views included.
        peak_mb: largest resident memory, in 10^6 bytes.
        precision: of the convolutions and products.
        flops_share: of the rate at which this machine multiplies large matrices; the products are
            counted that the sides compute whole, not those of ours that skip zeros.

    """

    images_per_s: float
    peak_mb: float
    precision: str
    flops_share: float


def main() -> None:
    """Run all measurements or, in a process of its own, one."""
    parser = argparse.ArgumentParser(description="Time the training engine.")
    parser.add_argument("--quick", action="store_true", help="under two minutes, less exact")
    parser.add_argument("--growth", action="store_true", help="time and memory against size")
    parser.add_argument(
        "--profile", choices=TRAIN_STAGES, help="where a stage's training time goes"
    )
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(asdict(_measure(**json.loads(arguments.measure)))))
        return
    with tempfile.TemporaryDirectory() as folder:
        digits = save_digits(Path(folder))
        if arguments.growth:
            print_growth(digits)
        elif arguments.profile:
            print_profile(digits, arguments.profile)
        else:
            print_comparison(digits, QUICK if arguments.quick else FULL)


def save_digits(folder: Path) -> Path:
    """Write what is trained on to a file: scikit-learn would count in a measurement's memory."""
    from mnistpipe.data.datasets import load_digits  # noqa: PLC0415 (measurements run without it)

    train = load_digits().train
    file = folder / "digits.npz"
    np.savez(file, images=train.images, labels=train.labels)
    return file


def print_comparison(digits: Path, length: Length) -> None:
    """Each train stage's network, the plain loop against ours."""
    in_a_process = partial(_in_a_process, digits)
    threads = torch.get_num_threads()
    print(f"{_machine()}, {threads} threads, images/s as min / median / max")
    results: dict[str, dict[str, float]] = {}
    for stage in TRAIN_STAGES:
        n_views = len(load_params().training_run(stage).recipe.views)
        trials = {
            n: in_a_process("reference", stage, TRIAL_IMAGES, threads, n) for n in (0, threads)
        }
        workers = max(trials, key=lambda n: trials[n].images_per_s)
        batch_size = load_params().training_run(stage).recipe.batch_size
        n_batches = length.measured_s * trials[workers].images_per_s / (n_views * batch_size)
        n_reference = batch_size * max(1, round(n_batches))  # the plain loop takes whole batches
        plain, ours = [], []
        for _ in range(length.rounds):
            plain.append(in_a_process("reference", stage, n_reference, threads, workers))
            ours.append(in_a_process("ours", stage, OURS_TO_REFERENCE * n_reference, threads, 0))
        ratios = [o.images_per_s / p.images_per_s for o, p in zip(ours, plain, strict=True)]
        print(f"\n{stage}")
        print(f"  plain loop   {_spread(plain)}, {workers} worker processes, fp32")
        print(f"  ours         {_spread(ours)}, {ours[0].precision}")
        middle = statistics.median(ratios)
        print(f"  ratio        {min(ratios):.2f} / {middle:.2f} / {max(ratios):.2f}", flush=True)
        results[stage.removeprefix("train-")] = {
            "ratio": round(middle, 3),
            "reference_images_per_s": round(_median(plain)),
            "images_per_s": round(_median(ours)),
            "peak_mb": round(max(m.peak_mb for m in ours)),
            "matmul_share": round(statistics.median(m.flops_share for m in ours), 3),
        }
    results["study"] = _whole_study(results)
    print(
        f"\nThe study of params.yaml, {results['study']['image_passes']:,.0f} image passes: "
        f"{results['study']['reference_s']:,.0f} s by the plain loop, "
        f"{results['study']['s']:,.0f} s by ours, one stage at a time, training alone."
    )
    print(json.dumps(results))


def print_growth(digits: Path) -> None:
    """One epoch's time and the process's peak memory against size, views and threads."""
    cores = torch.get_num_threads()
    print(
        f"{_machine()}\n\n| stage | images | views | threads | s per epoch | images/s | peak MB |"
    )
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    whole = MNIST_TRAINING_IMAGES
    sizes = [whole // 16, whole // 8, whole // 4, whole // 2, whole, 4 * whole]
    cases = [("train-convnet", n, cores) for n in sizes] + [("train-net", n, cores) for n in sizes]
    cases += [(stage, whole // 4, cores) for stage in ("train-augmented", "train-net-augmented")]
    cases += [(stage, whole // 8, n) for stage in TRAIN_STAGES for n in range(1, cores + 1)]
    rows = []
    for stage, n_images, threads in cases:
        m = _in_a_process(digits, "ours", stage, n_images, threads, 0)
        views = len(load_params().training_run(stage).recipe.views)
        seconds = n_images * views / m.images_per_s
        rows.append({"stage": stage, "images": n_images, "threads": threads, **asdict(m)})
        print(
            f"| {stage} | {n_images:,} | {views} | {threads} | {seconds:.2f} "
            f"| {m.images_per_s:,.0f} | {m.peak_mb:,.0f} |",
            flush=True,
        )
    print(json.dumps(rows))


def print_profile(digits: Path, stage: str) -> None:
    """The operations that take most of a hundred training steps, each without those it calls."""
    recipe = _short_recipe(stage)
    engine = start_engine(recipe.precision)
    examples = _read_examples(digits, 100 * recipe.batch_size, engine)
    epochs = _fit(recipe, examples, engine)
    next(epochs)
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        next(epochs)
    events = sorted(profiler.key_averages(), key=lambda e: e.self_cpu_time_total, reverse=True)
    total_us = sum(event.self_cpu_time_total for event in events)
    print(f"{_machine()}\n\n| operation of {stage} | share of the time | calls per step |")
    print("| --- | ---: | ---: |")
    for event in events[:12]:
        share = event.self_cpu_time_total / total_us
        print(f"| `{event.key}` | {share:.1%} | {event.count / 100:.0f} |")
    n_calls = sum(event.count for event in events) / 100
    print(f"| all {len(events)} operations | 100% | {n_calls:.0f} |")


def _in_a_process(
    digits: Path, side: str, stage: str, n_images: int, n_threads: int, n_workers: int
) -> Measurement:
    request = {
        "digits": str(digits),
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


def _measure(
    digits: str, side: str, stage: str, n_images: int, n_threads: int, n_workers: int
) -> Measurement:
    """Train for two epochs and time the second."""
    torch.set_num_threads(n_threads)
    recipe = _short_recipe(stage)
    engine = start_engine(recipe.precision) if side == "ours" else None
    epochs: Iterator[object]
    network: nn.Module
    if engine is None:
        # Ours runs without torchvision.
        from tools.reference import plain_network, train_reference  # noqa: PLC0415

        examples = _read_examples(Path(digits), n_images, Engine(torch.device("cpu"), "fp32"))
        epochs = train_reference(
            examples.images.numpy(), examples.labels.numpy(), recipe, n_workers
        )
        network = plain_network(recipe)
    else:
        epochs = _fit(recipe, _read_examples(Path(digits), n_images, engine), engine)
        network = build_network(recipe.network, recipe.dropout)
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


def _short_recipe(stage: str) -> Recipe:
    recipe = load_params().training_run(stage).recipe
    return recipe.model_copy(update={"epochs": 2, "min_steps": 0})


def _read_examples(digits: Path, n_images: int, engine: Engine) -> Examples:
    with np.load(digits) as arrays:
        images, labels = arrays["images"], arrays["labels"]
    chosen = np.arange(n_images) % len(labels)
    return Examples.on(engine.device, Labelled(images[chosen], labels[chosen]))


def _fit(recipe: Recipe, examples: Examples, engine: Engine) -> Iterator[object]:
    few = Examples(examples.images[:10], examples.labels[:10])  # next to no validation
    return fit(Training(recipe, 1, engine), examples, few)


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


def _whole_study(results: dict[str, dict[str, float]]) -> dict[str, float]:
    """Image passes of all train stages on MNIST, and the time that both sides need for them."""
    params = load_params()
    passes, reference_s, ours_s = 0.0, 0.0, 0.0
    for stage in params.train_stages:
        wanted = params.training_run(stage)
        recipe, fraction = wanted.recipe, wanted.steps_of or wanted.fraction
        # The sweeps train what train-net-augmented trains.
        speed = results[stage.removeprefix("train-") if stage in TRAIN_STAGES else "net-augmented"]
        n = recipe.epochs * len(recipe.views) * fraction * MNIST_TRAINING_IMAGES
        n *= len(wanted.seeds)
        passes += n
        reference_s += n / speed["reference_images_per_s"]
        ours_s += n / speed["images_per_s"]
    return {
        "image_passes": round(passes),
        "reference_s": round(reference_s),
        "s": round(ours_s),
        "ratio": round(reference_s / ours_s, 3),
    }


def _median(measurements: Sequence[Measurement]) -> float:
    return statistics.median(m.images_per_s for m in measurements)


def _spread(measurements: Sequence[Measurement]) -> str:
    speeds = [m.images_per_s for m in measurements]
    return (
        f"{min(speeds):,.0f} / {statistics.median(speeds):,.0f} / {max(speeds):,.0f}, "
        f"peak {max(m.peak_mb for m in measurements):,.0f} MB, "
        f"{statistics.median(m.flops_share for m in measurements):.0%} of the matrix-multiply rate"
    )


def _machine() -> str:
    name = str(torch.cpu.get_capabilities().get("cpu_name", "processor"))
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else name
    return f"{device}, {os.cpu_count()} cores, PyTorch {torch.__version__}"
