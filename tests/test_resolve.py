import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from mnistpipe.files.errors import UserError
from tools import resolve
from tools.resolve import merge_stages


def test_a_stage_is_taken_from_the_side_that_changed_it() -> None:
    base = {"same": 1, "ours": 1, "theirs": 1, "both": 1, "gone": 1, "gone here": 1}
    ours = {"same": 1, "ours": 2, "theirs": 1, "both": 2, "gone": 1, "new": 2}
    theirs = {"same": 1, "ours": 1, "theirs": 3, "both": 3, "gone here": 1, "new there": 3}
    merged = {"same": 1, "ours": 2, "theirs": 3, "both": 2, "new": 2, "new there": 3}
    assert merge_stages(base, ours, theirs) == merged
    assert merge_stages({}, {}, theirs) == theirs


def git(*words: str, status: int = 0) -> str:
    identity = ("-c", "user.name=test", "-c", "user.email=test@example.org")
    done = subprocess.run(
        ["git", *identity, *words],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stderr
    return done.stdout


def commit(files: dict[str, str]) -> None:
    for name, text in files.items():
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(text, encoding="utf-8")
    git("add", "--all")
    git("commit", "--message", "change")


def lock(**digests: int) -> str:
    stages = {stage: {"cmd": "x", "outs": [digest]} for stage, digest in digests.items()}
    return yaml.safe_dump({"schema": "2.0", "stages": stages})


@pytest.fixture
def dvc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, list[str]]]:
    """Two branches in conflict, and what is asked of DVC, which brings REPORT.md back."""
    monkeypatch.chdir(tmp_path)
    asked: list[tuple[int, list[str]]] = []

    def reproduce(jobs: int, stages: list[str]) -> int:
        asked.append((jobs, stages))
        Path("REPORT.md").write_text("made anew\n", encoding="utf-8")
        return len(asked) - 1  # well at first

    monkeypatch.setattr(resolve, "reproduce", reproduce)
    monkeypatch.setattr(sys, "argv", ["resolve", "--jobs", "2"])
    git("init", "--initial-branch=main")
    for folder in ("code", "metrics", "plots"):
        commit({f"{folder}/train.txt": "x"})
    commit({"dvc.lock": lock(a=1, b=1, report=1), "REPORT.md": "1\n", "params.yaml": "1\n"})
    git("checkout", "-b", "other")
    commit({"dvc.lock": lock(a=1, b=2, report=2), "REPORT.md": "2\n"})
    git("checkout", "main")
    commit({"dvc.lock": lock(a=3, b=1, report=3), "REPORT.md": "3\n"})
    return asked


def test_what_the_pipeline_writes_is_left_to_it(dvc: list[tuple[int, list[str]]]) -> None:
    git("merge", "other", status=1)
    with pytest.raises(SystemExit, match=r"^0$"):
        resolve.main()
    assert dvc == [(2, [])]
    stages = yaml.safe_load(Path("dvc.lock").read_text(encoding="utf-8"))["stages"]
    assert {name: entry["outs"] for name, entry in stages.items()} == {
        "a": [3],
        "b": [2],
        "report": [3],
    }
    assert git("ls-files", "--unmerged") == git("diff", "--name-only") == ""
    git("commit", "--no-edit")
    assert git("show", "HEAD:REPORT.md") == "made anew\n"
    with pytest.raises(UserError, match="git knows of no conflict"):
        resolve.main()


@pytest.mark.faults
def test_a_lock_that_was_committed_with_a_conflict_in_it_changes_nothing(
    dvc: list[tuple[int, list[str]]],
) -> None:
    commit({"dvc.lock": "<<<<<<< ours\n" + lock(a=3)})
    git("merge", "other", status=1)
    with pytest.raises(SystemExit, match=r"^0$"):
        resolve.main()
    assert len(dvc) == 1
    stages = yaml.safe_load(Path("dvc.lock").read_text(encoding="utf-8"))["stages"]
    outs = {name: entry["outs"] for name, entry in stages.items()}
    assert outs == {"a": [1], "b": [2], "report": [2]}


@pytest.mark.faults
def test_where_dvc_fails_git_keeps_the_conflict(dvc: list[tuple[int, list[str]]]) -> None:
    dvc.append((0, []))
    git("cherry-pick", "other", status=1)
    with pytest.raises(SystemExit, match=r"^1$"):
        resolve.main()
    assert set(git("diff", "--name-only", "--diff-filter=U").split()) == {"dvc.lock", "REPORT.md"}


@pytest.mark.faults
@pytest.mark.usefixtures("dvc")
def test_what_a_person_wrote_is_left_to_a_person() -> None:
    commit({"params.yaml": "3\n"})
    git("checkout", "other")
    commit({"params.yaml": "2\n"})
    git("rebase", "main", status=1)  # stops first at what the pipeline wrote
    with pytest.raises(SystemExit, match=r"^0$"):
        resolve.main()
    git("-c", "core.editor=true", "rebase", "--continue", status=1)
    before = Path("params.yaml").read_text(encoding="utf-8")
    with pytest.raises(UserError, match=r"params\.yaml: a person wrote both sides; edit"):
        resolve.main()
    assert Path("params.yaml").read_text(encoding="utf-8") == before
