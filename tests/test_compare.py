import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from mnistpipe.cli import main
from mnistpipe.compare import compare_revisions
from mnistpipe.files.errors import UserError


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True)  # noqa: S607


def write_predictions(folder: Path, name: str, rows: Sequence[tuple[object, object]]) -> None:
    path = folder / "plots" / "predictions" / f"{name}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ["actual,predicted", *(f"{actual},{predicted}" for actual, predicted in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Net gets 2 of 10 images right in the first commit, and 9 in the second."""
    monkeypatch.chdir(tmp_path)
    git(tmp_path, "init", "--initial-branch=main")
    git(tmp_path, "config", "user.name", "test")
    git(tmp_path, "config", "user.email", "test@example.org")
    for message, n_right in (("before", 2), ("after", 9)):
        rows = [(i, i if i < n_right else 0) for i in range(1, 10)] + [(0, 0 if n_right > 2 else 1)]
        write_predictions(tmp_path, "train-net", rows)
        git(tmp_path, "add", "--all")
        git(tmp_path, "commit", "--message", message)
        git(tmp_path, "tag", message)
    return tmp_path


def row_of(table: str, run: str) -> list[str]:
    (line,) = [line for line in table.splitlines() if line.startswith(f"| {run} ")]
    return [cell.strip() for cell in line.strip("|").split("|")][1:]


def test_it_runs_in_any_folder_of_the_study_and_in_a_worktree(
    repo: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repo / "dvc.yaml").touch()
    (repo / "plots" / "deeper").mkdir()
    monkeypatch.chdir(repo / "plots" / "deeper")
    assert row_of(compare_revisions("before", "after"), "train-net")[1:3] == ["10.00%", "90.00%"]
    assert row_of(compare_revisions("before", None), "train-net")[1:3] == ["10.00%", "90.00%"]
    worktree = tmp_path_factory.mktemp("worktree")
    git(repo, "worktree", "add", str(worktree), "before")
    (worktree / "dvc.yaml").touch()
    monkeypatch.chdir(worktree / "plots")
    assert row_of(compare_revisions("after", None), "train-net")[1:3] == ["90.00%", "10.00%"]


@pytest.mark.faults
def test_a_checkout_of_another_user_is_refused_with_what_to_do(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")  # git's own tests use it
    monkeypatch.setenv("HOME", str(repo))  # without exceptions of mine
    with pytest.raises(UserError, match=r"(?s)dubious ownership.*git config --global .*safe\.dir"):
        compare_revisions("before", None)


def test_a_table_that_is_no_text_is_named(repo: Path) -> None:
    (repo / "plots/predictions/train-net.csv").write_bytes(b"actual,predicted\n\xff,1\n")
    with pytest.raises(UserError, match=r"train-net\.csv is not UTF-8 text; name another revision"):
        compare_revisions("before", None)


def test_classes_have_any_names(repo: Path) -> None:
    names = ['"a, ""b"""', "Größe", "NA", "お"]
    for message, n_right in (("first", 1), ("second", 4)):
        predicted = [name if i < n_right else names[0] for i, name in enumerate(names)]
        write_predictions(repo, "train-net", list(zip(names, predicted, strict=True)))
        git(repo, "commit", "--all", "--message", message)
    row = row_of(compare_revisions("HEAD~1", "HEAD"), "train-net")
    assert row[1:5] == ["25.00%", "100.00%", "3", "0"]
    assert row_of(compare_revisions("HEAD~1", None), "train-net") == row


@pytest.mark.usefixtures("repo")
def test_two_revisions_are_compared_image_by_image() -> None:
    assert row_of(compare_revisions("before", "after"), "train-net") == [
        "1, 1",
        "10.00%",
        "90.00%",
        "8",
        "0",
        "0.0078",
        "not tested",
        "better",
    ]
    assert row_of(compare_revisions("after", "before"), "train-net")[-1] == "worse"
    assert row_of(compare_revisions("after", "HEAD"), "train-net")[3:] == [
        "0",
        "0",
        "1",
        "not tested",
        "within noise",
    ]


def test_all_seeds_of_both_sides_are_compared(repo: Path) -> None:
    """One network of nine right before; two of ten and nine right, and their committee, after."""
    path = repo / "plots" / "predictions" / "train-net.csv"
    rows = [f"{i},{i},{i or 9},{i}" for i in range(10)]
    order = [*range(1, 10), 0]  # of the images in the table before
    path.write_text("\n".join(["actual,predicted,seed-2,committee", *(rows[i] for i in order)]))
    row = row_of(compare_revisions("after", None), "train-net")
    assert row[:5] == ["1, 2", "90.00%", "95.00%", "1", "0.5"]
    assert row[5] == "1"  # gains of 1 and a loss of 1/2 by coins: at least 1/2 always
    assert float(row[6]) == pytest.approx(2 / 3, abs=0.1)  # t = 1 / sqrt(3), one degree of freedom
    assert row[7] == "within noise"
    back = row_of(compare_revisions("before", None), "train-net")
    assert (back[0], back[-1]) == ("1, 2", "within noise")  # two seeds tell little of a third


def test_the_working_tree_is_the_default(repo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_predictions(repo, "train-net", [(i % 10, i % 10) for i in range(1, 11)])
    write_predictions(repo, "partial-data@half", [(0, 0)])  # new: there is nothing to compare
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["mnistpipe", "compare", "HEAD"])
        main()
    printed = capsys.readouterr().out
    assert row_of(printed, "train-net")[1:5] == ["90.00%", "100.00%", "1", "0"]
    assert "half" not in printed
    assert "exact permutation test" in printed


def test_what_cannot_be_compared_is_one_sentence(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match="git ls-tree: Not a valid object name nowhere"):
        compare_revisions("nowhere", None)
    write_predictions(repo, "train-net", [(1, 1)])
    (repo / "metrics").mkdir()
    (repo / "metrics" / "summary.json").write_text('{"data": {"dataset": "Fashion-MNIST"}}')
    expected = "tested on different images, 10 of an unnamed data set and 1 of Fashion-MNIST; their"
    with pytest.raises(UserError, match=expected):
        compare_revisions("before", None)
    write_predictions(repo, "train-net", [])
    with pytest.raises(UserError, match=r"train-net.csv has no predictions; name another"):
        compare_revisions("before", None)
    (repo / "plots/predictions/train-net.csv").unlink()
    with pytest.raises(UserError, match="the working tree has no files in plots/predictions"):
        compare_revisions("before", None)
    monkeypatch.setattr("sys.argv", ["mnistpipe", "compare", "before"])
    with pytest.raises(SystemExit, match="ERROR: the working tree has no files"):
        main()
    write_predictions(repo, "train-convnet", [(1, 1)])
    with pytest.raises(UserError, match="no run in common"):
        compare_revisions("before", None)


def test_outside_of_a_repository_git_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(UserError, match="not a git repository"):
        compare_revisions("HEAD", None)
