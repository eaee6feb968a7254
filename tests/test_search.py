from dataclasses import replace
from pathlib import Path

import numpy as np
import optuna
import pytest

from mnistpipe.data.split import Labelled, Split
from mnistpipe.data.split_file import SPLIT_FILE, write_split
from mnistpipe.files.errors import UserError
from tests.conftest import PARAMS_FILE, ROOT
from tools import search
from tools.selection import FOLDER

TUNED = ROOT / "recipes" / "tuned" / "params.yaml"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, split: Split) -> Path:
    """Where a search runs: a small split, the tuned study's parameters."""
    monkeypatch.chdir(tmp_path)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    write_split(SPLIT_FILE, split)
    Path("params.yaml").write_text(TUNED.read_text(encoding="utf-8"), encoding="utf-8")
    return tmp_path


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another one would spend seconds on imports."""
    monkeypatch.setattr(search, "choose", lambda function, *words: function(*words))


def look(monkeypatch: pytest.MonkeyPatch, stage: str, trials: int) -> list[str]:
    """Search with two epochs a trial; the table's lines."""
    words = ["search", stage, "--trials", str(trials), "--epochs", "2", "--fraction", "0.5"]
    monkeypatch.setattr("sys.argv", [*words, "--table", "trials.csv"])
    search.main()
    return Path("trials.csv").read_text(encoding="utf-8").splitlines()


@pytest.mark.usefixtures("folder", "in_this_process")
def test_the_first_trial_is_the_recipe_and_a_stopped_search_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    header, first = look(monkeypatch, "train-augmented", 1)
    values = dict(zip(header.split(","), first.split(","), strict=True))
    assert values["lr"] == "0.006"
    assert values["batch_size"] == "128"
    assert values["translation"] == "0.07"
    lines = look(monkeypatch, "train-augmented", 2)
    assert len(lines) == 1 + 3
    assert lines[1] == first
    assert "best of 3" in capsys.readouterr().out


@pytest.mark.slow
def test_scrambled_test_images_and_labels_change_no_trial(
    folder: Path, monkeypatch: pytest.MonkeyPatch, split: Split
) -> None:
    before = look(monkeypatch, "train-convnet", 3)
    (folder / FOLDER / search.STORAGE / "train-convnet.db").unlink()
    noise = np.random.default_rng(1).integers(0, 256, split.test.images.shape, dtype=np.uint8)
    scrambled = Labelled(noise, split.test.labels[::-1].copy())
    write_split(SPLIT_FILE, replace(split, test=scrambled))
    assert look(monkeypatch, "train-convnet", 3) == before


@pytest.mark.usefixtures("folder")
def test_the_write_ups_recipe_is_not_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("params.yaml").write_text(PARAMS_FILE.read_text(encoding="utf-8"), encoding="utf-8")
    with pytest.raises(UserError, match="one-cycle"):
        look(monkeypatch, "train-net", 1)


@pytest.mark.parametrize("words", [[], ["train-nte"]])
def test_a_stage_has_to_be_named(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["search", *words, "--trials", "1"])
    with pytest.raises(UserError, match=r"^Name one .*\(train-convnet, .*\): make search STAGE="):
        search.main()
