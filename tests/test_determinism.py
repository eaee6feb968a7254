"""The same seed gives the same model, byte for byte, in any process: every recipe's ingredients."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.slow

# Without the checks of shapes that the tests add to this process.
TRAIN_ALL = """
import hashlib, itertools, sys
from pathlib import Path
import torch
from mnistpipe.training.engine import Engine
from mnistpipe.scoring.scores import Examples
from mnistpipe.networks.model_files import ModelCard, write_model
from mnistpipe.training.plan import read_training_run
from mnistpipe.training.recipe import Affine, Blur, Original, Rotation
from mnistpipe.training.loop import Training, fit

generator = torch.Generator().manual_seed(0)
images = torch.randint(0, 256, (24, 28, 28), generator=generator, dtype=torch.uint8)
examples = Examples(images, torch.arange(24) % 10)
section = read_training_run("train-convnet", Path("tests/params.yaml")).recipe
all_views = (
    Original(name="original"),
    Blur(name="blur"),
    Rotation(name="rotation", degrees=15.0),
    Affine(name="affine", degrees=10.0, translation=0.1, scale=0.1, shear=0.1),
)
view_sets = [all_views[:1], all_views[:2], all_views[:3], all_views[3:], all_views]
path = Path(sys.argv[1])
kinds = [*itertools.product(view_sets, ("fp32",)), (all_views, "bf16")]  # views are made in fp32
for network, (views, precision) in itertools.product(("convnet", "net"), kinds):
    recipe = section.model_copy(
        update={"network": network, "views": views, "epochs": 1, "batch_size": 8, "min_steps": 0}
    )
    # Where the stages refuse to emulate bf16, for its slowness, the engine itself does not.
    training = Training(recipe, 1, Engine(torch.device("cpu"), precision), 10)
    list(fit(training, examples, examples))
    card = ModelCard(network, 0.5, "random", tuple("0123456789"), 0.1307, 0.3081)
    write_model(path, training.network, card)
    names = [view.name for view in views]
    print(network, *names, precision, hashlib.sha256(path.read_bytes()).hexdigest())
"""


def test_every_recipe_gives_the_same_model_file_in_two_processes(tmp_path: Path) -> None:
    started = [
        subprocess.Popen(
            [sys.executable, "-c", TRAIN_ALL, str(tmp_path / f"{hash_seed}.safetensors")],
            cwd=ROOT,
            env=os.environ | {"PYTHONHASHSEED": hash_seed, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            text=True,
        )
        for hash_seed in ("1", "2")
    ]
    first, second = (process.communicate()[0].splitlines() for process in started)
    assert [process.returncode for process in started] == [0, 0]
    assert first == second
    assert len({line.split()[-1] for line in first}) == 2 * 6  # each recipe's own
