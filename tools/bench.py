"""Time the training engine against a plain loop: python -m tools bench.

Every measurement is a process of its own, and the sides take turns. All train the same network by
the same recipe on the same images with the same number of threads: ours on four times as many
images, so that each takes about as long. Where the recipe has no views, the loop of PyTorch's own
MNIST example is measured, too: it tells whether the plain loop is slow by choice. Validation is
left out of all. The plain loop and the example run on the processor, as in most notebooks of their
day, even where ours finds a GPU. The threads of all wait for each other as briefly as those of a
stage (see `stages.__main__`).

The first line says what is trained on: MNIST's training split where it is there, else digits of
scikit-learn, either repeated as often as it takes. The last line is one JSON object.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile

from mnistpipe.study import load_params
from mnistpipe.training.engine import start_engine
from mnistpipe.training.plan import TRAIN_STAGES, train_stages
from mnistpipe.training.recipe import Original
from tools.bench_measure import (
    Measurement,
    Side,
    measure,
    measure_in_a_process,
    read_examples,
    short_recipe,
    start_training,
)
from tools.schedule import image_passes

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
class Comparison:
    """What a stage's measurements found out.

    Attributes:
        sides: each side's measurements, one of each round.
        n_workers: processes that load images for the plain loop and the example.

    """

    sides: dict[Side, list[Measurement]]
    n_workers: int

    def ratios(self, side: Side, other: Side) -> list[float]:
        """How many times as fast a side was as the other, in each round."""
        pairs = zip(self.sides[side], self.sides[other], strict=True)
        return [m.images_per_s / o.images_per_s for m, o in pairs]


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
        print(json.dumps(asdict(measure(**json.loads(arguments.measure)))))
        return
    from tools.bench_data import save_examples  # noqa: PLC0415 (measurements run without it)

    with tempfile.TemporaryDirectory() as folder:
        examples, title = save_examples(Path(folder))
        print(f"{_machine()}, trained on {title}", flush=True)
        if arguments.growth:
            print_growth(examples)
        elif arguments.profile:
            print_profile(examples, arguments.profile)
        else:
            print_comparison(examples, QUICK if arguments.quick else FULL)


def print_comparison(examples: Path, length: Length) -> None:
    """Each train stage's network: ours against the plain loop, and that against the example's."""
    print(f"{torch.get_num_threads()} threads, images/s as min / median / max")
    results: dict[str, dict[str, float]] = {}
    for stage in TRAIN_STAGES:
        compared = compare(examples, stage, length)
        print_stage(stage, compared)
        results[stage.removeprefix("train-")] = numbers(compared)
    results["study"] = _whole_study(results)
    print(
        f"\nThe study of params.yaml, {results['study']['image_passes']:,.0f} image passes: "
        f"{results['study']['reference_s']:,.0f} s by the plain loop, "
        f"{results['study']['s']:,.0f} s by ours, one stage at a time, training alone."
    )
    print(json.dumps(results))


def compare(examples: Path, stage: str, length: Length) -> Comparison:
    """Measure a stage's sides in turn.

    The plain loop has worker processes where it is faster with them. The example prepares the same
    images, and is given as many: so the two differ by their loops alone.
    """
    recipe = load_params().training_run(stage).recipe
    threads = torch.get_num_threads()
    run = partial(measure_in_a_process, examples, stage=stage, n_threads=threads)
    trials = {n: run(side="reference", n_images=TRIAL_IMAGES, n_workers=n) for n in (0, threads)}
    n_workers = max(trials, key=lambda n: trials[n].images_per_s)
    per_batch = recipe.batch_size * len(recipe.views)
    n_batches = max(1, round(length.measured_s * trials[n_workers].images_per_s / per_batch))
    n_images = recipe.batch_size * n_batches  # the plain loop takes whole batches
    sides: dict[Side, list[Measurement]] = {"reference": [], "ours": []}
    if recipe.views == (Original(name="original"),):  # PyTorch's example has no other views
        sides["example"] = []
    for _ in range(length.rounds):
        for side, taken in sides.items():
            if side == "ours":
                taken.append(run(side=side, n_images=OURS_TO_REFERENCE * n_images))
            else:
                taken.append(run(side=side, n_images=n_images, n_workers=n_workers))
    return Comparison(sides, n_workers)


def print_stage(stage: str, compared: Comparison) -> None:
    """Each side's speed, and what one is to another."""
    sides, loading = compared.sides, f"{compared.n_workers} worker processes, fp32"
    print(f"\n{stage}\n  plain loop       {_spread(sides['reference'])}, {loading}")
    if "example" in sides:
        print(f"  PyTorch example  {_spread(sides['example'])}, {loading}")
    print(f"  ours             {_spread(sides['ours'])}, {sides['ours'][0].precision}")
    print(f"  ratio            {_range(compared.ratios('ours', 'reference'))}")
    if "example" in sides:
        distance = _range(compared.ratios("reference", "example"))
        print(f"  distance         {distance}, plain loop to PyTorch example")
    sys.stdout.flush()


def numbers(compared: Comparison) -> dict[str, float]:
    """A stage's entry in the JSON object: medians, and the largest memory."""
    sides = compared.sides
    found: dict[str, float] = {
        "ratio": round(statistics.median(compared.ratios("ours", "reference")), 3),
        "reference_images_per_s": round(_median(sides["reference"])),
        "images_per_s": round(_median(sides["ours"])),
        "peak_mb": round(max(m.peak_mb for m in sides["ours"])),
        "matmul_share": round(statistics.median(m.flops_share for m in sides["ours"]), 3),
    }
    if "example" in sides:
        distance = statistics.median(compared.ratios("reference", "example"))
        found["example_images_per_s"] = round(_median(sides["example"]))
        found["plain_to_example"] = round(distance, 3)
    return found


def print_growth(examples: Path) -> None:
    """One epoch's time and the process's peak memory against size, views and threads."""
    cores = torch.get_num_threads()
    print("\n| stage | images | views | threads | s per epoch | images/s | peak MB |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    whole = MNIST_TRAINING_IMAGES
    sizes = [whole // 16, whole // 8, whole // 4, whole // 2, whole, 4 * whole]
    cases = [("train-convnet", n, cores) for n in sizes] + [("train-net", n, cores) for n in sizes]
    cases += [(stage, whole // 4, cores) for stage in ("train-augmented", "train-net-augmented")]
    cases += [(stage, whole // 8, n) for stage in TRAIN_STAGES for n in range(1, cores + 1)]
    rows = []
    for stage, n_images, threads in cases:
        m = measure_in_a_process(examples, "ours", stage, n_images, threads)
        views = len(load_params().training_run(stage).recipe.views)
        seconds = n_images * views / m.images_per_s
        rows.append({"stage": stage, "images": n_images, "threads": threads, **asdict(m)})
        print(
            f"| {stage} | {n_images:,} | {views} | {threads} | {seconds:.2f} "
            f"| {m.images_per_s:,.0f} | {m.peak_mb:,.0f} |",
            flush=True,
        )
    print(json.dumps(rows))


def print_profile(examples: Path, stage: str) -> None:
    """The operations that take most of a hundred training steps, each without those it calls."""
    recipe = short_recipe(stage)
    engine = start_engine(recipe.precision)
    chosen = read_examples(examples, 100 * recipe.batch_size, engine)
    epochs = start_training(recipe, chosen, engine)
    next(epochs)
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        next(epochs)
    events = sorted(profiler.key_averages(), key=lambda e: e.self_cpu_time_total, reverse=True)
    total_us = sum(event.self_cpu_time_total for event in events)
    print(f"\n| operation of {stage} | share of the time | calls per step |")
    print("| --- | ---: | ---: |")
    for event in events[:12]:
        share = event.self_cpu_time_total / total_us
        print(f"| `{event.key}` | {share:.1%} | {event.count / 100:.0f} |")
    n_calls = sum(event.count for event in events) / 100
    print(f"| all {len(events)} operations | 100% | {n_calls:.0f} |")


def _whole_study(results: dict[str, dict[str, float]]) -> dict[str, float]:
    """Image passes of all train stages on MNIST, and the time that both sides need for them."""
    params = load_params()
    passes, reference_s, ours_s = 0.0, 0.0, 0.0
    for stage in train_stages(params.partial_data):
        wanted = params.training_run(stage)
        # The sweeps train what train-net-augmented trains.
        speed = results[stage.removeprefix("train-") if stage in TRAIN_STAGES else "net-augmented"]
        n = len(wanted.seeds) * image_passes(wanted, MNIST_TRAINING_IMAGES)
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


def _range(ratios: Sequence[float]) -> str:
    return f"{min(ratios):.2f} / {statistics.median(ratios):.2f} / {max(ratios):.2f}"


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
