"""In which order the stages are trained side by side, how long that takes, and what they cost.

`tools.repro` starts stages in this order; `tools.plan` tells beforehand what comes of it.
"""

import heapq
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from statistics import fmean

from mnistpipe.data.catalogue import CATALOGUE
from mnistpipe.study import Params
from mnistpipe.training.plan import TrainingRun

# Images that one thread trains on in a second, views included: with one view, and with several.
# As `make repro JOBS=2` printed them on the machine of docs/performance.md at the end of
# train-convnet and train-augmented, and of train-net and train-net-augmented.
IMAGES_PER_S = {"convnet": (21_000, 34_000), "net": (4_100, 5_000)}
# What a stage takes besides: DVC, imports, validation, scoring and writing (the same page).
STAGE_S = 6.0
# Where the catalogue does not tell: of EMNIST's letters two editions are about, this is the larger.
LETTERS = 124_800


@dataclass(frozen=True)
class Cost:
    """What it takes to bring a stage up to date.

    Attributes:
        stage: its name in dvc.yaml.
        n_trainings: that may go on side by side; 1 for a stage that does something else.
        seconds: of each of them, on one thread; their mean, where they differ.

    """

    stage: str
    n_trainings: int
    seconds: float


@dataclass(frozen=True)
class Span:
    """When a training is to go on, in seconds from the start of the first."""

    stage: str
    start_s: float
    end_s: float


# The stages between trainings and report, by the times at which that run wrote their metrics.
ANALYSES = (
    Cost("analyze", 1, 72.0),
    Cost("robustness", 1, 78.0),
    Cost("confidence", 1, 60.0),
    Cost("learning-curve", 1, 3.0),
)


def longest_first(params: Params) -> list[Cost]:
    """All stages that train, in the order in which they should be started.

    What is begun at the end should be short, so that no training is left to go on alone. A training
    counts, not a stage with all its seeds: they need not go on in one process after the other.
    """
    costs = [training_cost(params, stage) for stage in params.train_stages]
    if params.dense_curve.sizes:
        costs.append(dense_cost(params))
    return sorted(costs, key=lambda cost: cost.seconds, reverse=True)


def training_cost(params: Params, stage: str) -> Cost:
    """Image passes by the measured speed, and what is the same for all.

    Raises UserError if there is no such stage.
    """
    return _cost(params, stage, [params.training_run(stage)])


def dense_cost(params: Params) -> Cost:
    """Likewise of the dense curve, which has sizes."""
    recipe, n_images = params.partial_data.recipe, _training_images(params)
    runs = [
        TrainingRun(
            recipe,
            seeds=tuple(range(size.seeds)),
            fraction=min(1.0, size.images / n_images),
            fraction_key="",
            steps_of=None,
        )
        for size in params.dense_curve.sizes
    ]
    return _cost(params, "dense-curve", runs)


def _cost(params: Params, stage: str, runs: Sequence[TrainingRun]) -> Cost:
    seconds = []
    for wanted in runs:
        recipe = wanted.recipe
        # A network of which nobody has measured the speed counts as Net.
        speeds = IMAGES_PER_S.get(recipe.network, IMAGES_PER_S["net"])
        images_per_s = speeds[len(recipe.views) > 1]
        passes = image_passes(wanted, _training_images(params))
        seconds += [STAGE_S + passes / images_per_s] * len(wanted.seeds)
    return Cost(stage, len(seconds), fmean(seconds))


def _training_images(params: Params) -> float:
    """Of the whole training split; of one's own images roughly, as what is no image counts, too."""
    dataset = params.data.dataset
    if dataset == "folder":
        n_images = max(1, _count_files(Path(params.data.folder, "train").resolve()))
    else:
        n_images, _ = CATALOGUE[dataset].counts or (LETTERS, None)
    return n_images * (1 - params.prepare_split.validation_fraction)


@lru_cache  # each training asks
def _count_files(folder: Path) -> int:
    return sum(len(files) for _, _, files in os.walk(folder))


def image_passes(wanted: TrainingRun, n_images: float) -> float:
    """How often an image is trained on with one seed, views included, in all epochs together.

    As `mnistpipe.training.loop` counts, which imports PyTorch.

    Args:
        wanted: what a stage trains.
        n_images: of the whole training split.

    """
    recipe = wanted.recipe
    steps_per_pass = math.ceil(n_images * wanted.fraction / recipe.batch_size)
    min_steps = recipe.min_steps
    if wanted.steps_of is not None:
        min_steps = recipe.epochs * math.ceil(n_images * wanted.steps_of / recipe.batch_size)
    passes = recipe.epochs * max(1, math.ceil(min_steps / (recipe.epochs * steps_per_pass)))
    return n_images * wanted.fraction * len(recipe.views) * passes


def simulate(costs: Sequence[Cost], n_slots: int) -> list[Span]:
    """When each training goes on, if they take the slots in order as these become free."""
    free_s = [0.0] * n_slots  # a heap
    spans = []
    for cost in costs:
        for _ in range(cost.n_trainings):
            start_s = heapq.heappop(free_s)
            spans.append(Span(cost.stage, start_s, start_s + cost.seconds))
            heapq.heappush(free_s, start_s + cost.seconds)
    return spans


def last_end(spans: Sequence[Span]) -> float:
    """When all is done, in seconds."""
    return max((span.end_s for span in spans), default=0.0)


def time_left(costs: Sequence[Cost], n_slots: int, n_ended: int, elapsed_s: float) -> float:
    """How long the trainings still take, in seconds, at the pace so far.

    Args:
        costs: of all that are trained, in order.
        n_slots: which they take.
        n_ended: trainings that are through, at least one.
        elapsed_s: since the start of the first.

    """
    ends_s = sorted(span.end_s for span in simulate(costs, n_slots))
    return elapsed_s * (ends_s[-1] / ends_s[n_ended - 1] - 1)
