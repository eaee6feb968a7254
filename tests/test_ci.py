"""What runs on GitHub's machines: the commands of .ci/run, and a summary of a pull request."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT
from tests.test_end_to_end import commit, copy_of_the_working_tree, run

WORKFLOW = ROOT / ".github" / "workflows" / "ci.yml"


@pytest.fixture
def workflow() -> dict[Any, Any]:
    read: dict[Any, Any] = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))
    return read


@pytest.fixture
def steps(workflow: dict[Any, Any]) -> list[dict[str, Any]]:
    (job,) = workflow["jobs"].values()
    found: list[dict[str, Any]] = job["steps"]
    return found


def test_its_commands_are_those_of_the_ci(steps: list[dict[str, Any]]) -> None:
    unconditional = [step["run"] for step in steps if "run" in step and "if" not in step]
    text = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert unconditional == re.findall(r"^(?:make .*|\.ci/\w+)", text, re.MULTILINE)


def test_no_test_is_skipped_there_for_want_of_a_browser(tmp_path: Path) -> None:
    """Where it cannot be installed, nothing else is tried, and that is a failure."""
    (tmp_path / ".ci").mkdir()
    (tmp_path / "bin").mkdir()
    for name in ("run", "browser"):
        shutil.copy(ROOT / ".ci" / name, tmp_path / ".ci" / name)
    for name in ("apt-get", "make"):
        command = tmp_path / "bin" / name
        command.write_text(f"#!/bin/sh\necho {name} was called\nexit 1\n")
        command.chmod(0o755)
    for name in ("dirname", "grep"):
        (tmp_path / "bin" / name).symlink_to(shutil.which(name) or "")
    ran = subprocess.run(
        ["/bin/sh", tmp_path / ".ci" / "run"],
        env={"PATH": str(tmp_path / "bin"), "MNISTPIPE_MIRROR": "/nowhere"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode != 0
    assert ran.stdout == "apt-get was called\n"
    assert ran.stderr == (
        "ERROR: without Chromium, Node and axe-core report.html cannot be tested.\n"
    )


def test_it_may_do_little_and_not_for_long(workflow: dict[Any, Any]) -> None:
    (job,) = workflow["jobs"].values()
    assert workflow["permissions"] == {"contents": "read"}
    assert workflow["concurrency"]["cancel-in-progress"] is True
    assert job["timeout-minutes"] <= 60
    assert set(workflow[True]) == {"push", "pull_request"}  # YAML 1.1 takes `on` for true


def test_its_actions_are_githubs_own_by_their_major_versions(steps: list[dict[str, Any]]) -> None:
    actions = [step["uses"] for step in steps if "uses" in step]
    assert len(actions) == 3
    assert all(re.fullmatch(r"actions/[a-z-]+@v\d+", action) for action in actions)


def test_packages_are_kept_by_what_names_them(steps: list[dict[str, Any]]) -> None:
    (given,) = (step["with"] for step in steps if "setup-python" in step.get("uses", ""))
    assert given["cache"] == "pip"
    assert given["cache-dependency-path"].split() == ["constraints.txt", "pyproject.toml"]
    assert "://" not in WORKFLOW.read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_summary_tells_what_has_changed(tmp_path: Path) -> None:
    """In a clone without any cache, as for a fork's pull request."""
    folder = copy_of_the_working_tree(tmp_path)
    accuracy = folder / "metrics/accuracy/train-net.json"
    accuracy.parent.mkdir(exist_ok=True)
    accuracy.write_text('{"test": 0.75}\n', encoding="utf-8")
    commit(folder, "before")

    accuracy.write_text('{"test": 0.5}\n', encoding="utf-8")
    predictions = folder / "plots/predictions/train-net.csv"
    lines = predictions.read_text(encoding="utf-8").splitlines()
    actual = lines[1].split(",")[0]
    lines[1] = f"{actual},{(int(actual) + 1) % 10}"
    predictions.write_text("\n".join(lines) + "\n", encoding="utf-8")
    lock = folder / "dvc.lock"
    before, figure, after = lock.read_text(encoding="utf-8").partition("plots/robustness.png")
    after = re.sub(r"md5: \w{8}", "md5: 01234567", after, count=1)
    lock.write_text(before + figure + after, encoding="utf-8")
    shutil.copy(folder / "docs/page-map.png", folder / "docs/page-results.png")
    commit(folder, "change")

    printed = run(folder, ".ci/summary", "HEAD~1")
    row = r"\| metrics/accuracy/train-net.json *\| test *\| 0.75 *\| 0.5 *\| -0.25 *\|"
    assert re.search(row, printed)
    assert re.search(
        r"^\| train-net \| 1, 1 \| [\d.]+% \| [\d.]+% \| [01] \| [01] \| 1 \| not tested \|",
        printed,
        re.MULTILINE,
    )
    assert re.findall(r"^- (.*)$", printed, re.MULTILINE) == [
        "docs/page-results.png",
        "plots/predictions/train-net.csv",
        "plots/robustness.png",
    ]
    assert "train-net" in (folder / "dvc_plots/index.html").read_text(encoding="utf-8")
