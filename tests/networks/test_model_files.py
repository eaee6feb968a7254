import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Literal

import pytest
import torch
from safetensors.torch import save_file

from mnistpipe.files.errors import UserError
from mnistpipe.networks.model_files import (
    ModelCard,
    read_any_model,
    read_model,
    write_model,
)
from mnistpipe.networks.models import Classifier, Net, build_network
from mnistpipe.training.engine import flatten_parameters
from tests.conftest import ROOT, TEN

NetworkName = Literal["convnet", "net"]

WRITE_SEEDED_NETWORK = """
import sys
from pathlib import Path
import torch
from mnistpipe.networks.model_files import ModelCard, write_model
from mnistpipe.networks.models import Net
from tests.conftest import TEN

torch.manual_seed(0)
write_model(Path(sys.argv[1]), Net(), ModelCard("net", 0.5, "MNIST", TEN, 0.13, 0.31))
"""


def card(network: str = "net", dataset: str = "MNIST", classes: tuple[str, ...] = TEN) -> ModelCard:
    return ModelCard(network, 0.5, dataset, classes, 0.1307, 0.3081)


def network_with_history(name: NetworkName, n_classes: int = 10) -> Classifier:
    """A network whose running means, too, are not those of a fresh one."""
    torch.manual_seed(0)
    network = build_network(name, 0.5, n_classes)
    network(torch.rand(2, 1, 28, 28))
    return network.eval()


def written(path: Path, network: NetworkName = "net") -> bytes:
    write_model(path, network_with_history(network), card(network))
    return path.read_bytes()


def refusal(path: Path, network: str = "net", dataset: str = "MNIST") -> str:
    """The one sentence that reading gives, without the path at its start."""
    with pytest.raises(UserError) as caught:
        read_model(path, network, dataset, TEN)
    text = str(caught.value)
    assert text.startswith(f"{path} ")
    assert "\n" not in text
    return text.removeprefix(f"{path} ")


NOT_WHOLE = "is not a whole safetensors file; delete it and run: dvc repro"
FOREIGN = "is a model of another network than convnet or net; delete it and run: dvc repro"


@pytest.mark.parametrize("name", ["convnet", "net"])
def test_a_network_is_rebuilt_with_equal_outputs(tmp_path: Path, name: NetworkName) -> None:
    network = network_with_history(name)
    path = tmp_path / "models" / "a.safetensors"
    write_model(path, network, card(name))
    rebuilt = read_model(path, name, "MNIST", TEN)
    images = torch.rand(5, 1, 28, 28)
    assert torch.equal(rebuilt(images), network(images))
    assert not rebuilt.training
    assert type(rebuilt) is type(network)


def test_dropout_is_rebuilt_too(tmp_path: Path) -> None:
    write_model(tmp_path / "a", Net(0.25), ModelCard("net", 0.25, "MNIST", TEN, 0.1, 0.3))
    rebuilt = read_model(tmp_path / "a", "net", "MNIST", TEN)
    assert isinstance(rebuilt, Net)
    assert rebuilt.dropout == 0.25


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_trained_weights_are_saved_whatever_their_place_in_memory(
    tmp_path: Path, memory_format: torch.memory_format
) -> None:
    network = network_with_history("net")
    network.to(memory_format=memory_format)
    weights = flatten_parameters(network)
    weights.data += 0.01 * torch.arange(len(weights)).sin()
    write_model(tmp_path / "trained", network, card())

    plain = Net().eval()
    plain.load_state_dict(network.state_dict())
    write_model(tmp_path / "plain", plain, card())
    assert (tmp_path / "trained").read_bytes() == (tmp_path / "plain").read_bytes()
    assert (tmp_path / "trained").read_bytes() != written(tmp_path / "before")

    rebuilt = read_model(tmp_path / "trained", "net", "MNIST", TEN).state_dict()
    for name, value in network.state_dict().items():
        assert torch.equal(rebuilt[name], value)


def test_writing_leaves_the_network_as_it_is(tmp_path: Path) -> None:
    network = network_with_history("net")
    weights = flatten_parameters(network)
    write_model(tmp_path / "a", network, card())
    assert network.fc2.weight.untyped_storage().data_ptr() == weights.untyped_storage().data_ptr()


def test_equal_weights_give_equal_bytes_in_every_process(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    torch.manual_seed(0)
    write_model(here, Net(), ModelCard("net", 0.5, "MNIST", TEN, 0.13, 0.31))
    subprocess.run(
        [sys.executable, "-c", WRITE_SEEDED_NETWORK, there],
        check=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONHASHSEED": "1"},
    )
    assert here.read_bytes() == there.read_bytes()


@pytest.mark.faults
def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert refusal(tmp_path / "a.safetensors") == "is missing; run: dvc repro"


@pytest.mark.faults
@pytest.mark.parametrize("kept", [0, 5, 100, 100_000, -1])
def test_a_file_cut_short_is_refused(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(written(path)[:kept])
    assert refusal(path) == NOT_WHOLE


@pytest.mark.faults
@pytest.mark.parametrize(
    "content",
    [b"version https://git-lfs.github.com/spec/v1\n", b"<!DOCTYPE html>", b"\0" * 100],
    ids=["text", "web page", "zeros"],
)
def test_a_file_of_another_kind_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)
    assert refusal(path) == NOT_WHOLE


class _Trap:
    """Unpickling it makes a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.folder),)


@pytest.mark.faults
def test_a_pickle_is_refused_and_not_executed(tmp_path: Path) -> None:
    path, trap = tmp_path / "a.safetensors", tmp_path / "executed"
    path.write_bytes(pickle.dumps(_Trap(trap)))
    assert refusal(path) == NOT_WHOLE
    torch.save({"fc2.weight": _Trap(trap)}, path)
    assert refusal(path) == NOT_WHOLE
    assert not trap.exists()


@pytest.mark.faults
@pytest.mark.parametrize(
    "metadata",
    [
        None,
        {"format": "pt"},
        {"mnistpipe": "not JSON"},
        {"mnistpipe": "[]"},
        {"mnistpipe": "{}"},
        {"mnistpipe": '{"network": "net"}'},
        {
            "mnistpipe": '{"network": "resnet", "dropout": 0.5, "dataset": "MNIST",'
            ' "classes": ["0", "1"], "pixel_mean": 0.1, "pixel_std": 0.3}'
        },
        {  # as it was written before networks knew the names of their classes
            "mnistpipe": '{"network": "net", "dropout": 0.5, "dataset": "MNIST",'
            ' "pixel_mean": 0.1, "pixel_std": 0.3}'
        },
    ],
)
def test_a_model_of_a_foreign_project_is_refused(
    tmp_path: Path, metadata: dict[str, str] | None
) -> None:
    path = tmp_path / "a.safetensors"
    save_file(network_with_history("net").state_dict(), path, metadata)
    assert refusal(path) == FOREIGN


@pytest.mark.faults
def test_weights_that_do_not_fit_their_card_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    write_model(path, network_with_history("convnet"), card("net"))
    assert refusal(path) == FOREIGN
    network = network_with_history("net")
    network.fc2 = torch.nn.Linear(96, 11)
    write_model(path, network, card())
    assert refusal(path) == FOREIGN


@pytest.mark.faults
def test_another_network_than_expected_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    written(path, "convnet")
    assert refusal(path) == (
        "holds a convnet trained on MNIST where a net trained on MNIST should be; "
        "delete it and run: dvc repro"
    )


@pytest.mark.faults
def test_a_network_of_another_data_set_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    write_model(path, network_with_history("net"), card(dataset="scikit-learn digits (not MNIST)"))
    assert refusal(path) == (
        "holds a net trained on scikit-learn digits (not MNIST) where a net trained on MNIST "
        "should be; delete it and run: dvc repro"
    )
    assert read_model(path, "net", "scikit-learn digits (not MNIST)", TEN)


CLOTHES = ("T-shirt/top", "Ankle boot", "Ünterhose, rot")


def test_the_number_and_the_names_of_the_classes_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    network = network_with_history("convnet", n_classes=3)
    write_model(path, network, card("convnet", "clothes", CLOTHES))
    rebuilt, found = read_any_model(path)
    images = torch.rand(4, 1, 28, 28)
    assert torch.equal(rebuilt(images), network(images))
    assert rebuilt(images).shape == (4, 3)
    assert found == card("convnet", "clothes", CLOTHES)
    assert read_model(path, "convnet", "clothes", CLOTHES)


@pytest.mark.faults
def test_a_network_of_other_classes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    write_model(path, network_with_history("net", n_classes=3), card("net", "MNIST", CLOTHES))
    assert refusal(path) == (
        "holds a net trained on other classes of MNIST (3: T-shirt/top, Ankle boot, Ünterhose, "
        "rot) than are there now (10: 0, 1, 2, ...); delete it and run: dvc repro"
    )
