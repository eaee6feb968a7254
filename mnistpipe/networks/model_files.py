"""Networks as safetensors files, whose metadata suffices to rebuild them."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from mnistpipe.files.artifacts import write_bytes
from mnistpipe.files.errors import UserError
from mnistpipe.networks.models import NETWORKS, Classifier

_METADATA_KEY = "mnistpipe"  # one key, as safetensors orders several differently in each process


@dataclass(frozen=True)
class ModelCard:
    """What is needed to rebuild a network and to use it rightly.

    Attributes:
        network: `convnet` or `net`.
        dropout: its dropout probability in training.
        dataset: the title of the data set that it was trained on.
        pixel_mean: subtracted from pixels in 0..1 ...
        pixel_std: ... and what the difference is divided by.

    """

    network: str
    dropout: float
    dataset: str
    pixel_mean: float
    pixel_std: float


def write_model(path: Path, network: Classifier, card: ModelCard) -> None:
    """Weights and card as one safetensors file; equal weights give equal bytes."""
    # Copied, since training leaves them as views of one vector.
    weights = {
        name: value.cpu().clone(memory_format=torch.contiguous_format)
        for name, value in network.state_dict().items()
    }
    metadata = {_METADATA_KEY: json.dumps(asdict(card), sort_keys=True)}
    write_bytes(path, save(weights, metadata))


def read_model(path: Path, network: str, dataset: str) -> Classifier:
    """Rebuild a network from its file, on the processor, in evaluation mode.

    Nothing in the file is executed.

    Args:
        path: of the file.
        network: what is expected there, `convnet` or `net`.
        dataset: the title of the data set that it should have been trained on.

    Raises:
        UserError: if the file is missing, damaged or of something else than expected.

    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except FileNotFoundError as error:
        raise UserError(f"{path} is missing; run: dvc repro") from error
    except (SafetensorError, OSError) as error:
        raise UserError(
            f"{path} is not a whole safetensors file; delete it and run: dvc repro"
        ) from error
    try:
        card = ModelCard(**json.loads(metadata[_METADATA_KEY]))
        rebuilt = NETWORKS[card.network](card.dropout)
        rebuilt.load_state_dict(weights)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise UserError(
            f"{path} is a model of another network than {' or '.join(NETWORKS)}; "
            "delete it and run: dvc repro"
        ) from error
    if (card.network, card.dataset) != (network, dataset):
        raise UserError(
            f"{path} holds a {card.network} trained on {card.dataset} where a {network} trained "
            f"on {dataset} should be; delete it and run: dvc repro"
        )
    return rebuilt.eval()
