"""Score every trained network on the test set, blurred and turned more and more."""

from dataclasses import asdict
from pathlib import Path

import pandas as pd
import torch
from jaxtyping import Float, Int64
from numpy import ndarray
from torch import Tensor

from mnistpipe.data.split import Split
from mnistpipe.data.split_file import read_split
from mnistpipe.files.artifacts import write_json
from mnistpipe.files.errors import UserError
from mnistpipe.files.figure_files import write_figure
from mnistpipe.files.sections import read_section
from mnistpipe.files.tables import write_table
from mnistpipe.networks.model_files import read_model
from mnistpipe.networks.models import Classifier
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
from mnistpipe.training.plan import PAIRS, SWEEP, PartialData


def main() -> None:
    """A missing network is an error: they are those of params.yaml, not those on the disk."""
    section = read_section("robustness", Robustness)
    sweep = read_section(SWEEP, PartialData)
    names = {stage: network for network, pair in PAIRS.items() for stage in pair}
    names |= dict.fromkeys([*sweep.stages.values(), *sweep.steps_stages.values()], "net")
    split = read_split()
    networks = {stage: _read(stage, network, split) for stage, network in names.items()}
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


def _read(stage: str, network: str, split: Split) -> Classifier:
    path = Path(f"models/{stage}.safetensors")
    if not path.exists():
        raise UserError(
            f"{path} is missing, a network whose robustness is asked for; add it to the deps of "
            f"robustness in dvc.yaml if it is not there, and run: dvc repro"
        )
    # In the memory format of training, which takes half of the time.
    rebuilt = read_model(path, network, split.title, split.classes)
    return rebuilt.to(memory_format=torch.channels_last)
