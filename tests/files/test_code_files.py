"""With code that is made up; tests/test_code_stage.py runs the stages in a copy of ours."""

import importlib
import re
from pathlib import Path

import pytest

from mnistpipe.files import code_files
from mnistpipe.files.code_digest import digest_code
from mnistpipe.files.code_files import (
    CODE,
    check_code_file,
    check_imports,
    script_module,
    script_names,
    write_code_file,
)
from mnistpipe.files.errors import UserError
from tests.conftest import ROOT

WRITTEN = {"mnistpipe/a.py": "00000000000000aa", "stages/fetch_data.py": "00000000000000bb"}


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


def test_the_scripts_are_found_and_can_be_imported_by_their_names() -> None:
    names = script_names()
    assert names == sorted(names)
    assert {"code", "fetch-data", "train"} <= set(names)
    for name in names:
        module = importlib.import_module(script_module(name))
        assert callable(module.main)
    modules = {script_module(name) for name in names}
    paths = (ROOT / "stages").glob("*.py")
    assert modules == {f"stages.{path.stem}" for path in paths if not path.stem.startswith("_")}


def test_a_folder_without_scripts_has_no_names(toy: Path) -> None:
    assert script_names() == []
    write(toy.parent / "stages", {"__init__.py": "", "__main__.py": "", "b_c.py": "", "a.py": ""})
    assert script_names() == ["a", "b-c"]


@pytest.mark.parametrize("script", [name for name in script_names() if name != "code"])
def test_no_stage_but_code_depends_on_how_its_file_is_written_or_checked(script: str) -> None:
    assert "mnistpipe/files/code_files.py" not in digest_code(script_module(script))


def tell(monkeypatch: pytest.MonkeyPatch, digests: dict[str, str]) -> None:
    """Let these be the digests of the code behind fetch-data."""
    monkeypatch.setattr(code_files, "digest_code", {"stages.fetch_data": digests}.__getitem__)


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of fetch-data's code, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    tell(monkeypatch, WRITTEN)
    write_code_file("fetch-data")
    return tmp_path / CODE / "fetch-data.txt"


def test_a_file_has_a_line_for_each_module(written: Path) -> None:
    assert written.read_text(encoding="utf-8") == (
        "mnistpipe/a.py 00000000000000aa\nstages/fetch_data.py 00000000000000bb\n"
    )
    check_code_file("fetch-data")


@pytest.mark.faults
@pytest.mark.parametrize(
    ("digests", "named"),
    [
        (WRITTEN | {"mnistpipe/a.py": "00000000000000cc"}, ["mnistpipe/a.py"]),
        (WRITTEN | {"mnistpipe/new.py": "00000000000000aa"}, ["mnistpipe/new.py"]),
        ({"mnistpipe/a.py": "00000000000000aa"}, ["stages/fetch_data.py"]),
        (dict.fromkeys(WRITTEN, "00000000000000dd"), [*WRITTEN]),
    ],
    ids=["edited", "new", "gone", "both"],
)
def test_code_that_is_not_what_was_written_down_is_named(
    written: Path, monkeypatch: pytest.MonkeyPatch, digests: dict[str, str], named: list[str]
) -> None:
    before = written.read_bytes()
    tell(monkeypatch, digests)
    with pytest.raises(UserError) as caught:
        check_code_file("fetch-data")
    assert str(caught.value) == (
        f"{', '.join(named)} changed after code/fetch-data.txt was written; run: dvc repro"
    )
    assert written.read_bytes() == before


def test_without_its_file_a_script_may_be_run_by_hand(written: Path) -> None:
    written.unlink()
    check_code_file("fetch-data")
    check_code_file("no-such-script")


GOOD = {
    "toy/__init__.py": "",
    "toy/main.py": "import toy.wing.two\nimport os.path\nimport numpy as np\n",
    "toy/wing/__init__.py": "",
    "toy/wing/two.py": "TWO = 2\n",
    "toy/wing/notes/text.md": "no module",
    "helper.py": "import toy\n",  # imports ours, which does not import it
    "more/part.py": "PART = 1\n",
}


def test_imports_that_can_be_followed_are_accepted(toy: Path) -> None:
    write(toy.parent, GOOD)
    check_imports()


@pytest.mark.faults
@pytest.mark.parametrize(
    ("path", "text", "sentence"),
    [
        (
            "toy/wing/extra/scale.py",
            "SCALE = 1\n",
            "toy/wing/extra has no __init__.py, without which its imports are not followed; "
            "add one that is empty.",
        ),
        (
            "toy/wing/tweak.py",
            "import helper\n",
            "toy.wing.tweak imports helper, which lies outside of toy, so that its changes would "
            "go unnoticed; move it there.",
        ),
        (
            "toy/wing/tweak.py",
            "def late():\n    from more.part import PART\n",
            "toy.wing.tweak imports more, which lies outside of toy, so that its changes would "
            "go unnoticed; move it there.",
        ),
        (
            "toy/wing/tweak.py",
            "x = = 1\n",
            "toy/wing/tweak.py, line 1, is no valid Python; mend it.",
        ),
    ],
    ids=["no __init__", "module outside", "folder outside", "no Python"],
)
def test_imports_that_could_not_be_followed_are_refused(
    toy: Path, path: str, text: str, sentence: str
) -> None:
    write(toy.parent, GOOD | {path: text})
    with pytest.raises(UserError, match=f"^{re.escape(sentence)}$"):
        check_imports()
