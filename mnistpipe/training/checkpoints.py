"""Unfinished training runs on the disk: a stopped one goes on after its last finished epoch."""

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
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
LOCK_FILE = Path("dvc.lock")
_PRODUCT = "product"  # beside finished runs: the digest of what was made of them
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
        "recipe": recipe.model_dump(mode="json", exclude={"seeds"}),  # a train section names all
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


def finish(stage: str, kept: Iterable[Path | None], product: Path) -> None:
    """Forget all of a stage's runs but those that are finished now: DVC has yet to hear of them.

    Args:
        stage: whose runs they are.
        kept: files of the finished ones; None for one that has none.
        product: what the stage has written, whose digest DVC will write into its lock file.

    """
    folder = CHECKPOINTS / stage
    for path in set(folder.glob("*.safetensors")).difference(kept):
        path.unlink()
    write_bytes(folder / _PRODUCT, _digest(product, "md5").encode())


def forget_recorded(stage: str) -> None:
    """Forget finished runs that DVC has recorded: if the stage starts again, it is to train anew.

    A run that was killed after `finish`, before DVC had recorded it, is taken up once more.
    """
    with suppress(OSError):
        product = (CHECKPOINTS / stage / _PRODUCT).read_text(encoding="utf-8")
        if f"md5: {product}\n" in LOCK_FILE.read_text(encoding="utf-8"):
            shutil.rmtree(CHECKPOINTS / stage)


def _digest_state(state: Mapping[str, Tensor], curve: str) -> str:
    digest = hashlib.sha256(curve.encode())
    for key in sorted(state):
        digest.update(key.encode() + state[key].numpy().tobytes())
    return digest.hexdigest()


def _digest(path: Path, algorithm: str = "sha256") -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()
