import gzip
from pathlib import Path

import numpy as np
import pytest

from mnistpipe.data import raw_files
from mnistpipe.data.raw_files import RawFile, WrongFileError, check, find
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
