from pathlib import Path

import numpy as np
import pytest

from mnistpipe.analysis.examined import Examined, read_examined, write_examined
from mnistpipe.files.artifacts import write_npz
from mnistpipe.files.errors import UserError

EXAMINED = Examined(
    labels=np.arange(3),
    logits=np.eye(3, dtype=np.float32),
    features=np.ones((3, 5), dtype=np.float32),
    embedded=np.zeros((3, 2), dtype=np.float32),
)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_examined(tmp_path / "examined.npz", EXAMINED)
    read = read_examined(tmp_path / "examined.npz")
    for name, array in vars(EXAMINED).items():
        np.testing.assert_array_equal(getattr(read, name), array)


def test_a_missing_or_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "examined.npz"
    with pytest.raises(UserError, match=r"examined\.npz is missing; run: dvc repro analyze"):
        read_examined(path)
    path.write_bytes(b"no archive")
    with pytest.raises(UserError, match=r"examined\.npz is damaged"):
        read_examined(path)
    write_npz(path, vars(EXAMINED) | {"embedded": np.zeros((2, 2), dtype=np.float32)})
    with pytest.raises(UserError, match=r"examined\.npz is damaged"):
        read_examined(path)
