"""Train the network of one section of params.yaml: python -m stages.train STAGE."""

import sys
from contextlib import closing
from dataclasses import asdict, astuple, fields
from pathlib import Path

import torch

from mnistpipe.artifacts import read_split, write_csv, write_json
from mnistpipe.augment import blur
from mnistpipe.engine import start_engine
from mnistpipe.errors import UserError
from mnistpipe.evaluation import PIXEL_MEAN, PIXEL_STD, Examples, predict, score, to_pixels
from mnistpipe.model_files import ModelCard, write_model
from mnistpipe.models import count_parameters
from mnistpipe.params import load_params
from mnistpipe.split import Labelled, subset
from mnistpipe.training import Epoch, convergence_epoch, count_passes, fit, new_network
from stages.cli import run
from stages.progress import Progress


def main() -> None:
    """Train, write the loss curve after each epoch, then score every set once."""
    if len(sys.argv) != 2:  # noqa: PLR2004
        raise UserError("Name one train stage: python -m stages.train train-net")
    stage = sys.argv[1]
    recipe, fraction = load_params().training_run(stage)
    split = read_split()
    engine = start_engine(recipe.precision)

    def on_device(part: Labelled) -> Examples:
        return Examples(
            torch.from_numpy(part.images).to(engine.device),
            torch.from_numpy(part.labels).to(engine.device),
        )

    whole, validation = on_device(split.train), on_device(split.validation)
    parameter = stage.replace("@", ".fractions.")
    training = whole
    if fraction < 1:
        training = on_device(subset(split.train, fraction, recipe.seed, parameter))
    network = new_network(recipe, engine)

    curve: list[Epoch] = []
    columns = [*(field.name for field in fields(Epoch)), "dataset"]
    images_per_epoch = len(training) * len(recipe.views) * count_passes(len(training), recipe)
    with closing(Progress(stage, recipe.epochs, recipe.epochs * images_per_epoch)) as progress:
        for epoch in fit(network, training, validation, recipe, engine, progress.batch):
            curve.append(epoch)
            rows = [(*astuple(done), split.title) for done in curve]
            write_csv(Path(f"plots/loss/{stage}.csv"), columns, rows)
            progress.epoch(epoch)

    test = on_device(split.test)
    test_pixels = to_pixels(test.images)
    on_test = predict(network, test_pixels, recipe.test_batch_size)
    on_blurred = predict(network, blur(test_pixels), recipe.test_batch_size)

    def score_on(examples: Examples) -> dict[str, float]:
        predictions = predict(network, to_pixels(examples.images), recipe.test_batch_size)
        return asdict(score(predictions.logits, examples.labels))

    on_training = score_on(training)
    write_model(
        Path(f"models/{stage}.safetensors"),
        network,
        ModelCard(recipe.network, recipe.dropout, split.title, PIXEL_MEAN, PIXEL_STD),
    )
    write_csv(
        Path(f"plots/predictions/{stage}.csv"),
        ["actual", "predicted"],
        zip(test.labels.tolist(), on_test.labels.tolist(), strict=True),
    )
    write_json(
        Path(f"metrics/{stage}.json"),
        {
            "dataset": split.title,
            "network": recipe.network,
            "parameters": count_parameters(network),
            "precision": engine.precision,
            "examples": len(training),
            "images_per_epoch": images_per_epoch,
            "convergence_epoch": convergence_epoch([epoch.validation_loss for epoch in curve]),
            "train": on_training,
            "train_split": on_training if training is whole else score_on(whole),
            "validation": score_on(validation),
            "test": asdict(score(on_test.logits, test.labels)),
            "test_blurred": asdict(score(on_blurred.logits, test.labels)),
        },
    )


if __name__ == "__main__":
    run(main)
