import argparse
from pathlib import Path

import pytest

from mnistpipe.data.datasets import RAW
from mnistpipe.files.artifacts import write_json
from mnistpipe.study import load_params
from mnistpipe.training.plan import BEST_STAGE
from tests.conftest import PARAMS_FILE, ROOT
from tests.forks import end, start
from tools import repro


@pytest.mark.parametrize("jobs", ["0", "-1", "two", "1.5"])
def test_jobs_are_counted_from_one(jobs: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=f"from 1, not '{jobs}'"):
        repro.at_least_one(jobs)


def test_the_command_says_what_is_wrong_with_it() -> None:
    for words, reason in (
        (("--jobs", "0"), "should be a whole number from 1, not '0'"),
        (("--jobs", "2", "train-net"), "--jobs is for the whole study"),
    ):
        ended = end(start(ROOT, "tools", "repro", *words))
        assert ended.status == 2
        assert ended.stderr.startswith("usage: python -m tools repro ")
        assert reason in ended.stderr


def test_the_longest_stage_is_started_first() -> None:
    params = load_params(PARAMS_FILE)
    costs = {stage: repro._rough_cost(params, stage) for stage in params.train_stages}
    assert max(costs, key=lambda stage: costs[stage]) == BEST_STAGE
    assert costs["partial-data@half"] == 2 * costs["partial-data@quarter"]
    assert costs["partial-data@half"] == costs["partial-data-steps@quarter"]  # as many updates


def test_a_fallback_is_seen_by_what_the_raw_folder_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert not repro._holds_a_fallback()
    for name, fallback in (("mnist", False), ("digits", True)):
        write_json(RAW / "source.json", {"dataset": name})
        assert repro._holds_a_fallback() == fallback
    (RAW / "source.json").write_text("{")
    assert repro._holds_a_fallback()  # damaged: asking again mends it


def test_mnist_is_asked_for_again_by_the_code_of_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    commands: list[list[str]] = []

    def note(words: list[str]) -> int:
        commands.append(words)
        return 0

    monkeypatch.setattr(repro, "_dvc", note)
    params = load_params(PARAMS_FILE)
    ask_again = ["repro", "--force", "--single-item", "fetch-data"]
    for name, expected in (("mnist", []), ("digits", [["repro", "code"], ask_again])):
        write_json(RAW / "source.json", {"dataset": name})
        commands.clear()
        assert repro._reproduce(params, 1, ["train-net"], []) == 0
        assert commands == [*expected, ["repro", "train-net"]]
