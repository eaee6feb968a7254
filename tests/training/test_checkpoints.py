import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from mnistpipe.data.split_file import SPLIT_FILE
from mnistpipe.files.artifacts import write_bytes
from mnistpipe.files.code_digest import digest_code, import_graph
from mnistpipe.scoring.scores import Examples
from mnistpipe.training import checkpoints
from mnistpipe.training.checkpoints import (
    CHECKPOINTS,
    checkpoint_path,
    finish,
    forget_recorded,
    load_checkpoint,
    save_checkpoint,
)
from mnistpipe.training.engine import Engine
from mnistpipe.training.loop import Training, fit
from mnistpipe.training.recipe import Recipe, TrainSection
from tests.conftest import ROOT


def changed(recipe: Recipe, **fields: object) -> Recipe:
    return type(recipe).model_validate(recipe.model_dump() | fields)


@pytest.fixture
def stopped(recipe: Recipe, engine: Engine, examples: Examples) -> Training:
    """A run that was left after the first of its two epochs."""
    training = Training(recipe, 1, engine, 10)
    next(fit(training, examples, examples))
    return training


@pytest.mark.parametrize(
    "fields",
    [
        {"optimizer": {"name": "adadelta", "weight_decay": 0.0}},
        {"optimizer": {"name": "rmsprop", "weight_decay": 0.0}, "lr": 0.001},
        {"optimizer": {"name": "adamw", "weight_decay": 0.05}, "lr": 0.001},
    ],
    ids=["adadelta", "rmsprop", "adamw"],
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
    run, again = Training(recipe, 1, engine, 10), Training(recipe, 1, engine, 10)
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
    again = Training(recipe, 1, engine, 10)
    load_checkpoint(path, again)
    assert [epoch.epoch for epoch in again.curve] == [1, 2]
    assert list(tmp_path.iterdir()) == [path]


def rewrite(change: Callable[[bytes], bytes]) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(change(path.read_bytes()))


SPOILT: dict[str, Callable[[Path], object]] = {
    "missing": Path.unlink,
    "without its last byte": rewrite(lambda whole: whole[:-1]),
    "half": rewrite(lambda whole: whole[: len(whole) // 2]),
    "empty": rewrite(lambda _: b""),
    "with a broken header": rewrite(lambda whole: whole[:8] + b"?" + whole[9:]),
    "with one bit changed": rewrite(lambda whole: whole[:-3] + bytes([whole[-3] ^ 1]) + whole[-2:]),
    "random": rewrite(lambda whole: np.random.default_rng(0).bytes(len(whole))),
    "foreign": rewrite(lambda _: b"from somewhere else"),
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
    again, new = Training(recipe, 1, engine, 10), Training(recipe, 1, engine, 10)
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


def test_a_stage_with_more_seeds_takes_up_the_same_files(basis: dict[str, Any]) -> None:
    fields = basis["recipe"].model_dump(mode="json")
    sections = [TrainSection.model_validate(fields | {"seeds": seeds}) for seeds in ([1], [1, 2])]
    assert len({checkpoint_path(**basis | {"recipe": section}) for section in sections}) == 1


def test_whatever_the_numbers_depend_on_gives_another_file(
    basis: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine: Engine = basis["engine"]
    paths = [checkpoint_path(**basis)]
    for field, value in (
        ("recipe", changed(basis["recipe"], lr=0.5)),
        ("recipe", changed(basis["recipe"], views=[{"name": "rotation", "degrees": 15.0}])),
        ("recipe", changed(basis["recipe"], views=[{"name": "rotation", "degrees": 15.5}])),
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
    for code in ({"mnistpipe/a.py": "1"}, {"mnistpipe/a.py": "2"}, {"mnistpipe/b.py": "2"}):
        with monkeypatch.context() as context:
            context.setattr(checkpoints, "digest_code", lambda _, code=code: code)
            paths.append(checkpoint_path(**basis))
    write_bytes(SPLIT_FILE, b"another split")
    paths.append(checkpoint_path(**basis))
    assert len(set(paths)) == len(paths) == 14


def test_the_code_is_what_a_run_consists_of(
    basis: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def record(module: str) -> dict[str, str]:
        asked.append(module)
        return digest_code(module)

    path = checkpoint_path(**basis)
    monkeypatch.setattr(checkpoints, "digest_code", record)
    assert checkpoint_path(**basis) == path
    (module,) = asked
    files = digest_code(module).keys()
    assert {"mnistpipe/training/checkpoints.py", "mnistpipe/training/loop.py"} <= files
    assert {"mnistpipe/training/trials.py", "mnistpipe/training/views.py"} <= files
    assert "mnistpipe/networks/sparse_gradient.py" in files
    assert {file.split("/")[0] for file in files} == {"mnistpipe"}


# A process that goes on has not imported yet what the one before it had when it was stopped.
NAME_THE_FILE = """
import json, sys
import torch
from mnistpipe.networks.convolution import convolve_and_pool
from mnistpipe.training.checkpoints import checkpoint_path
from mnistpipe.training.engine import Engine
from mnistpipe.training.recipe import TrainSection

def name():
    recipe = TrainSection.model_validate(json.loads(sys.argv[1]))
    engine = Engine(torch.device("cpu"), "fp32")
    print(checkpoint_path("train-convnet", recipe, 1, 1.0, engine, 2))

late = "mnistpipe.networks.sparse_gradient"
name()
assert late not in sys.modules
convolve_and_pool(torch.nn.Conv2d(1, 2, 3), torch.ones(4, 1, 6, 6), 2, 0.0).sum().backward()
assert late in sys.modules
name()
import mnistpipe.study, stages.code
name()
"""


def test_the_name_does_not_depend_on_what_the_process_has_imported(basis: dict[str, Any]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", NAME_THE_FILE, basis["recipe"].model_dump_json()],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "1"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == [str(checkpoint_path(**basis))] * 3


def test_the_name_is_the_same_before_and_after_any_module_of_ours_is_imported(
    basis: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = checkpoint_path(**basis)
    imported = [name for name in sys.modules if name.startswith("mnistpipe.")]
    assert len(imported) > 20
    for name in imported:
        monkeypatch.delitem(sys.modules, name)
    import_graph.cache_clear()
    assert checkpoint_path(**basis) == path


def test_a_stages_other_runs_are_forgotten_and_no_other_stages(
    stopped: Training, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("train-net/a", "train-net/b", "train-net-augmented/a"):
        save_checkpoint(CHECKPOINTS / f"{name}.safetensors", stopped)
    kept = CHECKPOINTS / "train-net" / "b.safetensors"
    finish("train-net", [None, kept], kept)
    assert list((CHECKPOINTS / "train-net").glob("*.safetensors")) == [kept]
    assert len(list((CHECKPOINTS / "train-net-augmented").iterdir())) == 1


def test_what_dvc_has_recorded_is_forgotten(
    stopped: Training, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    forget_recorded("train-net")  # there is nothing yet
    kept = CHECKPOINTS / "train-net" / "a.safetensors"
    save_checkpoint(kept, stopped)
    forget_recorded("train-net")
    finish("train-net", [kept], kept)
    lock = "md5: 00000000000000000000000000000000\n"
    Path("dvc.lock").write_text(lock)
    forget_recorded("train-net")
    assert kept.exists()
    product = hashlib.md5(kept.read_bytes()).hexdigest()  # noqa: S324 (DVC's)
    Path("dvc.lock").write_text(f"{lock}      md5: {product}\n")
    forget_recorded("train-net")
    assert not kept.exists()
