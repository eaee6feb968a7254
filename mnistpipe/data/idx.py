"""IDX files, the format of MNIST and its like, gzipped or as they are."""

import gzip
import io
import math
import zlib
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from mnistpipe.files.errors import UserError

GZIP_MAGIC = b"\x1f\x8b"
_LABELS_MAGIC, _IMAGES_MAGIC = 0x801, 0x803  # unsigned bytes in one or three dimensions
_MAX_BYTES = 300_000_000  # the largest, of EMNIST's digits, has 188 MB


def read_idx(path: Path) -> UInt8[ndarray, "..."]:
    """An IDX file of images (n, height, width) or labels (n,), as bytes; gzipped or not.

    Raises UserError if it is missing, anything else, or cut short.
    """
    try:
        return parse_idx(unpack(path.read_bytes()))
    except FileNotFoundError as error:
        raise UserError(f"{path} is missing; run: dvc repro fetch-data") from error
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise UserError(f"{path} {error}; move it away and run: dvc repro fetch-data") from error


def unpack(content: bytes) -> bytes:
    """The content of a gzip file; anything else as it is, whatever it is called.

    Raises ValueError, with the end of a sentence, if the gzip file is not whole.
    """
    if not content.startswith(GZIP_MAGIC):
        return content
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
            unpacked = file.read(_MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError("is damaged or cut short") from error
    if len(unpacked) > _MAX_BYTES:
        raise ValueError(f"unpacks to more than {_MAX_BYTES:,} bytes")
    return unpacked


def parse_idx(content: bytes) -> UInt8[ndarray, "..."]:
    """The array in the content of an IDX file.

    The format is described where MNIST was published: a magic number, the size of each
    dimension as a big-endian integer, then the data.

    Raises ValueError, with the end of a sentence, if it is anything else, or cut short.
    """
    if content[:200].lstrip().startswith(b"<"):
        raise ValueError("is a web page")
    magic = int.from_bytes(content[:4], "big")
    if magic not in (_LABELS_MAGIC, _IMAGES_MAGIC):
        raise ValueError("is not an IDX file of images or labels")
    n_dimensions = magic & 0xFF
    if len(content) < 4 + 4 * n_dimensions:
        raise ValueError("ends within its header: it is damaged or cut short")
    sizes = np.frombuffer(content, dtype=">u4", count=n_dimensions, offset=4)
    shape = tuple(int(size) for size in sizes)
    data = content[4 + 4 * n_dimensions :]
    if len(data) != math.prod(shape):
        raise ValueError(
            f"announces {math.prod(shape):,} bytes of data but holds {len(data):,}: "
            "it is damaged or cut short"
        )
    return np.frombuffer(data, dtype=np.uint8).reshape(shape)
