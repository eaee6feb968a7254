"""What the tests of params.yaml share: a text with a mistake in it, and what is said of it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mnistpipe.files.errors import UserError
from tests.conftest import PARAMS_FILE

OWN_TEXT = PARAMS_FILE.read_text(encoding="utf-8")


def edited(old: str, new: str, text: str = OWN_TEXT) -> str:
    """The tests' file, or another, with the first occurrence of a text replaced."""
    assert old in text
    return text.replace(old, new, 1)


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "params.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def problems(read: Callable[[Path], object], folder: Path, text: str | bytes) -> list[str]:
    """The lines of the error that the text gives, each without the file's name in front."""
    path = written(folder, text)
    with pytest.raises(UserError) as caught:
        read(path)
    lines = str(caught.value).splitlines()
    assert all(line.startswith(str(path)) for line in lines)
    assert all(line.endswith(".") for line in lines)
    return [line.removeprefix(str(path)).removeprefix(": ").strip() for line in lines]
