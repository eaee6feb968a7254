import gzip
from pathlib import Path

import numpy as np
import pytest

from mnistpipe.data.idx import read_idx
from mnistpipe.files.errors import UserError
from tests.data.idx_files import IMAGES_MAGIC, idx, some_images, write_gz


def test_images_and_labels_are_read_as_they_were_written(tmp_path: Path) -> None:
    images, labels = some_images(3), np.array([5, 0, 4, 1, 9, 2, 1, 3, 1])
    found = read_idx(write_gz(tmp_path / "images.gz", idx(images)))
    assert found.dtype == np.uint8
    assert np.array_equal(found, images)
    found = read_idx(write_gz(tmp_path / "labels.gz", idx(labels)))
    assert found.tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1]


def test_a_file_is_read_as_what_it_is_whatever_it_is_called(tmp_path: Path) -> None:
    unpacked = tmp_path / "labels.gz"
    unpacked.write_bytes(idx(np.array([5, 0])))
    packed = write_gz(tmp_path / "labels", idx(np.array([5, 0])))
    assert read_idx(unpacked).tolist() == read_idx(packed).tolist() == [5, 0]


@pytest.mark.faults
def test_a_small_file_that_unpacks_without_end_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mnistpipe.data.idx._MAX_BYTES", 1_000)
    with pytest.raises(UserError, match="unpacks to more than 1,000 bytes"):
        read_idx(write_gz(tmp_path / "images.gz", idx(np.zeros((2, 28, 28)))))


LABELS = idx(np.arange(100) % 10)
PACKED = gzip.compress(LABELS)


@pytest.mark.faults
@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (gzip.compress(idx(np.zeros((4, 5)), 0x802)), "is not an IDX file of images or labels"),
        (gzip.compress(idx(np.zeros((1, 5, 5)), 0xD03)), "is not an IDX file of images or labels"),
        (gzip.compress(LABELS[::-1]), "is not an IDX file of images or labels"),
        (gzip.compress(idx(np.zeros((3, 2, 2)))[:12]), "ends within its header"),
        (gzip.compress(b"\0\0"), "is not an IDX file of images or labels"),
        (gzip.compress(b""), "is not an IDX file of images or labels"),
        (b"", "is not an IDX file of images or labels"),
        (gzip.compress(LABELS[:-1]), "announces 100 bytes of data but holds 99"),
        (gzip.compress(LABELS + b"\0"), "announces 100 bytes of data but holds 101"),
        (gzip.compress(idx(some_images(3))[:-784]), "announces 2,352 bytes of data"),
        # The product of the sizes must not wrap around to what fits.
        (
            gzip.compress(np.array([IMAGES_MAGIC] + [2**31] * 3, dtype=">u4").tobytes()),
            "announces 9,903,520,314,283,042,199,192,993,792 bytes of data but holds 0",
        ),
        (PACKED[:-1], "is damaged or cut short"),
        (PACKED[: len(PACKED) // 2], "is damaged or cut short"),
        (PACKED[:5], "is damaged or cut short"),
        (PACKED[:15] + b"\xff\xff" + PACKED[17:], "is damaged or cut short"),
        (PACKED[:-8] + bytes(8), "is damaged or cut short"),
        (LABELS[:-1], "announces 100 bytes of data but holds 99"),
        (b"Not Found", "is not an IDX file of images or labels"),
        (b"\n<!DOCTYPE html><title>404</title>", "is a web page"),
    ],
    ids=[
        "two dimensions",
        "floats",
        "reversed",
        "header cut short",
        "two bytes",
        "nothing packed",
        "empty",
        "a label too few",
        "a label too many",
        "an image too few",
        "huge sizes",
        "gzip without its last byte",
        "half a gzip",
        "five bytes of gzip",
        "wrong bytes in gzip",
        "wrong checksum",
        "not packed, a label too few",
        "text",
        "web page",
    ],
)
def test_anything_but_a_whole_idx_file_is_refused(
    tmp_path: Path, content: bytes, sentence: str
) -> None:
    path = tmp_path / "labels.gz"
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_idx(path)
    assert str(caught.value).startswith(f"{path} ")
    assert sentence in str(caught.value)


@pytest.mark.faults
def test_a_missing_file_is_named_with_the_command_that_gets_it(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"labels\.gz is missing; run: dvc repro fetch-data$"):
        read_idx(tmp_path / "labels.gz")
