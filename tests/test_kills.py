"""The tool that kills a study again and again, on a study of one network."""

import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.conftest import PARAMS_FILE
from tests.forks import lives, wait_until
from tests.test_end_to_end import bring_compiled, change_params, copy_of_the_working_tree
from tools.kills import differences, kill_again_and_again, kill_all, products, run_to_its_end

pytestmark = [pytest.mark.faults, pytest.mark.long]

STAGE = "train-convnet"
COMMAND = [sys.executable, "-m", "tools", "repro", STAGE]
SMALL = {
    "data.dataset": "digits",
    f"{STAGE}.epochs": 4,
    f"{STAGE}.min_steps": 0,
    f"{STAGE}.batch_size": 64,
}


@pytest.mark.timeout(600)
def test_a_study_that_is_killed_again_and_again_arrives_at_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    undisturbed.mkdir()
    copy_of_the_working_tree(undisturbed)
    bring_compiled(undisturbed)
    shutil.copy(PARAMS_FILE, undisturbed / "params.yaml")
    change_params(undisturbed, SMALL)
    shutil.copytree(undisturbed, killed)
    start_s = time.monotonic()
    run_to_its_end(COMMAND, undisturbed)
    seconds = (time.monotonic() - start_s) / 3
    rng = random.Random(1)  # noqa: S311 (no secret)
    kill_again_and_again(COMMAND, killed, products(undisturbed), 3, seconds, rng)
    assert capsys.readouterr().out.count("kill ") == 3
    assert differences(undisturbed, killed) == []
    model = killed / f"models/{STAGE}.safetensors"
    model.write_bytes(model.read_bytes()[:-1])
    (killed / f"metrics/{STAGE}.json").unlink()
    assert differences(undisturbed, killed) == [
        f"metrics/{STAGE}.json",
        f"models/{STAGE}.safetensors",
    ]


def test_orphans_in_sessions_of_their_own_are_killed_too(tmp_path: Path) -> None:
    child = "import time, pathlib; pathlib.Path('begun').touch(); time.sleep(600)"
    parent = (
        "import subprocess, sys; "
        f"subprocess.Popen([sys.executable, '-c', {child!r}], start_new_session=True).wait()"
    )
    words = [sys.executable, "-c", parent]
    with subprocess.Popen(words, cwd=tmp_path, start_new_session=True) as process:
        wait_until((tmp_path / "begun").exists)
        (other,) = psutil.Process(process.pid).children()
        kill_all(process, tmp_path)
    assert process.returncode == -signal.SIGKILL
    assert not lives(other)
