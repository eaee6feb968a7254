import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import PARAMS_FILE, ROOT
from tools import bench
from tools.bench import Length, print_comparison
from tools.bench_data import save_examples
from tools.bench_measure import Measurement

STAGES = {
    "ours": "train-net-augmented",
    "reference": "train-net-augmented",
    "example": "train-net",
}


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What a measurement of each side prints; to save time they run at once, so speeds are low."""
    examples, _ = save_examples(tmp_path_factory.mktemp("examples"))
    request = {
        "examples": str(examples),
        "n_images": 64,
        "n_threads": 1,
        "n_workers": 0,
    }
    ballast = np.ones(1_500_000_000, np.int8)  # a measurement is of its own memory, not of ours
    started = {
        side: subprocess.Popen(
            [*words, json.dumps(request | {"side": side, "stage": stage})],
            cwd=ROOT,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for side, stage in STAGES.items()
        for words in [(sys.executable, "-m", "tools", "bench", "--measure")]
    }
    del ballast
    outputs = {}
    for side, process in started.items():
        outputs[side], complaints = process.communicate()
        assert process.returncode == 0, complaints
    return outputs


@pytest.mark.slow
@pytest.mark.parametrize("side", STAGES)
def test_a_measurement_is_a_process_that_ends_with_json(side: str, printed: dict[str, str]) -> None:
    measured = json.loads(printed[side].splitlines()[-1])
    assert 1 < measured["images_per_s"] < 1e7
    assert 100 < measured["peak_mb"] < 1_500
    assert measured["precision"] == "fp32"
    assert measured["flops_share"] > 0  # of a rate that a busy machine may measure too low


def test_a_comparison_measures_pytorchs_example_where_there_are_no_views(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    speeds = {"ours": 400.0, "reference": 100.0, "example": 125.0}
    asked: list[tuple[str, str, int]] = []

    def measured(_: Path, *, side: str, stage: str, n_images: int, **__: int) -> Measurement:
        asked.append((stage, side, n_images))
        return Measurement(speeds[side], peak_mb=1.0, precision="fp32", flops_share=0.1)

    shutil.copy(PARAMS_FILE, tmp_path / "params.yaml")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(bench, "measure_in_a_process", measured)
    print_comparison(Path("examples.npz"), Length(measured_s=3.2, rounds=2))
    printed = capsys.readouterr().out
    assert printed.count("  PyTorch example  125 / 125 / 125, ") == 2
    assert printed.count("  distance         0.80 / 0.80 / 0.80, plain loop to PyTorch") == 2
    found = json.loads(printed.splitlines()[-1])
    for name in ("convnet", "net"):
        assert found[name]["ratio"] == 4
        assert found[name]["example_images_per_s"] == 125
        assert found[name]["plain_to_example"] == 0.8
    for name in ("augmented", "net-augmented"):
        assert found[name]["ratio"] == 4
        assert not {"example_images_per_s", "plain_to_example"} & set(found[name])
    rounds = [(side, n) for stage, side, n in asked if stage == "train-net"][-6:]
    assert rounds == [("reference", 320), ("ours", 1_280), ("example", 320)] * 2
