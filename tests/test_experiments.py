from typing import Any

import pytest

from mnistpipe.files.errors import UserError
from tools.experiments import show


def experiment(
    name: str | None, rev: str, lr: float, validation: float | None, state: str | None = None
) -> dict[str, Any]:
    """As DVC's API has it: a column for each parameter and file."""
    return {
        "Experiment": name,
        "rev": rev,
        "Created": rev,
        "State": state,
        "metrics/accuracy/train-convnet.json:validation": 0.97,
        "metrics/accuracy/train-net.json:validation": validation,
        "metrics/accuracy/train-net.json:test": validation,
        "train-net.lr": lr,
        "train-net.epochs": 20,
        "train-net.seeds": [1],
        "models/train-net.safetensors": rev,
        "mnistpipe": rev,
    }


def test_what_differs_is_shown_in_a_terminal() -> None:
    rows = [
        experiment(None, "workspace", 0.001, 0.98),
        experiment(None, "main", 0.001, 0.98),
        experiment("liked-lees", "06aa3f0", 0.004, 0.9925, "Success"),
        experiment("ionic-muss", "dd3a0f4", 0.002, None, "Queued"),
    ]
    assert show(rows, 120).splitlines() == [
        "                    train-net train-net.lr",
        "workspace              98.00%        0.001",
        "main                   98.00%        0.001",
        "liked-lees  Success    99.25%        0.004",
        "ionic-muss   Queued         -        0.002",
    ]
    narrow = show(rows, 40).splitlines()
    assert max(map(len, narrow)) <= 40
    assert sum("liked-lees" in line for line in narrow) == 2  # in blocks


def test_without_experiments_the_sentence_says_how_to_run_one() -> None:
    rows = [experiment(None, rev, 0.001, 0.98) for rev in ("workspace", "main")]
    with pytest.raises(UserError, match=r"run one: dvc exp run -S train-net\.lr"):
        show(rows, 120)
