"""docs/extending.md, followed to the letter in a clone, on the fallback's small data."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mnistpipe.training.plan import BEST_STAGE
from tests.conftest import ROOT
from tests.test_end_to_end import (
    bring_compiled,
    change_params,
    copy_of_the_working_tree,
    edit,
    read,
    run,
    stages_run,
)

INTRODUCTION, *CHAPTERS = re.split(
    r"^## (.+)\n", (ROOT / "docs" / "extending.md").read_text("utf-8"), flags=re.MULTILINE
)
CHAPTER = dict(zip(CHAPTERS[::2], CHAPTERS[1::2], strict=True))


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    folder = copy_of_the_working_tree(tmp_path / "clone")
    bring_compiled(folder)
    best = {"epochs": 2, "min_steps": 0}
    change_params(
        folder,
        {"data.dataset": "digits"} | {f"{BEST_STAGE}.{key}": value for key, value in best.items()},
    )
    return folder


def steps(text: str) -> Iterator[tuple[str, str, str]]:
    """Of each block the kind, the file that was named last before it, and the content."""
    for block in re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        kind, content = block.groups()
        named = re.findall(r"`([\w./-]+\.(?:md|py|yaml))`", text[: block.start()])
        yield kind, named[-1] if kind else "", content


def follow(folder: Path, text: str) -> str:
    """Do what the blocks say; what the commands among them print."""
    printed = ""
    for kind, file, content in steps(text):
        if not kind:
            for command in content.splitlines():
                # `mnistpipe` itself is installed from here, not from the clone.
                words = re.sub("^mnistpipe ", "python -m mnistpipe.cli ", command)
                printed += run(folder, "sh", "-c", words)
        elif kind == "diff":
            old, new = (
                "".join(f"{line[1:]}\n" for line in content.splitlines() if line[:1] != other)
                for other in "+-"
            )
            edit(folder, file, old, new)
        else:  # a new file, or a new end
            with (folder / file).open("a", encoding="utf-8") as opened:
                opened.write(content)
    return printed


@pytest.mark.parametrize("chapter", CHAPTER)
def test_what_the_page_edits_stands_in_the_files(chapter: str) -> None:
    """Without running anything, so that an edit which parts the two is seen at once."""
    for kind, file, content in steps(CHAPTER[chapter]):
        if kind == "diff":
            old = "".join(f"{line[1:]}\n" for line in content.splitlines() if line[:1] != "+")
            assert (ROOT / file).read_text(encoding="utf-8").count(old) == 1, (file, old)


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_the_page_is_right(clone: Path) -> None:
    """From its beginning to its end; its last command tests what both chapters have edited."""
    follow(clone, INTRODUCTION)
    printed = follow(clone, CHAPTER["A new network"])
    assert stages_run(printed) == ["code", "fetch-data", "prepare-split", "own@wide"]
    assert "own@wide.pt takes images" in printed
    metrics = read(clone / "metrics/own@wide.json")
    assert metrics["network"] == "wide"
    assert metrics["test"]["accuracy"] > 0.5
    assert "own@wide" in run(clone, sys.executable, "-m", "tools", "plan")

    printed = follow(clone, CHAPTER["A new stage"])
    assert stages_run(printed) == ["code", BEST_STAGE, "top-k"]
    accuracy = read(clone / "metrics/top-k.json")["accuracy"]
    assert f"{accuracy:.5f}"[:5] in printed  # by `dvc metrics show`
    table = (clone / "plots/top-k.csv").read_text().splitlines()
    assert table[0] == "guesses,accuracy"
    first, *_, last = (float(row.split(",")[1]) for row in table[1:])
    trained = read(clone / f"metrics/{BEST_STAGE}.json")["test"]["accuracy"]
    assert first == pytest.approx(trained)  # one guess is what a network is scored by
    assert first < last == pytest.approx(accuracy)
    run(clone, "ruff", "format", "--check", ".")
    run(clone, "ruff", "check", ".")

    edit(clone, "params.yaml", "  guesses: 3 ", "  guesses: 1 ")
    refused = run(clone, sys.executable, "-m", "tools", "repro", status=1)
    assert "ERROR: params.yaml: top-k.guesses should be" in refused
    assert not stages_run(refused)


def test_nothing_but_what_has_to_do_with_it_is_edited() -> None:
    page = INTRODUCTION + "".join(CHAPTER.values())
    edited = {file for _, file, _ in steps(page) if file}
    assert edited == {
        "docs/architecture.md",
        "dvc.yaml",
        "mnistpipe/networks/models.py",
        "mnistpipe/training/recipe.py",
        "params.yaml",
        "stages/top_k.py",
    }
