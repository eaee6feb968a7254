"""Score every trained network on the test set, blurred and turned more and more."""

from dataclasses import asdict
from pathlib import Path

import pandas as pd
import torch
from jaxtyping import Float, Int64
from numpy import ndarray
from torch import Tensor

from mnistpipe.data.split_file import read_split
from mnistpipe.files.artifacts import write_json
from mnistpipe.files.figure_files import write_figure
from mnistpipe.files.sections import read_section
from mnistpipe.files.tables import write_table
from mnistpipe.robustness.figure import draw_robustness
from mnistpipe.robustness.measure import (
    Condition,
    compare_pairs,
    count_errors,
    nest_accuracies,
)
from mnistpipe.robustness.params import Robustness
from mnistpipe.robustness.perturb import perturb
from mnistpipe.scoring.scores import predict, to_pixels
from mnistpipe.training.engine import keep_freed_memory
from mnistpipe.training.plan import SWEEP, PartialData
from mnistpipe.training.trained import name_networks, read_networks


def main() -> None:
    """Each network is the one that its stage has saved."""
    section = read_section("robustness", Robustness)
    sweep = read_section(SWEEP, PartialData)
    names = name_networks([*sweep.stages.values(), *sweep.steps_stages.values()])
    split = read_split()
    networks = read_networks(names, split, "robustness")
    keep_freed_memory()

    def classify(pixels: Float[Tensor, "n 1 28 28"]) -> dict[str, Int64[ndarray, " n"]]:
        return {
            stage: predict(network, pixels).labels.numpy() for stage, network in networks.items()
        }

    pixels = to_pixels(torch.from_numpy(split.test.images))
    untouched = classify(pixels)
    predicted: dict[Condition, dict[str, Int64[ndarray, " n"]]] = {}
    for perturbation, strengths in section.strengths.items():
        predicted[perturbation, 0] = untouched
        for strength in strengths[1:]:
            perturbed = perturb(pixels, perturbation, strength, section.seed)
            predicted[perturbation, strength] = classify(perturbed)

    labels, dataset = split.test.labels, split.title
    measurements = count_errors(labels, predicted, names)
    table = pd.DataFrame([asdict(measurement) for measurement in measurements])
    write_table(Path("plots/robustness.csv"), table.assign(dataset=dataset))
    write_figure("robustness", draw_robustness(measurements, dataset))
    write_json(
        Path("metrics/robustness.json"),
        {
            "dataset": dataset,
            "accuracy": nest_accuracies(measurements),
            "augmentation": compare_pairs(labels, predicted),
        },
    )
