"""Ctrl-C and SIGTERM, as processes get them: the stages' own handlers, and what make repro adds."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from signal import SIGINT, SIGKILL, SIGTERM, Signals

import psutil
import pytest
import yaml

from mnistpipe.data.split import Split
from mnistpipe.data.split_file import SPLIT_FILE, write_split
from mnistpipe.files.locks import only_one
from mnistpipe.files.slots import N_SLOTS, Turn
from mnistpipe.training.checkpoints import CHECKPOINTS
from stages.__main__ import STOPPED
from tests.conftest import PARAMS_FILE
from tests.forks import ENVIRONMENT, TIMEOUT_S, Forks, lives, wait_until

pytestmark = [pytest.mark.faults, pytest.mark.slow]

# A stage in small: run as `python -m stages` does it, then at work, with something to tidy up.
AT_WORK = """
import sys, time
from stages.__main__ import answer_signals, run

def work():
    try:
        print("at work", flush=True)
        time.sleep(60)
    finally:
        print("tidying up", flush=True)
        time.sleep(float(sys.argv[1]))

answer_signals()
run(work)
"""
# In the place of DVC, with a stage below it that says when it is at work. Who imports DVC gets it.
DVC = """
import signal, subprocess, sys
stage = (
    "import signal, sys, time; from pathlib import Path;"
    "signal.signal(signal.SIGINT, lambda *_: sys.exit(130));"
    "Path('at-work').touch(); time.sleep(60)"
)
if __name__ == "__main__":
    signal.signal(signal.SIGINT, lambda *_: None)
    sys.exit(subprocess.run([sys.executable, "-c", stage]).returncode)
sys.path.pop(0)
del sys.modules["dvc"]
__import__("dvc")
"""


@contextmanager
def started(
    folder: Path, *words: str, sigint: signal.Handlers = signal.SIG_DFL
) -> Iterator[subprocess.Popen[str]]:
    """A process in a group of its own, as a terminal makes it; nothing outlives the block."""
    process = subprocess.Popen(
        [sys.executable, *words],
        cwd=folder,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
        # A test run in the background ignores Ctrl-C, and its children then do so, too.
        preexec_fn=lambda: signal.signal(SIGINT, sigint),  # noqa: PLW1509
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def read_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def end_of(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Its status, and what it said on standard error, but of how these tests start it."""
    _, stderr = process.communicate(timeout=TIMEOUT_S)
    lines = stderr.splitlines(keepends=True)
    said = [line for line in lines if not line.startswith("Note: PYTHONPATH is not used")]
    return process.returncode, "".join(said)


@pytest.mark.parametrize("number", [SIGINT, SIGTERM])
def test_a_signal_lets_the_code_tidy_up_and_is_answered_with_one_line(
    tmp_path: Path, number: Signals
) -> None:
    with started(tmp_path, "-c", AT_WORK, "0") as process:
        assert read_line(process) == "at work"
        process.send_signal(number)
        assert read_line(process) == "tidying up"
        assert end_of(process) == (128 + number, STOPPED)


def test_a_second_signal_waits_for_nothing(tmp_path: Path) -> None:
    with started(tmp_path, "-c", AT_WORK, "60") as process:
        assert read_line(process) == "at work"
        process.send_signal(SIGTERM)
        assert read_line(process) == "tidying up"
        process.send_signal(SIGINT)
        assert end_of(process) == (130, STOPPED)


def test_who_ignores_ctrl_c_from_the_start_goes_on_doing_so(tmp_path: Path) -> None:
    with started(tmp_path, "-c", AT_WORK, "0", sigint=signal.SIG_IGN) as process:
        assert read_line(process) == "at work"
        process.send_signal(SIGINT)
        process.send_signal(SIGTERM)
        assert end_of(process) == (143, STOPPED)


@pytest.mark.parametrize("number", [SIGINT, SIGTERM])
def test_a_stage_that_still_imports_is_stopped_with_one_line(
    tmp_path: Path, number: Signals
) -> None:
    with started(tmp_path, "-v", "-m", "stages", "train-net") as process:
        assert process.stderr is not None
        # Python's -v tells of each import when it begins.
        lines = iter(process.stderr.readline, "")
        assert any(line.startswith("import 'torch._C'") for line in lines)
        process.send_signal(number)
        said = [line for line in lines if line == STOPPED or "Traceback" in line]
        assert (process.wait(TIMEOUT_S), said) == (128 + number, [STOPPED])


def test_networks_that_train_side_by_side_are_stopped_with_one_line(
    forks: Forks, tmp_path: Path, split: Split
) -> None:
    """By two signals in a row; below, by one."""
    params = yaml.safe_load(PARAMS_FILE.read_text(encoding="utf-8"))
    params["train-convnet"] |= {"epochs": 10_000, "min_steps": 0, "batch_size": 8, "seeds": [1, 2]}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    write_split(tmp_path / SPLIT_FILE, split)
    process = forks.start(tmp_path, "train-convnet", threads=2)
    wait_until(lambda: process.has_ended() or (tmp_path / "plots/loss/train-convnet.csv").exists())
    workers = psutil.Process(process.pid).children(recursive=True)
    assert len(workers) >= 2
    for _ in range(2):  # as a terminal does: to all of them
        os.killpg(process.pid, SIGINT)
        time.sleep(0.05)
    ended = process.end()
    assert (ended.status, ended.stderr) == (130, STOPPED)
    wait_until(lambda: not any(map(lives, workers)))


@pytest.mark.parametrize(
    ("number", "seeds"),
    [
        (SIGINT, [1]),
        (SIGTERM, [1]),
        (SIGINT, [1, 2, 3]),
        (SIGTERM, [1, 2, 3]),
        (SIGKILL, [1, 2, 3]),  # alone it has nobody to take along
    ],
)
def test_trainings_that_wait_for_a_slot_are_stopped_like_those_that_train(
    forks: Forks,
    tmp_path: Path,
    split: Split,
    monkeypatch: pytest.MonkeyPatch,
    number: Signals,
    seeds: list[int],
) -> None:
    """Of three seeds one trains and one waits in a process of its own; a single one waits."""
    monkeypatch.chdir(tmp_path)
    params = yaml.safe_load(PARAMS_FILE.read_text(encoding="utf-8"))
    params["train-convnet"] |= {"epochs": 10_000, "min_steps": 0, "batch_size": 8, "seeds": seeds}
    Path("params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    write_split(SPLIT_FILE, split)
    n_slots = min(2, len(seeds))
    with Turn(n_slots, "another", 1).taken(lambda: None):
        process = forks.start(tmp_path, "train-convnet", environment={N_SLOTS: f"{n_slots}"})
        if len(seeds) > 1:
            kept = CHECKPOINTS / "train-convnet"
            wait_until(lambda: process.has_ended() or any(kept.glob("*.safetensors")))
        time.sleep(2)  # nothing tells that one waits
        workers = psutil.Process(process.pid).children(recursive=True)
        assert len(workers) >= len(seeds) - 1
        send = os.killpg if number == SIGINT else os.kill  # a terminal: to all of them
        send(process.pid, number)
        ended = process.end()
        if number == SIGKILL:
            assert (ended.status, ended.stderr) == (-SIGKILL, "")
        else:
            assert (ended.status, ended.stderr) == (128 + number, STOPPED)
        wait_until(lambda: not any(map(lives, workers)))


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A place where make repro finds its parameters, and a stand-in for DVC."""
    (tmp_path / "params.yaml").write_bytes(PARAMS_FILE.read_bytes())
    (tmp_path / "data/images").mkdir(parents=True)
    (tmp_path / "dvc.py").write_text(DVC)
    return tmp_path


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_kill_stops_make_repro_with_all_that_it_started(study: Path, jobs: str) -> None:
    """And whoever reads the report then is told that it is of another run."""
    (study / "REPORT.md").touch()
    with started(study, "-m", "tools", "repro", "--jobs", jobs) as process:
        wait_until((study / "at-work").exists)
        below = psutil.Process(process.pid).children(recursive=True)
        assert len(below) == 2
        process.send_signal(SIGTERM)
        said = "REPORT.md: still of the last run that was finished, not of this one.\n"
        assert end_of(process) == (143, said)
        assert not any(map(lives, below))


def test_make_repro_runs_once_at_a_time(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(study)
    with only_one("make repro"), started(study, "-m", "tools", "repro") as process:
        assert end_of(process) == (
            1,
            f"ERROR: make repro is already being run by process {os.getpid()}; wait for it, or "
            f"stop it: kill {os.getpid()}\n",
        )
    assert not (study / "at-work").exists()


def test_a_stage_runs_once_at_a_time_and_the_dead_hold_no_lock(
    forks: Forks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_bytes(PARAMS_FILE.read_bytes())
    hold = (
        "import time; from mnistpipe.files.locks import only_one\n"
        "with only_one('prepare-split'): print('held', flush=True); time.sleep(60)"
    )
    with started(tmp_path, "-c", hold) as holder:
        assert read_line(holder) == "held"
        for _ in range(2):  # a refused one takes nothing away
            refused = forks.run(tmp_path, "prepare-split")
            assert (refused.status, refused.stderr) == (
                1,
                f"ERROR: prepare-split is already being run by process {holder.pid}; wait for "
                f"it, or stop it: kill {holder.pid}\n",
            )
        with only_one("analyze"):  # another stage's
            holder.kill()
            holder.wait()
        with only_one("prepare-split"):
            pass
