import json
import os
import subprocess
import sys

import numpy as np
import pytest

from tests.conftest import ROOT
from tools.bench import save_digits

pytestmark = pytest.mark.slow

SIDES = ("ours", "reference")


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What a measurement of each side prints; to save time they run at once, so speeds are low."""
    digits = save_digits(tmp_path_factory.mktemp("digits"))
    request = {
        "digits": str(digits),
        "stage": "train-net-augmented",
        "n_images": 64,
        "n_threads": 1,
        "n_workers": 0,
    }
    ballast = np.ones(1_500_000_000, np.int8)  # a measurement is of its own memory, not of ours
    started = {
        side: subprocess.Popen(
            [*words, json.dumps(request | {"side": side})],
            cwd=ROOT,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for side in SIDES
        for words in [(sys.executable, "-m", "tools", "bench", "--measure")]
    }
    del ballast
    outputs = {}
    for side, process in started.items():
        outputs[side], complaints = process.communicate()
        assert process.returncode == 0, complaints
    return outputs


@pytest.mark.parametrize("side", SIDES)
def test_a_measurement_is_a_process_that_ends_with_json(side: str, printed: dict[str, str]) -> None:
    measured = json.loads(printed[side].splitlines()[-1])
    assert 1 < measured["images_per_s"] < 1e7
    assert 100 < measured["peak_mb"] < 1_500
    assert measured["precision"] == "fp32"
    assert measured["flops_share"] > 0  # of a rate that a busy machine may measure too low
