import ast
import importlib
import re

import pytest

from mnistpipe.files.artifacts import read_json
from mnistpipe.files.errors import UserError
from tests.conftest import ROOT
from tools.readme import END, PICTURES, START, both_recipes, with_results

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_results_table_is_the_summaries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    table = both_recipes(read_json(ROOT / "metrics" / "summary.json"))
    assert with_results(README, table) == README
    assert read_json(ROOT / "metrics" / "summary.json")["data"]["dataset"] == "MNIST"


def test_the_pictures_are_there() -> None:
    assert re.findall(r"!\[[^\]]+\]\((docs/[^)]+)\)", README) == [
        f"docs/{picture.name}" for picture in PICTURES
    ]
    for picture in PICTURES:
        assert (ROOT / "docs" / picture.name).read_bytes().startswith(b"\x89PNG")


def test_it_is_read_in_one_sitting() -> None:
    assert len(README.splitlines()) < 160


def test_the_example_imports_what_there_is() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    imports = [node for node in ast.parse(example).body if isinstance(node, ast.ImportFrom)]
    assert len(imports) > 2
    for node in imports:
        module = importlib.import_module(str(node.module))
        assert all(hasattr(module, alias.name) for alias in node.names), node.module


def test_only_the_text_between_the_marks_changes() -> None:
    assert with_results(f"a\n{START}old\n{END}\nb", "new") == f"a\n{START}new\n{END}\nb"
    with pytest.raises(UserError, match="should hold the lines"):
        with_results(f"{END} {START}", "new")


def test_contributing_names_the_commands_of_ci() -> None:
    targets = re.findall(r"^make (\w+)$", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)
    assert targets == ["check", "test"]
    contributing = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert all(f"make {target} " in contributing for target in targets)
