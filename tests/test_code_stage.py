"""The stage `code` and what the others make of it, in a copy of our code."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our code, and what it is said to do."""
    folder = tmp_path_factory.mktemp("made")
    for package in ("mnistpipe", "stages"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, folder / package, ignore=ignored)
    assert run(folder, "code") == ""
    return folder


@pytest.fixture
def checkout(tmp_path: Path, made: Path) -> Path:
    return shutil.copytree(made, tmp_path, dirs_exist_ok=True)


def run(folder: Path, stage: str) -> str:
    """What a stage says on standard error: nothing if all is well."""
    done = subprocess.run(
        [sys.executable, "-B", "-m", "stages", stage],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == (1 if done.stderr else 0)
    return done.stderr


def append(path: Path, text: str) -> None:
    path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")


def test_each_script_has_its_file_and_only_what_it_reaches_stands_there(checkout: Path) -> None:
    scripts = {path.stem for path in (ROOT / "stages").glob("[!_]*.py")} - {"code"}
    files = {path.stem: path.read_text() for path in (checkout / "code").iterdir()}
    assert set(files) == {script.replace("_", "-") for script in scripts}
    for script in scripts:
        lines = files[script.replace("_", "-")].splitlines()
        assert any(line.startswith(f"stages/{script}.py ") for line in lines)
        assert lines == sorted(lines)
    assert "mnistpipe/networks/sparse_gradient.py " in files["train"]  # imported in a function
    assert "mnistpipe/report/report.md.j2 " in files["report"]
    assert "figure" not in files["train"]
    assert "mnistpipe/study.py" not in "".join(files.values())


def test_a_stage_does_not_run_by_code_that_dvc_does_not_know(checkout: Path) -> None:
    append(checkout / "mnistpipe/data/split.py", "\nSIDE = 29\n")
    assert run(checkout, "prepare-split") == (
        "ERROR: mnistpipe/data/split.py changed after code/prepare-split.txt was written; "
        "run: dvc repro\n"
    )
    assert run(checkout, "code") == ""
    assert "params.yaml cannot be read" in run(checkout, "prepare-split")  # it has started


def test_an_edited_comment_is_no_other_code(checkout: Path) -> None:
    before = {path: path.read_bytes() for path in (checkout / "code").iterdir()}
    append(checkout / "mnistpipe/data/split.py", "\n\n# a comment\n")
    assert "params.yaml cannot be read" in run(checkout, "prepare-split")
    assert run(checkout, "code") == ""
    assert {path: path.read_bytes() for path in (checkout / "code").iterdir()} == before


def test_code_whose_changes_would_go_unnoticed_is_refused(checkout: Path) -> None:
    before = {path: path.read_bytes() for path in (checkout / "code").iterdir()}
    (checkout / "helper.py").write_text("HELP = 1\n")
    (checkout / "mnistpipe/training/tweak.py").write_text("import helper\n")
    assert run(checkout, "code") == (
        "ERROR: mnistpipe.training.tweak imports helper, which lies outside of mnistpipe and "
        "stages, so that its changes would go unnoticed; move it there.\n"
    )
    assert {path: path.read_bytes() for path in (checkout / "code").iterdir()} == before
