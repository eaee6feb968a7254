"""Unfinished training runs on the disk: a stopped one goes on after its last finished epoch."""

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from mnistpipe.data.split_file import SPLIT_FILE
from mnistpipe.files.artifacts import write_bytes
from mnistpipe.files.code_digest import digest_code
from mnistpipe.training.engine import Engine
from mnistpipe.training.loop import Epoch, Training
from mnistpipe.training.recipe import Recipe

CHECKPOINTS = Path(".mnistpipe/checkpoints")  # git-ignored, and unknown to DVC
_CURVE_KEY, _DIGEST_KEY = "curve", "sha256"
_CODE = "mnistpipe.training.trials"  # what a run consists of, with all that it imports


def checkpoint_path(
    stage: str, recipe: Recipe, seed: int, fraction: float, engine: Engine, n_threads: int
) -> Path:
    """The file of one run, whose name is a digest of what its numbers depend on.

    These are recipe, seed, fraction, split, the code that trains, PyTorch's version, device,
    precision and number of threads: a run that goes on must end as if it had never been stopped.
    """
    basis = {
        "recipe": recipe.model_dump(mode="json"),
        "seed": seed,
        "fraction": fraction,
        "engine": [engine.device.type, engine.precision, n_threads, torch.__version__],
        "split": _digest(SPLIT_FILE),
        "code": digest_code(_CODE),
    }
    digest = hashlib.sha256(json.dumps(basis, sort_keys=True).encode()).hexdigest()
    return CHECKPOINTS / stage / f"{digest[:32]}.safetensors"


def save_checkpoint(path: Path, training: Training) -> None:
    """Write the run as it is after its last finished epoch; the older file stays until then."""
    state = {
        key: value.detach().cpu().clone(memory_format=torch.contiguous_format)
        for key, value in training.state_dict().items()
    }
    curve = json.dumps([asdict(epoch) for epoch in training.curve])
    write_bytes(path, save(state, {_CURVE_KEY: curve, _DIGEST_KEY: _digest_state(state, curve)}))


def load_checkpoint(path: Path, training: Training) -> None:
    """Take up a run where it was left; where there is no whole file of it, it stays new."""
    try:
        with safe_open(path, framework="pt") as file:
            curve, digest = (file.metadata()[key] for key in (_CURVE_KEY, _DIGEST_KEY))
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, OSError, KeyError, TypeError):
        return
    if digest == _digest_state(state, curve):
        training.load_state_dict(state, [Epoch(**row) for row in json.loads(curve)])


def remove_checkpoints(stage: str) -> None:
    """Forget a stage's unfinished runs, those of other parameters, too."""
    shutil.rmtree(CHECKPOINTS / stage, ignore_errors=True)


def _digest_state(state: Mapping[str, Tensor], curve: str) -> str:
    digest = hashlib.sha256(curve.encode())
    for key in sorted(state):
        digest.update(key.encode() + state[key].numpy().tobytes())
    return digest.hexdigest()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
