"""Networks as safetensors files, whose metadata suffices to rebuild them."""

import json
from collections.abc import Sequence
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
        classes: their names there, by number.
        pixel_mean: subtracted from pixels in 0..1 ...
        pixel_std: ... and what the difference is divided by.

    """

    network: str
    dropout: float
    dataset: str
    classes: tuple[str, ...]
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


def read_model(path: Path, network: str, dataset: str, classes: Sequence[str]) -> Classifier:
    """Rebuild a network from its file, on the processor, in evaluation mode.

    Args:
        path: of the file.
        network: what is expected there, `convnet` or `net`.
        dataset: the title of the data set that it should have been trained on.
        classes: their names there, by number.

    Raises:
        UserError: if the file is missing, damaged or of something else than expected.

    """
    rebuilt, card = read_any_model(path)
    if (card.network, card.dataset) != (network, dataset):
        raise UserError(
            f"{path} holds a {card.network} trained on {card.dataset} where a {network} trained "
            f"on {dataset} should be; delete it and run: dvc repro"
        )
    if card.classes != tuple(classes):
        raise UserError(
            f"{path} holds a {network} trained on other classes of {dataset} "
            f"({_listed(card.classes)}) than are there now ({_listed(classes)}); "
            "delete it and run: dvc repro"
        )
    return rebuilt


def read_any_model(path: Path) -> tuple[Classifier, ModelCard]:
    """Likewise, whatever it was trained on, which its card says.

    Nothing in the file is executed.

    Raises UserError if the file is missing, damaged or of something else.
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
        fields = json.loads(metadata[_METADATA_KEY])
        card = ModelCard(**fields | {"classes": tuple(fields["classes"])})
        rebuilt = NETWORKS[card.network](card.dropout, len(card.classes))
        rebuilt.load_state_dict(weights)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise UserError(
            f"{path} is a model of another network than {' or '.join(NETWORKS)}; "
            "delete it and run: dvc repro"
        ) from error
    return rebuilt.eval(), card


def _listed(classes: Sequence[str]) -> str:
    """How many there are, and the first few."""
    first = ", ".join(classes[:3])
    return f"{len(classes)}: {first}{', ...' if len(classes) > 3 else ''}"  # noqa: PLR2004
