from pathlib import Path

import numpy as np
import pytest

from mnistpipe.data.split import Labelled, Split
from mnistpipe.files.errors import UserError
from mnistpipe.networks.model_files import ModelCard, write_model
from mnistpipe.networks.models import NETWORKS
from mnistpipe.scoring.scores import PIXEL_MEAN, PIXEL_STD
from mnistpipe.training.trained import name_networks, read_networks

NAMES = {"train-convnet": "convnet", "train-net": "net"}


def split_of(title: str) -> Split:
    one = Labelled(np.zeros((1, 28, 28), dtype=np.uint8), np.zeros(1, dtype=np.int64))
    return Split(title, ("a", "b"), one, one, one, np.array([0]), np.array([1]))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for stage, network in NAMES.items():
        card = ModelCard(network, 0.5, "toy", ("a", "b"), PIXEL_MEAN, PIXEL_STD)
        path = tmp_path / f"models/{stage}.safetensors"
        write_model(path, NETWORKS[network](n_classes=2), card)
    return tmp_path


def test_the_studys_networks_are_those_of_its_pairs_and_of_parts_of_the_data() -> None:
    assert name_networks(["partial-data@half"]) == {
        "train-convnet": "convnet",
        "train-augmented": "convnet",
        "train-net": "net",
        "train-net-augmented": "net",
        "partial-data@half": "net",
    }


def test_each_network_is_read_by_its_stage_ready_to_predict() -> None:
    networks = read_networks(NAMES, split_of("toy"), "robustness")
    assert {stage: type(network) for stage, network in networks.items()} == {
        stage: NETWORKS[network] for stage, network in NAMES.items()
    }
    assert not any(network.training for network in networks.values())


def test_a_missing_network_is_named_with_the_stage_that_asks_for_it(folder: Path) -> None:
    (folder / "models/train-net.safetensors").unlink()
    with pytest.raises(UserError, match=r"models/train-net\.safetensors .* deps of confidence"):
        read_networks(NAMES, split_of("toy"), "confidence")


def test_a_network_for_other_images_is_not_taken() -> None:
    with pytest.raises(UserError, match="trained on toy where"):
        read_networks(NAMES, split_of("MNIST"), "confidence")
