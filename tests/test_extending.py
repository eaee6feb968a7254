"""docs/extending.md, followed to the letter in a clone, on the fallback's small data."""

import re
import sys
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

pytestmark = [pytest.mark.long, pytest.mark.timeout(1200)]

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


def follow(folder: Path, text: str) -> str:
    """Do what the blocks say, each of the file that was named last; what the commands print."""
    printed = ""
    for block in re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        kind, content = block.groups()
        named = re.findall(r"`([\w./-]+\.(?:md|py|yaml))`", text[: block.start()])
        if not kind:
            for command in content.splitlines():
                printed += run(folder, "sh", "-c", command)
        elif kind == "diff":
            old, new = (
                "".join(f"{line[1:]}\n" for line in content.splitlines() if line[:1] != other)
                for other in "+-"
            )
            edit(folder, named[-1], old, new)
        else:  # a new file, or a new end
            with (folder / named[-1]).open("a", encoding="utf-8") as file:
                file.write(content)
    return printed


def test_a_stage_is_a_script_an_entry_and_a_section(clone: Path) -> None:
    printed = follow(clone, INTRODUCTION + CHAPTER["A new stage"])
    needed = ["code", "fetch-data", "prepare-split", BEST_STAGE, "calibration"]
    assert stages_run(printed) == needed
    gap = read(clone / "metrics/calibration.json")["gap"]
    assert 0 < gap < 1
    assert f"{gap:.5f}"[:6] in printed  # by `dvc metrics show`
    table = (clone / "plots/calibration.csv").read_text().splitlines()
    assert table[0] == "confidence,accuracy"
    assert 3 < len(table) <= 16
    changed = [line[3:] for line in run(clone, "git", "status", "--porcelain").splitlines()]
    assert {"dvc.yaml", "params.yaml", "stages/calibration.py"} <= {*changed}
    assert not [file for file in changed if file.startswith(("mnistpipe", "recipes", "tests"))]
    run(clone, "ruff", "format", "--check", ".")
    run(clone, "ruff", "check", ".")
    run(clone, sys.executable, "-m", "tools", "plan")
    edit(clone, "params.yaml", "  bins: 15 ", "  bins: 1 ")
    refused = run(clone, sys.executable, "-m", "tools", "repro", status=1)
    assert "ERROR: params.yaml: calibration.bins should be" in refused
    assert not stages_run(refused)
