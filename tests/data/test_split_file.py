import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy import ndarray

from mnistpipe.data.split import Split
from mnistpipe.data.split_file import SPLIT_FILE, read_split, write_split
from mnistpipe.files.artifacts import write_npz
from mnistpipe.files.errors import UserError
from tests.conftest import ROOT

# Without the checks of shapes at each call that the tests add: these are what users meet.
READ_SPLITS = """
import sys
from pathlib import Path
from mnistpipe.data.split_file import read_split
from mnistpipe.files.errors import UserError

for path in sys.argv[1:]:
    try:
        read_split(Path(path))
        print("sound")
    except UserError as error:
        print(error)
"""


def read_all(*paths: Path) -> list[str]:
    """What is said of each file, a line for each, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", READ_SPLITS, *map(str, paths)],
        check=True,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout.splitlines()


def arrays_of(split: Split) -> dict[str, ndarray]:
    return {
        "title": np.array(split.title),
        "classes": np.array(split.classes),
        "train_images": split.train.images,
        "train_labels": split.train.labels,
        "validation_images": split.validation.images,
        "validation_labels": split.validation.labels,
        "test_images": split.test.images,
        "test_labels": split.test.labels,
        "train_indices": split.train_indices,
        "validation_indices": split.validation_indices,
    }


def with_label(labels: ndarray, label: int) -> ndarray:
    changed = labels.copy()
    changed[-1] = label
    return changed


def test_a_split_is_read_as_it_was_written(tmp_path: Path, split: Split) -> None:
    path = tmp_path / "split.npz"
    write_split(path, split)
    expected, found = arrays_of(split), arrays_of(read_split(path))
    for name, array in expected.items():
        assert found[name].dtype == array.dtype
        assert np.array_equal(found[name], array)
    assert read_split(path).title == "random"
    assert read_split(path).classes == split.classes


def test_the_names_of_the_classes_are_any_text(tmp_path: Path, split: Split) -> None:
    names = ("T-shirt/top", "a, b", "Größe", "お", " x ", "NA", "0", "00", "'", '"')
    write_split(tmp_path / "split.npz", replace(split, classes=names))
    assert read_split(tmp_path / "split.npz").classes == names


@pytest.mark.faults
def test_a_missing_split_is_named_with_the_command_that_makes_it(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"split\.npz is missing; run: dvc repro prepare-split$"):
        read_split(tmp_path / "split.npz")


@pytest.mark.faults
def test_a_damaged_split_is_refused(tmp_path: Path, split: Split) -> None:
    whole_path = tmp_path / "split.npz"
    write_split(whole_path, split)
    whole = whole_path.read_bytes()
    contents = [
        whole[: len(whole) // 2],
        whole[:-1],
        whole[:1000] + bytes(1000) + whole[2000:],
        b"",
        b"version https://git-lfs.github.com/spec/v1\n",
        b"\x93NUMPY\x01\x00",  # one array, as np.save writes it
        b"\x80\x04N.",  # a pickle
    ]
    paths = [tmp_path / f"{number}.npz" for number in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    assert read_all(whole_path, *paths) == ["sound"] + [
        f"{path} is damaged; delete it and run: dvc repro prepare-split" for path in paths
    ]


@pytest.mark.faults
def test_a_split_that_lacks_an_array_is_refused(tmp_path: Path, split: Split) -> None:
    arrays = arrays_of(split)
    del arrays["validation_indices"]
    write_npz(tmp_path / "split.npz", arrays)
    with pytest.raises(UserError, match="is damaged"):
        read_split(tmp_path / "split.npz")


@pytest.mark.faults
def test_an_inconsistent_split_is_refused_and_its_wrong_part_named(
    tmp_path: Path, split: Split
) -> None:
    arrays = arrays_of(split)
    images, labels = arrays["train_images"], arrays["train_labels"]
    shared = arrays["validation_indices"].copy()
    shared[0] = arrays["train_indices"][0]
    twice = arrays["train_indices"].copy()
    twice[1] = twice[0]
    cases: list[tuple[str, dict[str, ndarray]]] = [
        ("sound", {}),
        ("an image stands more than once", {"validation_indices": shared}),
        ("an image stands more than once", {"train_indices": twice}),
        ("the train part", {"train_labels": with_label(labels, 10)}),
        ("the test part", {"test_labels": with_label(arrays["test_labels"], -1)}),
        ("the train part", {"train_labels": labels.astype(np.uint8)}),
        ("the train part", {"train_labels": labels[:-1]}),
        ("the train part", {"train_images": images[:-1]}),
        ("the train part", {"train_images": images[:, :27]}),
        ("the train part", {"train_images": images.reshape(-1, 784)}),
        ("the train part", {"train_images": images / 255}),
        ("the validation part", {"validation_indices": np.arange(1000, 1003)}),
        ("the train part", {"train_indices": arrays["train_indices"].astype(float)}),
        ("the train part", {"train_indices": arrays["train_indices"][:, np.newaxis]}),
        ("the train part", {"train_indices": arrays["train_indices"] - 100}),
        ("the train part", {"train_labels": np.array(3)}),
        ("the test part", {"test_images": images[:0], "test_labels": labels[:0]}),
        ("the train part", {"classes": arrays["classes"][:9]}),
        ("the classes' names", {"classes": np.array(["cat"] * 10)}),
        ("the classes' names", {"classes": np.array([*"012345678", ""])}),
        ("the classes' names", {"classes": np.arange(10)}),
    ]
    paths = [tmp_path / f"{number}.npz" for number in range(len(cases))]
    for path, (_, changes) in zip(paths, cases, strict=True):
        write_npz(path, arrays | changes)
    lines = read_all(*paths)
    assert lines[0] == "sound"
    for line, path, (sentence, _) in zip(lines[1:], paths[1:], cases[1:], strict=True):
        assert line.startswith(f"{path}: {sentence}")
        assert line.endswith("run: dvc repro prepare-split")


def test_without_a_path_it_is_the_pipelines_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, split: Split
) -> None:
    monkeypatch.chdir(tmp_path)
    write_split(SPLIT_FILE, split)
    assert read_split().title == "random"
