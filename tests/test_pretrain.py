from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from mnistpipe.classifier import load
from mnistpipe.data.split import Split
from mnistpipe.data.split_file import SPLIT_FILE, write_split
from mnistpipe.files.artifacts import read_json
from mnistpipe.files.errors import UserError
from mnistpipe.networks.models import Net
from mnistpipe.training.plan import BEST_STAGE, read_training_run
from tests.conftest import ROOT
from tools import pretrain


def test_calibration_finds_the_temperature_that_was_lost() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(20_000, 10, generator=generator) * 3
    labels = torch.multinomial(torch.softmax(logits, dim=1), 1, generator=generator)[:, 0]
    assert pretrain.calibrate(logits * 0.5, labels) == pytest.approx(0.5, abs=0.02)


def test_network_and_card_are_made_by_one_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, split: Split
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pretrain, "sure_from", lambda *_: 0.5)  # of random images nothing can be
    monkeypatch.setattr(pretrain, "_commit", lambda: "abc")
    write_split(SPLIT_FILE, split)
    recipe = str(ROOT / pretrain.RECIPE)
    words = ["--epochs", "1", "--seeds", "2", "--recipe", recipe, "--to", "net.safetensors"]
    monkeypatch.setattr("sys.argv", ["pretrain", *words])
    pretrain.main()
    card = read_json(Path("net.json"))
    assert (card["dataset"], card["commit"], card["examples"]) == ("random", "abc", 170)
    assert card["recipe"]["epochs"] == 1
    assert card["seed"] in (1, 2)
    classifier = load("net.safetensors")
    assert classifier.card.classes == split.classes
    assert classifier.settings.sure_from == card["sure_from"]


def test_a_network_that_is_never_sure_is_no_network_to_come_with_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, split: Split
) -> None:
    monkeypatch.setattr(pretrain, "sure_from", lambda *_: 1.0)
    result = SimpleNamespace(network=Net())
    wanted = read_training_run(BEST_STAGE, ROOT / pretrain.RECIPE)
    with pytest.raises(UserError, match="train for more epochs"):
        pretrain.write_pretrained(tmp_path / "net.safetensors", wanted, 1, result, split)  # type: ignore[arg-type]
