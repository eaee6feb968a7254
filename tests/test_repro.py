import subprocess
import sys
from pathlib import Path

import pytest

from mnistpipe.artifacts import write_json
from mnistpipe.datasets import RAW
from mnistpipe.params import BEST_STAGE, TRAIN_STAGES, load_params, sweep_stages
from tests.conftest import PARAMS_FILE, ROOT
from tools import repro


@pytest.mark.parametrize("jobs", ["0", "-1", "two", "1.5"])
def test_jobs_are_counted_from_one(jobs: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tools.repro", "--jobs", jobs],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert f"should be a whole number from 1, not '{jobs}'" in done.stderr


def test_the_longest_stage_is_started_first() -> None:
    params = load_params(PARAMS_FILE)
    stages = [*TRAIN_STAGES, *sweep_stages(params)]
    costs = {stage: repro._rough_cost(params, stage) for stage in stages}
    assert max(costs, key=lambda stage: costs[stage]) == BEST_STAGE
    assert costs["partial-data@half"] == 2 * costs["partial-data@quarter"]


def test_a_fallback_is_seen_by_what_the_raw_folder_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert not repro._holds_a_fallback()
    for name, fallback in (("mnist", False), ("digits", True)):
        write_json(RAW / "source.json", {"dataset": name})
        assert repro._holds_a_fallback() == fallback
    (RAW / "source.json").write_text("{")
    assert repro._holds_a_fallback()  # damaged: asking again mends it
