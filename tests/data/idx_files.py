"""IDX files as they are read, for the tests."""

import gzip
from pathlib import Path

import numpy as np
from numpy import ndarray

IMAGES_MAGIC, LABELS_MAGIC = 0x803, 0x801


def idx(array: ndarray, magic: int | None = None) -> bytes:
    """An IDX file of images or labels, not yet compressed."""
    if magic is None:
        magic = IMAGES_MAGIC if array.ndim == 3 else LABELS_MAGIC
    header = np.array([magic, *array.shape], dtype=">u4").tobytes()
    return header + array.astype(np.uint8).tobytes()


def some_images(n: int, side: int = 28) -> ndarray:
    """Always the same noise."""
    return np.random.default_rng(n).integers(0, 256, (n, side, side), dtype=np.uint8)


def write_gz(path: Path, content: bytes) -> Path:
    path.write_bytes(gzip.compress(content))
    return path
