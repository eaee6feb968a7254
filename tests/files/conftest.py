"""Shared by the tests of digests: a package in the place of ours."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mnistpipe.files import code_digest, code_files
from mnistpipe.files.code_digest import import_graph


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of the only package whose imports are followed, toy, which is yet to be made."""
    for module in (code_digest, code_files):
        monkeypatch.setattr(module, "ROOT", tmp_path)
        monkeypatch.setattr(module, "PACKAGES", ("toy",))
    monkeypatch.syspath_prepend(tmp_path)
    import_graph.cache_clear()
    yield tmp_path / "toy"
    import_graph.cache_clear()  # else the tests that follow would find no module of ours
