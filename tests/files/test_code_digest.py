import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mnistpipe.files.code_digest import DATA_SUFFIXES, digest_code, import_graph
from mnistpipe.files.errors import UserError
from mnistpipe.files.strip_prose import strip_prose
from tests.conftest import ROOT

SCRIPTS = sorted(path.stem for path in (ROOT / "stages").glob("[!_]*.py"))
# The wings of those that draw.
DRAWING = {
    "analyze": "analysis",
    "confidence": "confidence",
    "dense_curve": "learning_curve",
    "learning_curve": "learning_curve",
    "report": "page|report",
    "robustness": "robustness",
}

# What each script has really imported, each in a process of its own; what they share is there.
IMPORT_EACH = """
import importlib, json, os, sys
import joblib, jinja2, numpy, pandas, matplotlib.figure, pydantic, scipy.stats, torch
for script in sys.argv[1:]:
    sys.stdout.flush()
    if os.fork() == 0:
        importlib.import_module(f"stages.{script}")
        ours = [module for name, module in sys.modules.items()
                if name.partition(".")[0] in ("mnistpipe", "stages")]
        print(json.dumps([script, sorted(module.__file__ for module in ours)]))
        sys.stdout.flush()
        os._exit(0)
    _, status = os.wait()
    assert status == 0, script
"""


def digests(script: str) -> dict[str, str]:
    return digest_code(f"stages.{script}")


def test_the_digest_of_a_file_is_of_its_text_without_prose() -> None:
    found = digests("train")
    assert [*found] == sorted(found)
    for file, digest in found.items():
        text = strip_prose((ROOT / file).read_text(encoding="utf-8"))
        assert digest == hashlib.sha256(text.encode()).hexdigest()[:16]


def test_training_reaches_what_is_imported_on_the_way_and_late() -> None:
    files = digests("train").keys()
    assert "stages/train.py" in files
    assert {"mnistpipe/training/trials.py", "mnistpipe/training/views.py"} <= files
    assert "mnistpipe/networks/convolution.py" in files  # through trials, loop and models
    late = "mnistpipe/networks/sparse_gradient.py"
    assert late in files
    assert re.search(
        r"^ {8}from mnistpipe\.networks import .*\bsparse_gradient\b",
        (ROOT / "mnistpipe/networks/convolution.py").read_text(),
        re.MULTILINE,
    )


def test_training_reaches_nothing_that_draws_or_reports_nor_a_section_of_others() -> None:
    files = digests("train").keys()
    assert files == {
        file
        for file in files
        if re.match(r"mnistpipe/(files|data|networks|scoring|training)/", file)
    } | {"stages/train.py", "mnistpipe/__init__.py"}
    assert not [file for file in files if "figure" in file or file.endswith("params.py")]
    assert "mnistpipe/study.py" not in files
    assert "mnistpipe/classifier.py" not in files
    assert "mnistpipe/data/download.py" not in files


@pytest.mark.parametrize("script", SCRIPTS)
def test_figures_are_part_of_what_draws_them_alone(script: str) -> None:
    figures = [file for file in digests(script) if "figure" in file]
    assert bool(figures) == (script in DRAWING)
    assert all(
        re.match(rf"mnistpipe/(files/figure_|({DRAWING[script]})/)", file) for file in figures
    )


@pytest.mark.parametrize("script", SCRIPTS)
def test_no_stage_depends_on_the_whole_study_or_how_stages_end(script: str) -> None:
    files = digests(script).keys()
    assert not files & {"mnistpipe/study.py", "mnistpipe/cli.py", "stages/__main__.py"}
    assert not [file for file in files if not file.startswith(("mnistpipe/", "stages/"))]


def test_the_report_depends_on_its_templates_and_no_other_stage_does() -> None:
    beside = (path for path in ROOT.glob("mnistpipe/*/*") if path.suffix in DATA_SUFFIXES)
    templates = {path.relative_to(ROOT).as_posix() for path in beside}
    assert {"mnistpipe/report/report.md.j2", "mnistpipe/page/page.css"} <= templates
    for script in SCRIPTS:
        found = {file for file in digests(script) if not file.endswith(".py")}
        assert found == (templates if script == "report" else set())


@pytest.mark.slow
def test_what_a_script_really_imports_is_part_of_its_digest() -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_EACH, *SCRIPTS],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    imported = dict(json.loads(line) for line in done.stdout.splitlines())
    assert [*imported] == SCRIPTS
    for script, paths in imported.items():
        files = {Path(path).relative_to(ROOT).as_posix() for path in paths}
        with_code = {file for file in files if strip_prose((ROOT / file).read_text())}
        assert with_code <= digests(script).keys(), script
        assert f"stages/{script}.py" in with_code


Tree = Callable[[dict[str, str]], dict[str, str]]


@pytest.fixture
def tree(toy: Path) -> Tree:
    """Writes files below the folder and digests the module toy.main; paths are below toy."""

    def write_and_digest(files: dict[str, str]) -> dict[str, str]:
        for name, text in files.items():
            path = toy / name
            path.parent.mkdir(parents=True, exist_ok=True)
            for package in (path.parent, *path.parent.parents):
                if package == toy.parent:
                    break
                (package / "__init__.py").touch()
            path.write_text(text, encoding="utf-8")
        import_graph.cache_clear()
        found = digest_code("toy.main")
        return {name.removeprefix("toy/"): digest for name, digest in found.items()}

    return write_and_digest


PLAIN = {
    "main.py": "from toy import one\nimport os\n",
    "one.py": "def late():\n    from toy.wing import two\n",
    "wing/two.py": "from . import three\nTWO = 2\n",
    "wing/three.py": "from .deep.four import FOUR\n",
    "wing/deep/four.py": "FOUR = 4\n",
    "wing/other.py": "OTHER = 0\n",
    "unused.py": "import toy.wing.other\n",
}


def test_imports_of_every_kind_are_followed(tree: Tree) -> None:
    assert [*tree(PLAIN)] == [
        "main.py",
        "one.py",
        "wing/deep/four.py",
        "wing/three.py",
        "wing/two.py",
    ]
    more = {
        "main.py": "import typing\nif typing.TYPE_CHECKING:\n    import toy.unused\n"
        "try:\n    import toy.one as one\nexcept ImportError:\n    pass\n"
    }
    assert {"unused.py", "wing/other.py", "wing/two.py"} < tree(PLAIN | more).keys()


def test_a_changed_module_changes_its_own_digest_where_it_is_reached(tree: Tree) -> None:
    before = tree(PLAIN)
    after = tree(PLAIN | {"wing/deep/four.py": "FOUR = 5\n"})
    assert before.keys() == after.keys()
    assert [name for name in after if after[name] != before[name]] == ["wing/deep/four.py"]
    assert tree(PLAIN | {"unused.py": "import toy.wing.other\nprint(1)\n"}) == before
    adorned = {name: f'"""Prose."""\n\n# More.\n{text}\n' for name, text in PLAIN.items()}
    assert tree(adorned) == before


def test_equal_modules_have_equal_digests_that_a_reader_can_compare(tree: Tree) -> None:
    found = tree(
        PLAIN | {"wing/three.py": PLAIN["wing/deep/four.py"], "one.py": "import toy.wing.t"}
    )
    assert all(re.fullmatch("[0-9a-f]{16}", digest) for digest in found.values())
    expected = hashlib.sha256(b"from toy import one\nimport os\n").hexdigest()[:16]
    assert found["main.py"] == expected


def test_a_package_counts_where_something_is_done_in_it(tree: Tree) -> None:
    before = tree(PLAIN | {"wing/__init__.py": '"""Nothing but prose."""\n'})
    assert "wing/__init__.py" not in before
    after = tree(PLAIN | {"wing/__init__.py": "print('imported')\n"})
    assert after.keys() - before.keys() == {"wing/__init__.py"}
    # Also of a package that is only passed on the way, and what it imports.
    after = tree(PLAIN | {"wing/__init__.py": "import toy.unused\n"})
    assert after.keys() - before.keys() >= {"wing/__init__.py"}
    assert "__init__.py" in tree(PLAIN | {"__init__.py": "TOP = 1\n"})


def test_a_template_beside_a_module_counts_as_it_is(tree: Tree) -> None:
    before = tree(PLAIN)
    after = tree(PLAIN | {"wing/text.md.j2": "# not a comment\n"})
    assert after.keys() - before.keys() == {"wing/text.md.j2"}
    assert after["wing/text.md.j2"] == hashlib.sha256(b"# not a comment\n").hexdigest()[:16]
    again = tree(PLAIN | {"wing/text.md.j2": "# not a comment \n"})
    assert again["wing/text.md.j2"] != after["wing/text.md.j2"]


def test_what_else_lies_beside_a_module_does_not_count(tree: Tree, toy: Path) -> None:
    before = tree(PLAIN)
    wing = toy / "wing"
    for name in (".two.py.partial", ".DS_Store", "notes.txt", ".text.j2.swp"):
        (wing / name).write_text("text")
    for folder in ("__pycache__", "plain", ".hidden"):
        (wing / folder).mkdir()
        (wing / folder / "text.j2").write_text("text")
    assert tree(PLAIN | {"elsewhere/alone.py": "x = 1\n", "elsewhere/text.j2": "text"}) == before


@pytest.mark.faults
@pytest.mark.parametrize("name", ["wing/deep/four.py", "unused.py"])
def test_a_module_that_is_no_python_is_named_in_one_sentence(tree: Tree, name: str) -> None:
    with pytest.raises(UserError) as caught:
        tree(PLAIN | {name: "x = 1\ndef f(:\n    pass\n"})
    assert str(caught.value) == f"toy/{name}, line 2, is no valid Python; mend it."


@pytest.mark.faults
def test_a_module_that_says_it_is_no_utf_8_text_is_named_in_one_sentence(tree: Tree) -> None:
    with pytest.raises(UserError) as caught:
        tree(PLAIN | {"wing/__init__.py": "# coding: latin-1\n"})
    assert str(caught.value) == "toy/wing/__init__.py should be UTF-8 text, as all of our code is."
