"""The same seed gives the same model, byte for byte, in any process: every recipe's ingredients."""

import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

# Without the checks of shapes that the tests add to this process.
TRAIN_ALL = """
import hashlib, itertools, sys
from pathlib import Path
import torch
from mnistpipe.engine import Engine
from mnistpipe.evaluation import Examples
from mnistpipe.model_files import ModelCard, write_model
from mnistpipe.params import Affine, load_params
from mnistpipe.training import Training, fit

generator = torch.Generator().manual_seed(0)
images = torch.randint(0, 256, (24, 28, 28), generator=generator, dtype=torch.uint8)
examples = Examples(images, torch.arange(24) % 10)
section = load_params(Path("tests/params.yaml")).train_convnet
names = ("original", "blur", "rotation", "affine")
view_sets = [names[:1], names[:2], names[:3], names[3:], names]
affine = Affine(degrees=10.0, translation=0.1, scale=0.1, shear=0.1)
path = Path(sys.argv[1])
for network, views, precision in itertools.product(("convnet", "net"), view_sets, ("fp32", "bf16")):
    recipe = section.model_copy(
        update={
            "network": network,
            "views": views,
            "rotation_degrees": 15.0 if "rotation" in views else None,
            "affine": affine if "affine" in views else None,
            "epochs": 1,
            "batch_size": 8,
            "min_steps": 0,
        }
    )
    # Where the stages refuse to emulate bf16, for its slowness, the engine itself does not.
    training = Training(recipe, 1, Engine(torch.device("cpu"), precision))
    list(fit(training, examples, examples))
    write_model(path, training.result, ModelCard(network, 0.5, "random", 0.1307, 0.3081))
    print(network, *views, precision, hashlib.sha256(path.read_bytes()).hexdigest())
"""


def test_every_recipe_gives_the_same_model_file_in_two_processes(tmp_path: Path) -> None:
    told = [
        subprocess.run(
            [sys.executable, "-c", TRAIN_ALL, str(tmp_path / "a.safetensors")],
            check=True,
            cwd=ROOT,
            env=os.environ | {"PYTHONHASHSEED": hash_seed, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            text=True,
        ).stdout.splitlines()
        for hash_seed in ("1", "2")
    ]
    first, second = told
    assert first == second
    assert len({line.split()[-1] for line in first}) == 2 * 5 * 2  # each recipe's own
