import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tools.bench import save_digits


@pytest.mark.parametrize("side", ["ours", "reference"])
def test_a_measurement_is_a_process_that_ends_with_json(side: str, tmp_path: Path) -> None:
    request = {
        "digits": str(save_digits(tmp_path)),
        "side": side,
        "stage": "train-net-augmented",
        "n_images": 64,
        "n_threads": 1,
        "n_workers": 0,
    }
    done = subprocess.run(
        [sys.executable, "-m", "tools.bench", "--measure", json.dumps(request)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    measured = json.loads(done.stdout.splitlines()[-1])
    assert 1 < measured["images_per_s"] < 1e7
    assert 100 < measured["peak_mb"] < 1_500
    assert measured["flops_share"] > 0  # of a rate that a busy machine may measure too low
