"""Reading and writing the pipeline's own files. Every file appears whole or not at all."""

import contextlib
import io
import json
import os
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from mnistpipe.files.errors import UserError


def write_bytes(path: Path, content: bytes) -> None:
    """Write beside the place and move into it, so that a reader never sees half a file.

    What a killed process leaves there is gone with the next write of the same file. Two writers
    of one file at a time would disturb each other; locks keep them apart.

    Raises UserError, leaving an older file as it was, if the disk does not take it.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise UserError(
            f"{path} cannot be written ({error.strerror}); what was there before is untouched: "
            "mend that and run the same command again."
        ) from error
    finally:
        with contextlib.suppress(OSError):  # gone where all is well; unreachable where nothing is
            partial.unlink()


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Indented, in the order given, with a final newline."""
    write_bytes(path, (json.dumps(content, indent=2, allow_nan=False) + "\n").encode())


def write_npz(path: Path, arrays: Mapping[str, ndarray]) -> None:
    """Arrays under their names, for `np.load`; equal arrays give equal bytes.

    NumPy's own writer leaves details to Python's version, and so does compression. Without it the
    file is also read several times as fast.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            member = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            member.create_system = 3  # the format's number for Unix, on any system
            content = io.BytesIO()
            np.lib.format.write_array(content, array, version=(1, 0), allow_pickle=False)
            archive.writestr(member, content.getvalue())
    write_bytes(path, buffer.getvalue())


def read_json(path: Path, keys: Iterable[str] = ()) -> dict[str, Any]:
    """Raises UserError if the file cannot be read, is no JSON object or lacks one of the keys."""
    try:
        content = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not valid JSON; delete it and run: dvc repro") from error
    if not isinstance(content, dict):
        raise UserError(f"{path} is not a JSON object; delete it and run: dvc repro")
    for key in keys:
        if key not in content:
            raise UserError(f"{path} lacks '{key}'; delete it and run: dvc repro")
    return content


def read_text(path: Path) -> str:
    """Raises UserError if the file cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise UserError(f"{path} is missing; run: dvc repro") from error
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error
