"""What is chosen is chosen by a process that the test set is kept from."""

import math
import multiprocessing
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
from joblib import Parallel, delayed

from mnistpipe.data.split import Labelled, Split
from mnistpipe.data.split_file import SPLIT_FILE, read_split, write_split
from mnistpipe.files.errors import UserError
from mnistpipe.files.sections import PARAMS_FILE
from tests.conftest import PARAMS_FILE as STUDY
from tools.selection import FOLDER, _answer, choose, hand_over


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, split: Split) -> Path:
    monkeypatch.chdir(tmp_path)
    write_split(SPLIT_FILE, split)
    PARAMS_FILE.write_bytes(STUDY.read_bytes())
    return tmp_path


def handed_over() -> dict[str, bytes]:
    files = [path for path in FOLDER.rglob("*") if path.is_file()]
    return {path.relative_to(FOLDER).as_posix(): path.read_bytes() for path in files}


def test_what_it_is_given_is_the_same_whatever_the_test_set_is(split: Split) -> None:
    hand_over()
    before = handed_over()
    assert sorted(before) == ["data/split.npz", "params.yaml"]
    noise = np.random.default_rng(1).integers(0, 256, (7, 28, 28), dtype=np.uint8)
    write_split(SPLIT_FILE, replace(split, test=Labelled(noise, np.arange(7)[::-1].copy())))
    hand_over()
    assert handed_over() == before


def test_it_works_on_the_split_without_the_test_images(split: Split) -> None:
    seen = choose(read_split)
    for name in ("train", "validation"):
        assert np.array_equal(getattr(seen, name).images, getattr(split, name).images)
        assert np.array_equal(getattr(seen, name).labels, getattr(split, name).labels)
    assert np.array_equal(seen.test.images, split.validation.images)


@pytest.mark.parametrize("file", ["data/split.npz", "metrics/train-net.json", "REPORT.md"])
def test_it_cannot_open_what_knows_of_the_test_set(folder: Path, file: str) -> None:
    (folder / file).parent.mkdir(exist_ok=True)
    (folder / file).touch()
    for path in (folder / file, Path("../..") / file):
        with pytest.raises(PermissionError, match="may hold the test set"):
            choose(Path.read_bytes, path)


def test_a_mistake_there_is_told_here() -> None:
    with pytest.raises(UserError, match=r"nowhere\.npz is missing"):
        choose(read_split, Path("nowhere.npz"))


def side_by_side() -> list[float]:
    return list(Parallel(n_jobs=2)(delayed(math.sqrt)(number) for number in (1, 4)))


def test_processes_that_it_has_started_end_with_its_answer() -> None:
    """Or it would wait for idle ones of joblib's, for up to 300 seconds."""
    assert _answer(side_by_side) == [1, 2]
    commands = [" ".join(child.cmdline()) for child in psutil.Process().children()]
    assert not [command for command in commands if "popen_loky" in command]


def test_it_does_not_outlive_a_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("concurrent.futures.Future.result", stopped)
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        choose(time.sleep, 300)
    assert time.monotonic() - begun < 60
    assert not multiprocessing.active_children()
