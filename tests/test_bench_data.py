import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mnistpipe.data.catalogue import CATALOGUE
from mnistpipe.data.datasets import RAW
from mnistpipe.data.sources import MIRROR_VARIABLE
from mnistpipe.data.split import Labelled, Split
from mnistpipe.data.split_file import SPLIT_FILE, write_split
from mnistpipe.files.artifacts import write_json
from tests.conftest import PARAMS_FILE
from tools import bench_data
from tools.bench_data import save_examples


@pytest.fixture(autouse=True)
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the study's parameters and no data, where each test runs."""
    monkeypatch.delenv(MIRROR_VARIABLE, raising=False)
    folder = tmp_path / "checkout"
    folder.mkdir()
    shutil.copy(PARAMS_FILE, folder / "params.yaml")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


def save(folder: Path) -> tuple[str, Labelled]:
    """The title, and what stands in the file."""
    file, title = save_examples(folder)
    with np.load(file) as arrays:
        return title, Labelled(arrays["images"], arrays["labels"])


def put_split(split: Split, title: str) -> None:
    SPLIT_FILE.parent.mkdir(exist_ok=True)
    write_split(SPLIT_FILE, replace(split, title=title))


def test_mnists_training_split_is_taken_where_the_pipeline_left_it(
    split: Split, temporary: Path
) -> None:
    put_split(split, CATALOGUE["mnist"].title)
    title, train = save(temporary)
    assert title == "MNIST"
    np.testing.assert_array_equal(train.images, split.train.images)
    np.testing.assert_array_equal(train.labels, split.train.labels)


def test_where_mnist_is_not_there_the_digits_are_taken(temporary: Path) -> None:
    title, train = save(temporary)
    assert title == "scikit-learn digits (not MNIST)"
    assert len(train) == 1_438
    assert [path.name for path in temporary.iterdir()] == ["examples.npz"]


def test_a_pipeline_that_fell_back_on_the_digits_is_no_mnist(split: Split, temporary: Path) -> None:
    put_split(split, CATALOGUE["digits"].title)
    write_json(RAW / "source.json", {"dataset": "digits"})
    title, train = save(temporary)
    assert title == CATALOGUE["digits"].title
    assert len(train) == 1_438


@pytest.mark.parametrize(
    "mirror", ["http://127.0.0.1:9/mnist", "file:///nowhere", "no such folder"]
)
def test_nothing_is_downloaded(
    mirror: str, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(MIRROR_VARIABLE, mirror)
    monkeypatch.setattr(bench_data, "fetch", None)
    assert save(temporary)[0] == CATALOGUE["digits"].title


@pytest.mark.mnist
@pytest.mark.parametrize("form", ["folder", "file address"])
def test_without_a_run_of_the_pipeline_the_mirrors_files_are_taken(
    form: str,
    mnist_mirror: Path,
    temporary: Path,
    checkout: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    address = str(mnist_mirror) if form == "folder" else mnist_mirror.as_uri()
    monkeypatch.setenv(MIRROR_VARIABLE, address)
    title, train = save(temporary)
    assert title == "MNIST"
    assert len(train) == 51_000
    assert [path.name for path in checkout.iterdir()] == ["params.yaml"]


@pytest.mark.mnist
def test_raw_files_without_a_split_are_taken_as_they_are(
    mnist_mirror: Path, temporary: Path
) -> None:
    RAW.parent.mkdir()
    shutil.copytree(mnist_mirror, RAW)
    write_json(RAW / "source.json", {"dataset": "mnist"})
    title, train = save(temporary)
    assert title == "MNIST"
    assert len(train) == 51_000
