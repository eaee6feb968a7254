"""Score every trained network on the test set, blurred and turned more and more."""

from dataclasses import astuple, fields
from pathlib import Path

import torch
from jaxtyping import Float, Int64
from numpy import ndarray
from torch import Tensor

from mnistpipe.artifacts import read_split, write_csv, write_figure, write_json
from mnistpipe.engine import keep_freed_memory
from mnistpipe.errors import UserError
from mnistpipe.evaluation import predict, to_pixels
from mnistpipe.figures import draw_robustness
from mnistpipe.model_files import read_model
from mnistpipe.models import Classifier
from mnistpipe.params import PAIRS, load_params, steps_sweep_stages, sweep_stages
from mnistpipe.perturb import perturb
from mnistpipe.robustness import (
    Condition,
    Measurement,
    compare_pairs,
    count_errors,
    nest_accuracies,
)
from stages.cli import run


def main() -> None:
    """A missing network is an error: they are those of params.yaml, not those on the disk."""
    section = load_params().robustness
    names = {stage: network for network, pair in PAIRS.items() for stage in pair}
    parts = [*sweep_stages(load_params()), *steps_sweep_stages(load_params())]
    names |= dict.fromkeys(parts, "net")
    split = read_split()
    networks = {stage: _read(stage, network, split.title) for stage, network in names.items()}
    keep_freed_memory()

    def classify(pixels: Float[Tensor, "n 1 28 28"]) -> dict[str, Int64[ndarray, " n"]]:
        return {
            stage: predict(network, pixels, batch_size=1000).labels.numpy()
            for stage, network in networks.items()
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
    write_csv(
        Path("plots/robustness.csv"),
        [*(field.name for field in fields(Measurement)), "dataset"],
        [(*astuple(measurement), dataset) for measurement in measurements],
    )
    write_figure(Path("plots/robustness.png"), draw_robustness(measurements, dataset))
    write_json(
        Path("metrics/robustness.json"),
        {
            "dataset": dataset,
            "accuracy": nest_accuracies(measurements),
            "augmentation": compare_pairs(labels, predicted),
        },
    )


def _read(stage: str, network: str, dataset: str) -> Classifier:
    path = Path(f"models/{stage}.safetensors")
    if not path.exists():
        raise UserError(
            f"{path} is missing, a network whose robustness is asked for; add it to the deps of "
            f"robustness in dvc.yaml if it is not there, and run: dvc repro"
        )
    # In the memory format of training, which takes half of the time.
    return read_model(path, network, dataset).to(memory_format=torch.channels_last)


if __name__ == "__main__":
    run(main, "robustness")
