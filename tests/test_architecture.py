"""The library's structure against what is said of it: layers, picture, map, tests."""

import itertools
import json
import re
from fnmatch import fnmatch
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import ROOT, tracked_files
from tools.architecture import ARROWS_KEY, PICTURE, read_imports, read_layers, without_detours

MAP = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8").split("## Map")[1]


def test_every_wing_has_its_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    modules, arrows = read_imports()
    layers = read_layers()
    assert sorted(wing for layer in layers for wing in layer) == sorted(modules) == sorted(arrows)


def test_imports_point_downwards(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `make check` holds them to; here the tools' own reading of the imports says so, too."""
    monkeypatch.chdir(ROOT)
    _, arrows = read_imports()
    rows = {wing: row for row, layer in enumerate(read_layers()) for wing in layer}
    upwards = [
        (wing, to) for wing, found in arrows.items() for to in found if rows[to] <= rows[wing]
    ]
    assert not upwards


def test_the_picture_is_of_these_imports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    with Image.open(ROOT / PICTURE) as picture:
        drawn = json.loads(picture.info[ARROWS_KEY])
    _, arrows = read_imports()
    assert drawn == arrows, "run: make readme"


def test_an_arrow_that_follows_from_others_is_left_out() -> None:
    arrows = {"a": ["b", "c", "d"], "b": ["c"], "c": ["d"], "d": []}
    assert without_detours(arrows) == {"a": ["b"], "b": ["c"], "c": ["d"], "d": []}


def test_the_map_names_every_file_once_and_nothing_else() -> None:
    patterns = re.findall(r"^\| `([^`]+)` \|", MAP, re.MULTILINE)
    assert len(patterns) == len(set(patterns))
    # A pattern with a star stands for files without a line of their own.
    exact = {pattern for pattern in patterns if "*" not in pattern}
    globs = [pattern.replace("**/", "*") for pattern in patterns if "*" in pattern]
    files = tracked_files()
    unnamed = [
        file
        for file in files
        if file not in exact and not any(fnmatch(file, pattern) for pattern in globs)
    ]
    assert not unnamed
    assert not exact - set(files)
    assert all(any(fnmatch(file, pattern) for file in files) for pattern in globs)


def test_no_module_is_long() -> None:
    lengths = {
        file: len((ROOT / file).read_text(encoding="utf-8").splitlines())
        for file in tracked_files()
        if re.match(r"(mnistpipe|stages)/.*\.py$", file)
    }
    assert {file for file, length in lengths.items() if length > 300} == set()


def test_every_module_has_its_tests() -> None:
    """Sections of params.yaml are tested with the whole file, by test_study."""
    untested = []
    for path in sorted((ROOT / "mnistpipe").rglob("*.py")):
        name = path.relative_to(ROOT / "mnistpipe")
        if name.stem in ("__init__", "params", "errors", "writeup"):
            continue
        if not (ROOT / "tests" / name.with_stem(f"test_{name.stem}")).exists():
            untested.append(name.as_posix())
    assert untested == []


def test_the_pages_that_are_linked_are_there() -> None:
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]:
        for link in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            if not re.match(r"https?:", link):
                assert (page.parent / Path(link)).exists(), (page.name, link)


@pytest.mark.parametrize("page", ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs/*.md"])
def test_no_page_keeps_traces_of_a_merge(page: str) -> None:
    """A row or an item that stands twice, or a text that has become the last row of a table."""
    for path in ROOT.glob(page):
        lines = path.read_text(encoding="utf-8").splitlines()
        entries = [line for line in lines if re.match(r"\| `|- .{20}", line)]
        assert len(entries) == len(set(entries)), path.name
        for line, following in itertools.pairwise(lines):
            is_glued = line.startswith("|") and following and following[0] not in "|<"
            assert not is_glued, (path.name, following)
