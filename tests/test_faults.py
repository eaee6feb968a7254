"""Stages that are killed, stopped, started twice or out of room: real processes, real signals.

The parts of the library that meet damaged files and downloads are tested beside their modules;
`pytest -m faults` runs all of it, and docs/reliability.md says which test stands for what.
"""

import hashlib
import json
import os
import re
import shutil
import signal
from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from signal import SIGINT, SIGKILL, SIGSTOP, SIGTERM

import numpy as np
import psutil
import pytest
import yaml
from safetensors import safe_open

from mnistpipe.data.split import Labelled, split_dataset
from mnistpipe.data.split_file import SPLIT_FILE, write_split
from mnistpipe.training.checkpoints import CHECKPOINTS
from mnistpipe.training.plan import TRAIN_STAGES
from stages.__main__ import STOPPED
from tests.conftest import PARAMS_FILE, ROOT, TEN
from tests.crash import HALF_A_WRITE
from tests.forks import Ended, Forks, end, lives, start, wait_until

pytestmark = [pytest.mark.faults, pytest.mark.slow]

STAGE, N_EPOCHS, STEPS_PER_EPOCH = "train-convnet", 4, 8
CURVE = f"plots/loss/{STAGE}.csv"
MODEL = f"models/{STAGE}.safetensors"
PREDICTIONS = f"plots/predictions/{STAGE}.csv"
METRICS = f"metrics/{STAGE}.json"
OUTPUTS = (CURVE, MODEL, PREDICTIONS, METRICS)  # in the order of the last writes


def make_folder(folder: Path, **recipe: object) -> Path:
    """A place where a train stage can run: 60 random images, 8 steps an epoch."""
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (90, 28, 28), dtype=np.uint8)
    labels = np.arange(90) % 10
    train, test = Labelled(images[:70], labels[:70]), Labelled(images[70:], labels[70:])
    write_split(folder / SPLIT_FILE, split_dataset("random", TEN, train, test, 0.15, seed=0))
    change_params(folder, PARAMS_FILE, epochs=N_EPOCHS, batch_size=8, **recipe)
    return folder


def change_params(folder: Path, source: Path, **recipe: object) -> None:
    params = yaml.safe_load(source.read_text(encoding="utf-8"))
    for stage in TRAIN_STAGES:
        params[stage] |= {"min_steps": 0, "precision": "fp32"} | recipe
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_folder(tmp_path_factory.mktemp("made"))


@pytest.fixture
def folder(tmp_path: Path, made: Path) -> Path:
    return shutil.copytree(made, tmp_path, dirs_exist_ok=True)


def outputs(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in OUTPUTS if (folder / name).exists()}


def partial_files(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*.partial")]


def finished_epochs(folder: Path) -> int:
    """Of the unfinished run, as its checkpoint says."""
    files = list((folder / CHECKPOINTS / STAGE).glob("*.safetensors"))
    if not files:
        return 0
    (file,) = files
    with safe_open(file, framework="np") as checkpoint:
        return len(json.loads(checkpoint.metadata()["curve"]))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What a run that nothing disturbs writes, in a fresh process."""
    folder = make_folder(tmp_path_factory.mktemp("whole"))
    ended = end(start(folder, "stages", STAGE))
    assert (ended.status, ended.stderr) == (0, "")
    assert ended.epochs == [1, 2, 3, 4]
    assert_tidy(folder)
    return outputs(folder)


def assert_tidy(folder: Path) -> None:
    """All outputs, and of the way there only what was finished, until DVC has recorded it."""
    assert set(outputs(folder)) == set(OUTPUTS)
    *finished, product = sorted((folder / CHECKPOINTS / STAGE).iterdir())
    assert {path.suffix for path in finished} == {".safetensors"}
    assert product.read_text() == hashlib.md5((folder / MODEL).read_bytes()).hexdigest()  # noqa: S324 (DVC's)
    assert not partial_files(folder)


def assert_nothing_is_half_written(folder: Path, whole: dict[str, bytes]) -> None:
    """Each output is the final one; a loss curve may end early, but after a whole epoch."""
    for name, content in outputs(folder).items():
        if name == CURVE:
            assert content.endswith(b"\n")
            assert whole[name].startswith(content)
        else:
            assert content == whole[name], name


def assert_goes_on(folder: Path, whole: dict[str, bytes], rerun: Callable[[], Ended]) -> None:
    """The same command again trains only the epochs that are left, to the same bytes."""
    assert_nothing_is_half_written(folder, whole)
    n_done = finished_epochs(folder)
    again = rerun()
    assert (again.status, again.stderr) == (0, "")
    assert again.epochs == list(range(n_done + 1, N_EPOCHS + 1))
    going_on = f"{STAGE}: going on after epoch {n_done} of {N_EPOCHS}\n"
    assert again.stdout.startswith(going_on) == (n_done > 0)
    assert outputs(folder) == whole
    assert_tidy(folder)


STEP, SAVE = "mnistpipe.training.loop:Training.step", "mnistpipe.training.trials:save_checkpoint"
# Files are written in this order: checkpoint and curve after each epoch, then the outputs.
PLACES: list[tuple[str, str, int, bool, int]] = [
    # what happens there, place, call, after it, finished epochs
    ("before the first step", STEP, 1, False, 0),
    ("in the first epoch", STEP, 5, False, 0),
    ("in the second epoch", STEP, STEPS_PER_EPOCH + 3, False, 1),
    ("after the third epoch's last step", STEP, 3 * STEPS_PER_EPOCH, True, 2),
    ("in the last epoch", STEP, 3 * STEPS_PER_EPOCH + 6, False, 3),
    ("before the first epoch is scored", "mnistpipe.training.loop:predict", 1, False, 0),
    ("after the third epoch is scored", "mnistpipe.training.loop:predict", 3, True, 2),
    ("before the first checkpoint", SAVE, 1, False, 0),
    ("before the last checkpoint", SAVE, 4, False, 3),
    ("after the second checkpoint", SAVE, 2, True, 2),
    ("in the first checkpoint", HALF_A_WRITE, 1, False, 0),
    ("in the third checkpoint", HALF_A_WRITE, 5, False, 2),
    ("before the third checkpoint is on the disk", "os:fsync", 5, False, 2),
    ("before the third checkpoint is moved", "os:replace", 5, False, 2),
    ("after the third checkpoint is moved", "os:replace", 5, True, 3),
    ("in the third curve", HALF_A_WRITE, 6, False, 3),
    ("before the third epoch is told", "mnistpipe.training.progress:Progress.epoch", 3, False, 3),
    ("before the training images are scored", "mnistpipe.training.trials:predict", 1, False, 4),
    ("before the validation images are scored", "mnistpipe.training.trials:predict", 2, False, 4),
    ("after the test images are scored", "mnistpipe.training.trials:predict", 3, True, 4),
    ("in the whole curve", HALF_A_WRITE, 9, False, 4),
    ("in the model", HALF_A_WRITE, 10, False, 4),
    ("before the model is moved", "os:replace", 10, False, 4),
    ("between model and predictions", "os:replace", 10, True, 4),
    ("in the predictions", HALF_A_WRITE, 11, False, 4),
    ("between predictions and metrics", "os:replace", 11, True, 4),
    ("in the metrics", HALF_A_WRITE, 12, False, 4),
    ("before the metrics are on the disk", "os:fsync", 12, False, 4),
    ("before the product is noted", HALF_A_WRITE, 13, False, 4),
    ("after the product is noted", "os:replace", 13, True, 4),
]
KILLS = [(*place, SIGKILL) for place in PLACES]
KILLS += [
    (*place, number) for place, number in zip(PLACES[1::3], cycle((SIGINT, SIGTERM)), strict=False)
]


@pytest.mark.parametrize(
    ("place", "call", "after", "n_done", "number"),
    [
        pytest.param(*kill[1:], id=f"{signal.Signals(kill[-1]).name} {kill[0].replace(' ', '-')}")
        for kill in KILLS
    ],
)
def test_a_killed_run_goes_on_to_the_same_bytes(
    forks: Forks,
    folder: Path,
    whole: dict[str, bytes],
    place: str,
    call: int,
    *,
    after: bool,
    n_done: int,
    number: int,
) -> None:
    killed = forks.hit(folder, STAGE, place, call, number, after=after)
    if number == SIGKILL:
        assert (killed.status, killed.stderr) == (-SIGKILL, "")
    else:
        assert (killed.status, killed.stderr) == (128 + number, STOPPED)
        assert not partial_files(folder)
    assert finished_epochs(folder) == n_done
    assert_goes_on(folder, whole, lambda: forks.run(folder, STAGE))


def test_a_run_that_is_killed_again_and_again_arrives(
    forks: Forks, folder: Path, whole: dict[str, bytes]
) -> None:
    for epoch, place in enumerate((STEP, SAVE, "os:replace", HALF_A_WRITE)):
        # Each attempt gets one epoch further: its first step, save or write is of the next one.
        call = {STEP: STEPS_PER_EPOCH + 1, SAVE: 2, "os:replace": 3, HALF_A_WRITE: 2}[place]
        killed = forks.hit(folder, STAGE, place, call)
        assert killed.status == -SIGKILL
        assert finished_epochs(folder) == epoch + 1
    assert_goes_on(folder, whole, lambda: forks.run(folder, STAGE))


@pytest.mark.parametrize(
    ("place", "call", "number", "n_done"),
    [(HALF_A_WRITE, 5, SIGKILL, 2), (STEP, STEPS_PER_EPOCH + 3, SIGTERM, 1)],
    ids=["SIGKILL in a checkpoint", "SIGTERM in an epoch"],
)
def test_a_fresh_process_goes_on_where_another_was_killed(
    forks: Forks,
    folder: Path,
    whole: dict[str, bytes],
    place: str,
    call: int,
    number: int,
    n_done: int,
) -> None:
    killed = forks.hit(folder, STAGE, place, call, number)
    assert killed.status == (-number if number == SIGKILL else 128 + number)
    assert finished_epochs(folder) == n_done
    assert_goes_on(folder, whole, lambda: end(start(folder, "stages", STAGE)))


def test_with_other_parameters_a_run_starts_anew(
    forks: Forks, folder: Path, whole: dict[str, bytes]
) -> None:
    forks.hit(folder, STAGE, STEP, 2 * STEPS_PER_EPOCH + 1)
    assert finished_epochs(folder) == 2
    change_params(folder, folder / "params.yaml", lr=0.5)
    again = forks.run(folder, STAGE)
    assert again.status == 0
    assert again.epochs == [1, 2, 3, 4]
    assert outputs(folder)[MODEL] != whole[MODEL]
    assert_tidy(folder)  # the other parameters' checkpoint is gone, too


def test_a_run_that_dvc_has_not_recorded_is_not_trained_again(
    forks: Forks, folder: Path, whole: dict[str, bytes]
) -> None:
    assert forks.run(folder, STAGE).epochs == [1, 2, 3, 4]
    (folder / "dvc.lock").write_text("md5: 00000000000000000000000000000000\n")
    again = forks.run(folder, STAGE)  # as after a kill before DVC has recorded it
    assert (again.status, again.epochs) == (0, [])
    assert outputs(folder) == whole
    product = folder / CHECKPOINTS / STAGE / "product"
    (folder / "dvc.lock").write_text(f"md5: {product.read_text()}\n")
    once_more = forks.run(folder, STAGE)  # as by dvc repro --force
    assert (once_more.status, once_more.epochs) == (0, [1, 2, 3, 4])
    assert_tidy(folder)


def test_a_damaged_checkpoint_is_passed_over(
    forks: Forks, folder: Path, whole: dict[str, bytes]
) -> None:
    forks.hit(folder, STAGE, STEP, 2 * STEPS_PER_EPOCH + 1)
    (path,) = (folder / CHECKPOINTS).glob("*/*.safetensors")
    content = path.read_bytes()
    damaged = {
        "half": content[: len(content) // 2],
        "with one bit of a weight changed": content[:-3] + bytes([content[-3] ^ 1]) + content[-2:],
    }
    for kind, wrong in damaged.items():
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(wrong)
        again = forks.run(folder, STAGE)
        assert (again.status, again.stderr) == (0, ""), kind
        assert again.epochs == [1, 2, 3, 4], kind
        assert outputs(folder) == whole, kind
        assert_tidy(folder)


def test_workers_end_with_their_parent_and_all_seeds_go_on(forks: Forks, tmp_path: Path) -> None:
    folders = []
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
        folders.append(make_folder(tmp_path / name, seeds=[1, 2]))
        change_params(folders[-1], folders[-1] / "params.yaml", epochs=40)
    undisturbed, folder = folders
    assert forks.run(undisturbed, STAGE).status == 0

    process = forks.start(folder, STAGE, threads=2)  # a worker a thread
    checkpoints = folder / CHECKPOINTS / STAGE
    wait_until(lambda: process.has_ended() or len(list(checkpoints.glob("*.safetensors"))) == 2)
    workers = psutil.Process(process.pid).children(recursive=True)
    os.kill(process.pid, SIGKILL)
    assert process.end().status == -SIGKILL
    assert len(workers) >= 2
    wait_until(lambda: not any(map(lives, workers)))

    again = forks.run(folder, STAGE)
    assert again.status == 0
    assert again.stdout.count(": going on after epoch ") == 2
    assert outputs(folder) == outputs(undisturbed)
    assert_tidy(folder)


def test_a_second_run_of_a_stage_is_refused_until_the_first_is_gone(
    forks: Forks, folder: Path, whole: dict[str, bytes]
) -> None:
    call = STEPS_PER_EPOCH + 3
    first = forks.start(folder, STAGE, place=STEP, call=call, after=False, signal=int(SIGSTOP))
    assert first.end().status is None  # it stands still, and holds the lock
    second = forks.run(folder, STAGE)
    assert (second.status, second.stdout) == (1, "")
    assert second.stderr == (
        f"ERROR: {STAGE} is already being run by process {first.pid}; wait for it, "
        f"or stop it: kill {first.pid}\n"
    )
    assert forks.run(folder, "train-augmented").status == 0
    os.kill(first.pid, SIGKILL)
    assert first.end().status == -SIGKILL
    assert finished_epochs(folder) == 1
    assert_goes_on(folder, whole, lambda: forks.run(folder, STAGE))


@pytest.mark.parametrize("number", [SIGINT, SIGTERM])
def test_a_stop_from_outside_is_one_line(forks: Forks, folder: Path, number: int) -> None:
    """While it trains; tests/test_stopping.py has one that still imports."""
    change_params(folder, folder / "params.yaml", epochs=10_000)
    (folder / MODEL).parent.mkdir()
    (folder / MODEL).write_bytes(b"from an earlier run")
    fork = forks.start(folder, STAGE)
    wait_until(lambda: fork.has_ended() or (folder / CURVE).exists())
    os.kill(fork.pid, number)
    ended = fork.end()
    assert (ended.status, ended.stderr) == (128 + number, STOPPED)
    assert finished_epochs(folder) - len(ended.epochs) in (0, 1)
    left = outputs(folder)
    assert left.pop(CURVE).endswith(b"\n")  # whole, as far as it goes
    assert left == {MODEL: b"from an earlier run"}
    assert not partial_files(folder)


def test_a_stop_at_any_import_is_one_line(folder: Path) -> None:
    """Of about 2,000 imports some twenty, in the stage's own order; the run itself is not hit."""
    ended = end(start(folder, "tests.crash", "100", STAGE))
    assert (ended.status, ended.stderr, ended.epochs) == (0, "", [1, 2, 3, 4])
    lines = ended.stdout.splitlines()
    reports = [json.loads(line) for line in lines if line.startswith("{")]
    assert len(reports) > 10
    for report in reports:
        assert (report["status"], report["said"]) == (128 + report["signal"], STOPPED), report


def with_old_outputs(folder: Path) -> Path:
    for name in OUTPUTS:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"from an earlier run")
    return folder


def assert_refused(ended: Ended, path: str, reason: str) -> None:
    """One sentence that names what cannot be written, and no traceback."""
    assert ended.status == 1
    (line,) = ended.stderr.splitlines()
    assert line.startswith(f"ERROR: {path}")
    assert f"cannot be written ({reason})" in line


def test_a_disk_that_is_full_from_the_start_changes_no_output(
    forks: Forks, folder: Path, whole: dict[str, bytes]
) -> None:
    """A limit on the size of files: a part of the first checkpoint is taken, the rest refused."""
    with_old_outputs(folder)
    ended = forks.run(folder, STAGE, file_bytes=1000)
    assert_refused(ended, f"{CHECKPOINTS}/{STAGE}/", "File too large")
    assert set(outputs(folder).values()) == {b"from an earlier run"}
    assert not partial_files(folder)
    again = forks.run(folder, STAGE)
    assert again.epochs == [1, 2, 3, 4]
    assert outputs(folder) == whole


@pytest.mark.parametrize("name", [CURVE, MODEL])
def test_a_disk_that_is_full_at_the_end_costs_no_epoch(
    forks: Forks, folder: Path, whole: dict[str, bytes], name: str
) -> None:
    forks.hit(folder, STAGE, "mnistpipe.training.trials:predict", 1)
    with_old_outputs(folder)
    ended = forks.run(folder, STAGE, file_bytes=len(whole[name]) - 1)
    assert_refused(ended, name, "File too large")
    for other in OUTPUTS[OUTPUTS.index(name) :]:
        assert (folder / other).read_bytes() == b"from an earlier run"
    assert not partial_files(folder)
    again = forks.run(folder, STAGE)
    assert again.epochs == []
    assert outputs(folder) == whole
    assert_tidy(folder)


@pytest.mark.parametrize(
    ("read_only", "path"), [("models", MODEL), ("plots/predictions", PREDICTIONS)]
)
def test_a_folder_that_is_read_only_costs_no_epoch(
    forks: Forks, folder: Path, whole: dict[str, bytes], read_only: str, path: str
) -> None:
    with_old_outputs(folder)
    (folder / read_only).chmod(0o555)
    ended = forks.run(folder, STAGE, powerless=True)
    (folder / read_only).chmod(0o755)
    assert_refused(ended, path, "Permission denied")
    assert (folder / path).read_bytes() == b"from an earlier run"
    again = forks.run(folder, STAGE)
    assert again.epochs == []
    assert outputs(folder) == whole
    assert_tidy(folder)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("lr: 1.0", "lr: 1e-3", "train-convnet.lr should be a valid number, not '1e-3'"),
        ("epochs: 4", "epochs: [4", " is not valid YAML: "),
    ],
)
def test_with_broken_parameters_no_training_starts(
    forks: Forks, folder: Path, old: str, new: str, sentence: str
) -> None:
    path = folder / "params.yaml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with_old_outputs(folder)
    ended = forks.run(folder, STAGE)
    assert (ended.status, ended.stdout) == (1, "")
    assert ended.stderr.startswith("ERROR: params.yaml")
    assert sentence in ended.stderr
    assert "Traceback" not in ended.stderr
    assert set(outputs(folder).values()) == {b"from an earlier run"}
    assert not (folder / CHECKPOINTS).exists()


def test_the_page_about_faults_names_tests_that_exist() -> None:
    page = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", page)
    faults, _, _ = page.partition("\n## ")
    rows = [line for line in faults.splitlines() if line.startswith("| ")][2:]
    assert len(rows) > 20
    assert all(re.search(r"`tests/[\w/]+\.py::\w+`", row) for row in rows)
    for file, test in named:
        source = (ROOT / file).read_text(encoding="utf-8")
        assert f"def {test}(" in source, (file, test)
