import gzip
import hashlib
import re
from pathlib import Path

import numpy as np
import pytest
from numpy import ndarray

from mnistpipe.data import raw_files
from mnistpipe.data.raw_files import OtherDatasetError, RawFile, WrongFileError, check, find
from tests.data.idx_files import idx, write_gz

WANTED = RawFile("mnist", "train_labels")


@pytest.mark.mnist
def test_the_real_files_are_known_packed_and_unpacked(tmp_path: Path, mnist_mirror: Path) -> None:
    for file in raw_files.raw_files("mnist"):
        path = mnist_mirror / file.names[0]
        check(path, file)
        unpacked = tmp_path / file.names[1]
        unpacked.write_bytes(gzip.decompress(path.read_bytes()))
        assert find(tmp_path, file) == unpacked


def test_a_file_of_another_data_set_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_gz(tmp_path / WANTED.names[0], idx(np.arange(3)))
    monkeypatch.setattr(raw_files, "MNIST_SHA256S", {})
    with pytest.raises(WrongFileError) as caught:
        find(tmp_path, WANTED)
    assert str(caught.value) == (
        "train-labels-idx1-ubyte.gz should hold the training labels of MNIST, but it holds other "
        "labels (3)"
    )
    md5 = raw_files.md5_of(path.read_bytes())
    known = RawFile("fashion-mnist", "train_labels")
    monkeypatch.setattr(raw_files, "published_md5s", lambda: {md5: known})
    with pytest.raises(WrongFileError, match=r"it holds the training labels of Fashion-MNIST$"):
        find(tmp_path, WANTED)


@pytest.mark.parametrize(
    ("dataset", "array", "finding"),
    [
        ("kmnist", np.zeros(60_000), None),
        ("kmnist", np.zeros(10_000), "holds other labels (10,000)"),
        ("kmnist", np.zeros((2, 28, 28)), "holds other images (2 of 28 x 28 pixels)"),
        ("emnist-letters", np.zeros(88_800), None),
        ("emnist-letters", np.zeros(124_800), None),
        ("mnist", np.zeros(60_000), "holds other labels (60,000)"),
    ],
)
def test_without_a_published_digest_a_file_of_the_right_form_will_do(
    tmp_path: Path, dataset: str, array: ndarray, finding: str | None
) -> None:
    wanted = RawFile(dataset, "train_labels")
    path = write_gz(tmp_path / wanted.names[0], idx(array))
    if finding is None:
        assert find(tmp_path, wanted) == path
    else:
        with pytest.raises(WrongFileError, match=re.escape(finding)):
            find(tmp_path, wanted)


def test_mnists_file_is_no_other_data_sets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = idx(np.zeros(60_000))
    sha256 = hashlib.sha256(content).hexdigest()
    monkeypatch.setattr(raw_files, "MNIST_SHA256S", {"train_labels": sha256})
    wanted = RawFile("fashion-mnist", "train_labels")
    write_gz(tmp_path / wanted.names[0], content)
    with pytest.raises(OtherDatasetError, match="but it holds the training labels of MNIST"):
        find(tmp_path, wanted)
