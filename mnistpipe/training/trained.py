"""The networks that the study has trained, read back from their files."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import torch

from mnistpipe.data.split import Split
from mnistpipe.files.errors import UserError
from mnistpipe.networks.model_files import read_model
from mnistpipe.networks.models import Classifier
from mnistpipe.training.plan import PAIRS


def name_networks(parts: Iterable[str]) -> dict[str, str]:
    """By stage, which network it trains: of the train stages, and of these on parts of the data."""
    names: dict[str, str] = {stage: name for name, pair in PAIRS.items() for stage in pair}
    return names | dict.fromkeys(parts, "net")


def read_networks(networks: Mapping[str, str], split: Split, reader: str) -> dict[str, Classifier]:
    """The network that each of these stages has saved, which is its first seed's.

    A missing one is an error: they are those of params.yaml, not those on the disk.

    Args:
        networks: by stage, `convnet` or `net`.
        split: of the data set that they were trained on.
        reader: the stage that asks for them.

    Raises:
        UserError: if a file is missing, damaged or of something else than expected.

    """
    return {stage: _read(stage, network, split, reader) for stage, network in networks.items()}


def _read(stage: str, network: str, split: Split, reader: str) -> Classifier:
    path = Path(f"models/{stage}.safetensors")
    if not path.exists():
        raise UserError(
            f"{path} is missing, a network that {reader} asks for; add it to the deps of {reader} "
            "in dvc.yaml if it is not there, and run: dvc repro"
        )
    # In the memory format of training, which takes half of the time.
    rebuilt = read_model(path, network, split.title, split.classes)
    return rebuilt.to(memory_format=torch.channels_last)
