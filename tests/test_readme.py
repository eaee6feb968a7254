import re
from pathlib import PurePath

import pytest

from mnistpipe.artifacts import read_json
from mnistpipe.errors import UserError
from tests.conftest import ROOT, tracked_files
from tools.readme import END, PICTURES, START, both_recipes, with_results

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_results_table_is_the_summaries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    table = both_recipes(read_json(ROOT / "metrics" / "summary.json"))
    assert with_results(README, table) == README
    assert read_json(ROOT / "metrics" / "summary.json")["data"]["dataset"] == "MNIST"


def test_the_map_names_every_file_once_and_nothing_else() -> None:
    patterns = re.findall(r"^\| `([^`]+)` \|", README.split("## Map")[1], re.MULTILINE)
    assert len(patterns) == len(set(patterns))
    # A pattern with a star stands for files without a line of their own.
    exact = {pattern for pattern in patterns if "*" not in pattern}
    globs = [pattern.removeprefix("**/") for pattern in patterns if "*" in pattern]
    files = tracked_files()
    unnamed = [
        file
        for file in files
        if file not in exact and not any(PurePath(file).match(pattern) for pattern in globs)
    ]
    assert not unnamed
    assert not exact - set(files)
    assert all(any(PurePath(file).match(pattern) for file in files) for pattern in globs)


def test_modules_import_only_from_the_lines_below_them_in_the_map() -> None:
    order = re.findall(r"^\| `mnistpipe/(\w+)\.py` \|", README, re.MULTILINE)
    for place, module in enumerate(order):
        source = (ROOT / "mnistpipe" / f"{module}.py").read_text(encoding="utf-8")
        imported = set(re.findall(r"^\s*(?:from|import) mnistpipe\.(\w+)", source, re.MULTILINE))
        assert imported <= set(order[place + 1 :]), module
        assert not re.findall(r"^\s*(?:from|import) (?:stages|tools|tests)", source, re.MULTILINE)


def test_every_module_has_its_tests() -> None:
    modules = {path.stem for path in (ROOT / "mnistpipe").glob("*.py")} - {"__init__", "errors"}
    tested = {path.stem.removeprefix("test_") for path in (ROOT / "tests").glob("test_*.py")}
    assert modules - tested == {"writeup"}  # its numbers are tested where they are shown: report


def test_the_pictures_are_there() -> None:
    assert re.findall(r"!\[[^\]]+\]\((docs/[^)]+)\)", README) == [
        f"docs/{picture.name}" for picture in PICTURES
    ]
    for picture in PICTURES:
        assert (ROOT / "docs" / picture.name).read_bytes().startswith(b"\x89PNG")


def test_only_the_text_between_the_marks_changes() -> None:
    assert with_results(f"a\n{START}old\n{END}\nb", "new") == f"a\n{START}new\n{END}\nb"
    with pytest.raises(UserError, match="should hold the lines"):
        with_results(f"{END} {START}", "new")


def test_contributing_names_the_commands_of_ci() -> None:
    targets = re.findall(r"^make (\w+)$", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)
    assert targets == ["check", "test"]
    contributing = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert all(f"make {target} " in contributing for target in targets)
