from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from mnistpipe import checkpoints
from mnistpipe.artifacts import SPLIT_FILE, write_bytes
from mnistpipe.checkpoints import (
    CHECKPOINTS,
    checkpoint_path,
    load_checkpoint,
    remove_checkpoints,
    save_checkpoint,
)
from mnistpipe.engine import Engine
from mnistpipe.evaluation import Examples
from mnistpipe.params import Recipe
from mnistpipe.training import Training, fit
from tests.conftest import ROOT


def changed(recipe: Recipe, **fields: object) -> Recipe:
    return type(recipe).model_validate(recipe.model_dump() | fields)


@pytest.fixture
def stopped(recipe: Recipe, engine: Engine, examples: Examples) -> Training:
    """A run that was left after the first of its two epochs."""
    training = Training(recipe, 1, engine)
    next(fit(training, examples, examples))
    return training


@pytest.mark.parametrize(
    "fields",
    [
        {"optimizer": "adadelta"},
        {"optimizer": "rmsprop", "lr": 0.001},
        {"optimizer": "adamw", "lr": 0.001, "weight_decay": 0.05},
        {"weight_averaging": 0.9},
    ],
    ids=lambda fields: " ".join(map(str, fields.values())),
)
@pytest.mark.parametrize("network", ["convnet", "net"])
def test_a_run_comes_back_whole_and_goes_on_from_there(
    recipe: Recipe,
    engine: Engine,
    examples: Examples,
    tmp_path: Path,
    network: str,
    fields: dict[str, Any],
) -> None:
    recipe = changed(recipe, **fields, network=network)
    run, again = Training(recipe, 1, engine), Training(recipe, 1, engine)
    next(fit(run, examples, examples))
    save_checkpoint(tmp_path / "run.safetensors", run)
    load_checkpoint(tmp_path / "run.safetensors", again)
    for _ in ("as it was left", "an epoch later"):
        assert again.curve == run.curve
        assert again.state_dict().keys() == run.state_dict().keys()
        for key, value in run.state_dict().items():
            assert torch.equal(again.state_dict()[key], value), key
        assert list(fit(again, examples, examples)) == list(fit(run, examples, examples))
    assert len(again.curve) == 2


def test_a_later_epoch_takes_the_place_of_the_one_before(
    stopped: Training, examples: Examples, recipe: Recipe, engine: Engine, tmp_path: Path
) -> None:
    path = tmp_path / "run.safetensors"
    save_checkpoint(path, stopped)
    list(fit(stopped, examples, examples))
    save_checkpoint(path, stopped)
    again = Training(recipe, 1, engine)
    load_checkpoint(path, again)
    assert [epoch.epoch for epoch in again.curve] == [1, 2]
    assert list(tmp_path.iterdir()) == [path]


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


SPOILT: dict[str, Callable[[Path], object]] = {
    "missing": Path.unlink,
    "truncated": truncate,
    "empty": lambda path: path.write_bytes(b""),
    "foreign": lambda path: path.write_bytes(b"from somewhere else"),
    "without a curve": lambda path: save_file({"network.x": torch.zeros(1)}, path),
    "another curve": lambda path: save_file(
        {"network.x": torch.zeros(1)}, path, {"curve": '[{"epoch": 1}]'}
    ),
    "a curve that is no JSON": lambda path: save_file(
        {"network.x": torch.zeros(1)}, path, {"curve": "epoch 1"}
    ),
}


@pytest.mark.parametrize("how", SPOILT)
def test_a_run_without_a_whole_file_stays_new(
    stopped: Training, recipe: Recipe, engine: Engine, tmp_path: Path, how: str
) -> None:
    path = tmp_path / "run.safetensors"
    save_checkpoint(path, stopped)
    SPOILT[how](path)
    again, new = Training(recipe, 1, engine), Training(recipe, 1, engine)
    load_checkpoint(path, again)
    assert again.curve == []
    assert again.state_dict().keys() == new.state_dict().keys()
    for key, value in new.state_dict().items():
        assert torch.equal(again.state_dict()[key], value), key


@pytest.fixture
def basis(
    recipe: Recipe, engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Any]:
    """The arguments of `checkpoint_path`, in a folder with something for a split."""
    monkeypatch.chdir(tmp_path)
    write_bytes(SPLIT_FILE, b"a split")
    return {
        "stage": "train-convnet",
        "recipe": recipe,
        "seed": 1,
        "fraction": 1.0,
        "engine": engine,
        "n_threads": 2,
    }


def test_the_same_run_has_the_same_file_below_its_stage(basis: dict[str, Any]) -> None:
    path = checkpoint_path(**basis)
    assert path == checkpoint_path(**basis)
    assert path.parent == CHECKPOINTS / "train-convnet"


def test_whatever_the_numbers_depend_on_gives_another_file(
    basis: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine: Engine = basis["engine"]
    paths = [checkpoint_path(**basis)]
    for field, value in (
        ("recipe", changed(basis["recipe"], lr=0.5)),
        ("seed", 2),
        ("fraction", 0.5),
        ("engine", replace(engine, precision="bf16")),
        ("engine", replace(engine, device=torch.device("cuda"))),
        ("n_threads", 1),
    ):
        paths.append(checkpoint_path(**basis | {field: value}))
    with monkeypatch.context() as context:
        context.setattr(torch, "__version__", "0.0")
        paths.append(checkpoint_path(**basis))
    with monkeypatch.context() as context:
        code = Path("training.py")
        context.setattr(checkpoints, "_loaded_code", lambda: [code])
        for text in (b"x = 1\n", b"x = 2\n"):
            code.write_bytes(text)
            paths.append(checkpoint_path(**basis))
    write_bytes(SPLIT_FILE, b"another split")
    paths.append(checkpoint_path(**basis))
    assert len(set(paths)) == len(paths) == 11


def test_the_code_is_our_own_as_far_as_it_is_loaded() -> None:
    files = {path.relative_to(ROOT).as_posix() for path in checkpoints._loaded_code()}
    assert {"mnistpipe/checkpoints.py", "mnistpipe/training.py", "mnistpipe/augment.py"} <= files
    assert {file.split("/")[0] for file in files} <= {"mnistpipe", "stages"}


def test_a_stages_files_are_forgotten_and_no_other_stages(
    stopped: Training, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("train-net/a", "train-net/b", "train-net-augmented/a"):
        save_checkpoint(CHECKPOINTS / f"{name}.safetensors", stopped)
    remove_checkpoints("train-net")
    assert [path.name for path in CHECKPOINTS.iterdir()] == ["train-net-augmented"]
    assert len(list(CHECKPOINTS.rglob("*.safetensors"))) == 1
    remove_checkpoints("train-net")  # there are none any more
