"""The stages as they are run: processes in a folder of their own, on two hundred small images."""

import csv
import importlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from mnistpipe.data.datasets import load_digits
from mnistpipe.data.split import Labelled, Split, nested_subset, split_dataset
from mnistpipe.data.split_file import SPLIT_FILE, write_split
from mnistpipe.files.artifacts import write_json
from mnistpipe.files.slots import N_SLOTS, Turn, count_notes
from mnistpipe.learning_curve.points import series_name
from mnistpipe.networks.model_files import ModelCard, read_model, write_model
from mnistpipe.networks.models import NETWORKS, ConvNet, Net
from mnistpipe.robustness.params import Perturbation
from mnistpipe.robustness.perturb import perturb
from mnistpipe.scoring.probabilities import NEVER
from mnistpipe.scoring.scores import PIXEL_MEAN, PIXEL_STD, predict, to_pixels
from mnistpipe.study import load_params
from mnistpipe.training.checkpoints import CHECKPOINTS
from mnistpipe.training.plan import BEST_STAGE, PAIRS, TRAIN_STAGES
from stages.analyze import fix_threshold
from tests.conftest import PARAMS_FILE, TEN
from tests.forks import ENVIRONMENT, Ended, Forks, end, start, wait_until

pytestmark = pytest.mark.slow

SCORED = ("train", "train_split", "validation", "test")


def write_params(folder: Path, **recipe: object) -> dict[str, Any]:
    """The study's own, with short recipes."""
    params: dict[str, Any] = yaml.safe_load(PARAMS_FILE.read_text(encoding="utf-8"))
    recipe = {"epochs": 2, "batch_size": 8, "min_steps": 0} | recipe
    for name in TRAIN_STAGES:
        params[name] |= recipe
    recipe.pop("seeds", None)  # which stand beside the sweep's recipe
    params["partial-data"]["recipe"] |= recipe
    rewrite(folder, params)
    return params


def rewrite(folder: Path, params: Mapping[str, Any]) -> None:
    (folder / "params.yaml").write_text(yaml.safe_dump(dict(params)), encoding="utf-8")


def contents(folder: Path) -> dict[str, bytes]:
    """Of every file, by its path in the folder, but for locks and checkpoints."""
    files = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    return {
        path.as_posix(): (folder / path).read_bytes()
        for path in files
        if path.parts[0] != ".mnistpipe"
    }


def assert_one_sentence(ended: Ended, *parts: str) -> None:
    assert ended.status == 1
    (line,) = ended.stderr.splitlines()
    assert line.startswith("ERROR: ")
    for part in parts:
        assert part in line


@pytest.fixture(scope="module")
def small() -> Split:
    """Real digits: 170 to train on, 30 to validate, 50 to test."""
    raw = load_digits()
    return split_dataset(
        raw.title,
        raw.classes,
        Labelled(raw.train.images[:200], raw.train.labels[:200]),
        Labelled(raw.test.images[:50], raw.test.labels[:50]),
        validation_fraction=0.15,
        seed=0,
    )


@pytest.fixture
def folder(tmp_path: Path, small: Split) -> Path:
    """A place to work in, with what an earlier run left."""
    write_params(tmp_path)
    write_split(tmp_path / SPLIT_FILE, small)
    for name in ("models/train-net.safetensors", "metrics/train-net.json", "plots/loss/x.csv"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"from an earlier run")
    return tmp_path


@dataclass(frozen=True)
class Trained:
    """A stage that was run twice, each time in a process and a folder of its own."""

    stage: str
    ended: Ended
    files: dict[str, bytes]
    files_again: dict[str, bytes]

    def rows(self, kind: str) -> list[dict[str, str]]:
        content = self.files[f"plots/{kind}/{self.stage}.csv"].decode()
        return list(csv.DictReader(content.splitlines()))


def train_twice(stage: str, parent: Path, split: Split, forks: Forks) -> Trained:
    """In a fresh process, and in one that shares nothing with it but what it does."""
    runs = []
    for name in ("fresh", "fork"):
        folder = parent / name
        folder.mkdir()
        write_params(folder)
        write_split(folder / SPLIT_FILE, split)
        fresh = name == "fresh"
        ended = end(start(folder, "stages", stage)) if fresh else forks.run(folder, stage)
        assert ended.status == 0, ended.stderr
        runs.append((ended, contents(folder)))
    (ended, files), (_, files_again) = runs
    return Trained(stage, ended, files, files_again)


@pytest.fixture(scope="module")
def convnet(tmp_path_factory: pytest.TempPathFactory, small: Split, forks: Forks) -> Trained:
    return train_twice("train-convnet", tmp_path_factory.mktemp("convnet"), small, forks)


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory, small: Split, forks: Forks) -> Trained:
    """With all three views."""
    return train_twice(BEST_STAGE, tmp_path_factory.mktemp("net"), small, forks)


@pytest.fixture(params=["convnet", "net"])
def trained(request: pytest.FixtureRequest) -> Trained:
    result: Trained = request.getfixturevalue(request.param)
    return result


def test_a_train_stage_writes_its_four_files_and_nothing_else(trained: Trained) -> None:
    assert set(trained.files) - {"params.yaml", "data/split.npz"} == {
        f"models/{trained.stage}.safetensors",
        f"metrics/{trained.stage}.json",
        f"plots/loss/{trained.stage}.csv",
        f"plots/predictions/{trained.stage}.csv",
    }


def test_the_loss_curve_has_a_row_for_each_epoch(trained: Trained, small: Split) -> None:
    rows = trained.rows("loss")
    assert list(rows[0]) == [
        "epoch",
        "lr",
        "training_loss",
        "validation_loss",
        "validation_accuracy",
        "dataset",
    ]
    assert [row["epoch"] for row in rows] == ["1", "2"]
    first_lr = 1.0 if trained.stage == "train-convnet" else 0.001
    assert [float(row["lr"]) for row in rows] == pytest.approx([first_lr, 0.7 * first_lr])
    assert {row["dataset"] for row in rows} == {small.title}
    for row in rows:
        assert 0 < float(row["training_loss"]) < 10
        assert 0 < float(row["validation_loss"]) < 10


def test_the_predictions_are_of_the_test_images_in_their_order(
    trained: Trained, small: Split
) -> None:
    rows = trained.rows("predictions")
    assert list(rows[0]) == ["actual", "predicted"]
    assert [int(row["actual"]) for row in rows] == small.test.labels.tolist()
    assert {int(row["predicted"]) for row in rows} <= set(range(10))


def test_the_metrics_are_counts_over_whole_sets(trained: Trained, small: Split) -> None:
    metrics = json.loads(trained.files[f"metrics/{trained.stage}.json"])
    counts = (len(small.train), len(small.train), len(small.validation), len(small.test))
    for name, count in zip(SCORED, counts, strict=True):
        assert set(metrics[name]) == {"loss", "accuracy", "errors", "count", "by_seed"}
        assert metrics[name]["count"] == count
        assert metrics[name]["by_seed"] == {
            "seed-1": {key: metrics[name][key] for key in ("accuracy", "loss", "errors")}
        }
        assert metrics[name]["accuracy"] == pytest.approx(1 - metrics[name]["errors"] / count)
    wrong = [row for row in trained.rows("predictions") if row["actual"] != row["predicted"]]
    assert metrics["test"]["errors"] == len(wrong)
    assert metrics["dataset"] == small.title
    last = trained.rows("loss")[-1]
    assert metrics["validation"]["loss"] == pytest.approx(float(last["validation_loss"]))
    assert metrics["validation"]["accuracy"] == pytest.approx(float(last["validation_accuracy"]))


def test_without_a_terminal_progress_is_a_plain_line_for_each_epoch(trained: Trained) -> None:
    lines = trained.ended.stdout.splitlines()
    assert len(lines) == 2
    for number, line in enumerate(lines, start=1):
        start_of_line = f"{trained.stage}: epoch {number}/2, training loss "
        assert line.startswith(start_of_line)
        assert re.search(r", validation accuracy [\d.]+%, [\d,]+ images/s, \d+ s left$", line)
    assert lines[-1].endswith(", 0 s left")
    assert trained.ended.stderr == ""


def test_another_process_writes_the_same_bytes(trained: Trained) -> None:
    assert trained.files == trained.files_again


def test_of_several_seeds_the_first_is_kept_and_all_are_scored(
    forks: Forks, convnet: Trained, tmp_path: Path, small: Split
) -> None:
    """In two processes with a thread each, while the runs above had one for themselves."""
    write_params(tmp_path, seeds=[1, 2])
    write_split(tmp_path / SPLIT_FILE, small)
    ended = forks.run(tmp_path, convnet.stage, threads=2)
    assert (ended.status, ended.stderr) == (0, "")
    lines = sorted(line.partition(", training loss")[0] for line in ended.stdout.splitlines())
    assert lines == [f"train-convnet, seed {seed}: epoch {n}/2" for seed in (1, 2) for n in (1, 2)]
    files = contents(tmp_path)
    metrics = f"metrics/{convnet.stage}.json"
    predictions = f"plots/predictions/{convnet.stage}.csv"
    assert files.keys() == convnet.files.keys()
    for name in files.keys() - {metrics, predictions, "params.yaml"}:
        assert files[name] == convnet.files[name], name
    table, alone = (
        list(csv.reader(each[predictions].decode().splitlines())) for each in (files, convnet.files)
    )
    assert table[0] == ["actual", "predicted", "seed-2", "committee"]
    assert [row[:2] for row in table] == alone
    one, both = json.loads(convnet.files[metrics]), json.loads(files[metrics])
    committee = both.pop("committee")
    assert list(committee) == ["validation", "test"]
    assert "committee" not in one  # there is none
    for column, errors in (
        (2, both["test"]["by_seed"]["seed-2"]["errors"]),
        (3, committee["test"]["errors"]),
    ):
        assert sum(row[0] != row[column] for row in table[1:]) == errors
    assert committee["test"]["count"] == both["test"]["count"]
    assert committee["validation"]["count"] == both["validation"]["count"]
    assert {key: both[key] for key in both.keys() - {*SCORED}} == {
        key: one[key] for key in one.keys() - {*SCORED}
    }
    for name in SCORED:
        first, second = both[name]["by_seed"].values()
        assert list(both[name]["by_seed"]) == ["seed-1", "seed-2"]
        assert first == one[name]["by_seed"]["seed-1"]
        assert second["loss"] != first["loss"]
        assert both[name]["loss"] == pytest.approx((first["loss"] + second["loss"]) / 2)
        difference = abs(first["accuracy"] - second["accuracy"])
        assert both[name]["accuracy_sd"] == pytest.approx(difference / 2**0.5)


def test_the_other_sweep_takes_as_many_updates_as_the_half(forks: Forks, folder: Path) -> None:
    """To within a pass over its images in each epoch."""
    runs = {}
    for stage in ("partial-data@half", "partial-data-steps@quarter"):
        ended = forks.run(folder, stage)
        assert (ended.status, ended.stderr) == (0, "")
        runs[stage] = json.loads((folder / f"metrics/{stage}.json").read_text())
    half, quarter = runs.values()
    assert half["images_per_epoch"] == 3 * half["examples"]  # its three views, once
    passes, rest = divmod(quarter["images_per_epoch"], 3 * quarter["examples"])
    assert (passes > 1, rest) == (True, 0)
    one_pass_fewer = quarter["steps"] * (passes - 1) / passes
    assert one_pass_fewer < half["steps"] <= quarter["steps"]


def test_the_test_images_change_nothing_about_the_model(
    forks: Forks, convnet: Trained, tmp_path: Path, small: Split
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, small.test.images.shape, dtype=np.uint8)
    write_params(tmp_path)
    scrambled = replace(small, test=Labelled(noise, small.test.labels[::-1].copy()))
    write_split(tmp_path / SPLIT_FILE, scrambled)
    assert forks.run(tmp_path, convnet.stage).status == 0
    files = contents(tmp_path)
    for name in (f"models/{convnet.stage}.safetensors", f"plots/loss/{convnet.stage}.csv"):
        assert files[name] == convnet.files[name]
    predictions = f"plots/predictions/{convnet.stage}.csv"
    assert files[predictions] != convnet.files[predictions]


def test_nor_about_the_networks_of_the_other_seeds(
    forks: Forks, tmp_path: Path, small: Split
) -> None:
    """Of which the checkpoints hold the weights; their names differ with the split."""
    noise = np.random.default_rng(0).integers(0, 256, small.test.images.shape, dtype=np.uint8)
    scrambled = replace(small, test=Labelled(noise, small.test.labels[::-1].copy()))
    runs = []
    for name, split in (("as it is", small), ("scrambled", scrambled)):
        folder = tmp_path / name
        folder.mkdir()
        write_params(folder, seeds=[1, 2])
        write_split(folder / SPLIT_FILE, split)
        assert forks.run(folder, "train-convnet").status == 0
        metrics = json.loads((folder / "metrics/train-convnet.json").read_text())
        checkpoints = (folder / CHECKPOINTS / "train-convnet").glob("*.safetensors")
        runs.append((metrics, sorted(path.read_bytes() for path in checkpoints)))
    (metrics, weights), (other_metrics, other_weights) = runs
    assert len(set(weights)) == 2
    assert weights == other_weights
    for part in ("train", "validation"):
        assert metrics[part] == other_metrics[part]
    assert metrics["test"] != other_metrics["test"]


DENSE = {"sizes": [{"images": n, "seeds": 2} for n in (40, 60, 100, 170)], "fit_up_to": 100}


@pytest.fixture(scope="module")
def dense(tmp_path_factory: pytest.TempPathFactory, small: Split, forks: Forks) -> Path:
    """Where a dense curve has been trained: four sizes, two seeds each, in turns."""
    folder = tmp_path_factory.mktemp("dense")
    write_split(folder / SPLIT_FILE, small)
    write_dense(folder, DENSE)
    ended = forks.run(folder, "dense-curve", environment={N_SLOTS: "1"})
    assert (ended.status, ended.stderr) == (0, "")
    lines = {line.partition(": epoch")[0] for line in ended.stdout.splitlines()}
    assert len(ended.epochs) == 2 * 8
    assert "dense-curve 1 of 8 (170 images, seed 1)" in lines
    assert "dense-curve 8 of 8 (40 images, seed 2)" in lines
    return folder


def write_dense(folder: Path, section: Mapping[str, Any]) -> None:
    params = write_params(folder)
    params["partial-data"]["recipe"]["views"] = [{"name": "original"}]
    rewrite(folder, params | {"dense-curve": dict(section)})


def dense_rows(folder: Path) -> list[dict[str, str]]:
    text = (folder / "plots/dense-curve.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def test_a_dense_curve_is_a_row_for_each_network_a_figure_and_metrics(
    dense: Path, small: Split
) -> None:
    assert set(contents(dense)) - {"params.yaml", "data/split.npz"} == {
        "figures/dense-curve.pdf",
        "figures/dense-curve.svg",
        "metrics/dense-curve.json",
        "plots/dense-curve.csv",
        "plots/dense-curve.png",
    }
    rows = dense_rows(dense)
    expected = [(f"{n}", f"{seed}") for n in (40, 60, 100, 170) for seed in (1, 2)]
    assert [(row["images"], row["seed"]) for row in rows] == expected
    for row in rows:
        assert int(row["examples"]) == pytest.approx(int(row["images"]), abs=5)
        assert row["test_images"] == f"{len(small.test)}"
        assert row["dataset"] == small.title
        assert 0 <= float(row["test_error"]) <= 1
    points = json.loads((dense / "metrics/dense-curve.json").read_text())["points"]
    assert list(points) == ["images-40", "images-60", "images-100", "images-170"]
    assert points["images-170"]["seeds"] == 2


def test_a_network_of_the_dense_curve_is_that_of_the_sweep(
    forks: Forks, tmp_path: Path, small: Split
) -> None:
    """The same recipe, seed and number of images: the half is one of them."""
    write_split(tmp_path / SPLIT_FILE, small)
    section = {"sizes": [{"images": len(small.train) // 2, "seeds": 1}], "fit_up_to": 1}
    write_dense(tmp_path, section)
    for stage in ("dense-curve", "partial-data@half"):
        assert forks.run(tmp_path, stage).status == 0
    half = json.loads((tmp_path / "metrics/partial-data@half.json").read_text())
    (row,) = dense_rows(tmp_path)
    assert (row["examples"], row["updates"]) == (f"{half['examples']}", f"{half['steps']}")
    assert 1 - float(row["test_error"]) == pytest.approx(half["test"]["accuracy"])
    assert 1 - float(row["validation_error"]) == pytest.approx(half["validation"]["accuracy"])


def test_another_size_trains_no_other_network(dense: Path, forks: Forks, tmp_path: Path) -> None:
    folder = shutil.copytree(dense, tmp_path / "copy")
    more = {"images": 120, "seeds": 1}
    write_dense(folder, {**DENSE, "sizes": [*DENSE["sizes"], more]})  # type: ignore[misc]
    ended = forks.run(folder, "dense-curve")
    assert (ended.status, ended.stderr, ended.epochs) == (0, "", [1, 2])
    kept = [row for row in dense_rows(folder) if row["images"] != "120"]
    assert kept == dense_rows(dense)


def test_a_killed_dense_curve_keeps_each_finished_network(
    dense: Path, forks: Forks, tmp_path: Path, small: Split
) -> None:
    """Those that it trains anew, without turns, are the same."""
    write_split(tmp_path / SPLIT_FILE, small)
    write_dense(tmp_path, DENSE)
    checkpoints = tmp_path / CHECKPOINTS / "dense-curve"
    process = forks.start(tmp_path, "dense-curve")
    wait_until(lambda: len(list(checkpoints.glob("*.safetensors"))) > 2 or process.has_ended())
    os.kill(process.pid, signal.SIGKILL)
    before = len(process.end().epochs)
    assert not (tmp_path / "plots").exists()
    ended = forks.run(tmp_path, "dense-curve")
    assert (ended.status, ended.stderr) == (0, "")
    assert len(ended.epochs) <= 2 * 8 - 5  # two networks through, and one begun
    assert before >= 5
    assert dense_rows(tmp_path) == dense_rows(dense)


def test_a_dense_curve_that_takes_turns_counts_each_network(
    dense: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(dense)
    assert count_notes("dense-curve") == 8


@pytest.mark.parametrize(
    ("images", "parts"),
    [
        (171, ["dense-curve.sizes asks for 171 images", "has 170"]),
        (3, ["dense-curve.sizes with 3 images", "leaves no example of class"]),
    ],
)
def test_a_size_has_to_be_there(forks: Forks, folder: Path, images: int, parts: list[str]) -> None:
    write_dense(folder, {"sizes": [{"images": images, "seeds": 1}], "fit_up_to": 100})
    assert_one_sentence(forks.run(folder, "dense-curve"), *parts)


def test_without_sizes_the_dense_curve_is_empty(forks: Forks, folder: Path) -> None:
    ended = forks.run(folder, "dense-curve")
    assert (ended.status, ended.stdout, ended.stderr) == (0, "", "")
    assert dense_rows(folder) == []
    metrics = json.loads((folder / "metrics/dense-curve.json").read_text())
    assert (metrics["points"], metrics["fit"]) == ({}, {"verdict": "cannot be told"})


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (
            ["train-network"],
            ["'train-network' is not a train stage", "train-net-augmented, partial-data@"],
        ),
        (["train"], ["'train' is not a train stage"]),
        (
            ["partial-data@tenth"],
            ["'partial-data@tenth' is not a train stage", "train-net-augmented, partial-data@"],
        ),
        ([], ["python -m stages train-net"]),
        (["train-net", "train-convnet"], ["Name one stage"]),
    ],
    ids=["wrong stage", "script", "wrong fraction", "no stage", "two stages"],
)
def test_a_stage_has_to_be_named(
    forks: Forks, folder: Path, words: list[str], parts: list[str]
) -> None:
    before = contents(folder)
    assert_one_sentence(forks.run(folder, *words), *parts)
    assert contents(folder) == before


@pytest.mark.parametrize("words", [(), ("nonsense",), ("__main__",)])
def test_a_tool_has_to_be_named(tmp_path: Path, words: tuple[str, ...]) -> None:
    ended = end(start(tmp_path, "tools", *words))
    assert_one_sentence(ended, "Name one tool: architecture, bench, ")
    named = re.findall(r"[a-z_]+", ended.stderr.partition(": ")[2].partition(": ")[2])
    assert {"plan", "repro", "search"} <= {*named}
    for name in named:
        assert callable(importlib.import_module(f"tools.{name}").main)
    assert ended.stdout == ""


def test_importing_the_entry_points_changes_nothing_about_the_process() -> None:
    """Neither how it answers signals nor its environment: that is for when they are run."""
    code = """
import os, signal, sys
sys.argv[0] = "-m"
state = lambda: (os.environ.copy(), [signal.getsignal(each) for each in signal.valid_signals()])
before = state()
import stages.__main__, tools.__main__
assert state() == before
stages.__main__.answer_signals()
assert state() != before
"""
    subprocess.run([sys.executable, "-c", code], check=True, env=ENVIRONMENT)


def test_without_a_split_nothing_is_trained(forks: Forks, folder: Path) -> None:
    (folder / SPLIT_FILE).unlink()
    before = contents(folder)
    ended = forks.run(folder, "train-net")
    assert_one_sentence(ended, "data/split.npz is missing; run: dvc repro prepare-split")
    assert contents(folder) == before


def test_a_wrong_parameter_stops_a_stage_before_it_starts(forks: Forks, folder: Path) -> None:
    params = write_params(folder)
    params["train-net"]["batch_size"] = 1
    rewrite(folder, params)
    before = contents(folder)
    ended = forks.run(folder, "train-net")
    assert_one_sentence(ended, "train-net.batch_size should be greater than or equal to 2, not 1.")
    assert contents(folder) == before


def test_a_fraction_has_to_leave_an_example_of_each_class(forks: Forks, folder: Path) -> None:
    params = write_params(folder)
    params["partial-data"]["fractions"]["thousandth"] = 0.001
    rewrite(folder, params)
    before = contents(folder)
    ended = forks.run(folder, "partial-data@thousandth")
    assert_one_sentence(ended, "partial-data.fractions.thousandth 0.001", "no example of class 0")
    assert contents(folder) == before


def write_points(folder: Path, datasets: Mapping[str, str]) -> None:
    """Metrics of a learning curve's points, by stage."""
    for number, (stage, dataset) in enumerate(datasets.items(), start=1):
        part = {"errors": 50 - number, "count": 1000, "by_seed": {"seed-1": {"errors": number}}}
        run = {
            "dataset": dataset,
            "examples": 100 * number,
            "steps": 1000 * number,
            "train": part,
            "test": part,
        }
        write_json(folder / "metrics" / f"{stage}.json", run)


POINTS = [*(f"partial-data@{name}" for name in ("half", "quarter", "eighth", "sixteenth"))]
OTHER_POINTS = [f"partial-data-steps@{name}" for name in ("quarter", "eighth", "sixteenth")]


def test_a_missing_point_of_the_learning_curve_is_named(forks: Forks, folder: Path) -> None:
    write_points(folder, dict.fromkeys([*POINTS, *OTHER_POINTS, BEST_STAGE], "MNIST"))
    for missing in ("partial-data@eighth", "partial-data-steps@quarter"):
        path = folder / f"metrics/{missing}.json"
        content = path.read_bytes()
        path.unlink()
        before = contents(folder)
        ended = forks.run(folder, "learning-curve")
        assert_one_sentence(ended, f"metrics/{missing}.json", "run: dvc repro")
        assert contents(folder) == before
        path.write_bytes(content)


def test_the_learning_curve_is_a_table_a_figure_and_metrics(forks: Forks, folder: Path) -> None:
    params = write_params(folder)
    params["learning-curve"]["bootstrap"] = 100
    rewrite(folder, params)
    sixteenth_first = [*POINTS[::-1], BEST_STAGE, *OTHER_POINTS]
    write_points(folder, dict.fromkeys(sixteenth_first, "MNIST"))
    ended = forks.run(folder, "learning-curve")
    assert (ended.status, ended.stderr) == (0, "")
    rows = list(csv.DictReader((folder / "plots/learning-curve.csv").read_text().splitlines()))
    assert [(row["name"], row["series"]) for row in rows] == [
        *((name, series_name(0)) for name in ("sixteenth", "eighth", "quarter", "half", "full")),
        *((name, "at least 4,000 updates") for name in ("half", "quarter", "eighth", "sixteenth")),
    ]
    assert list(rows[0])[:5] == ["name", "examples", "training_error", "test_error", "dataset"]
    assert (rows[0]["updates"], rows[0]["test_error"]) == ("1000", "0.049")
    low, high = (float(rows[0][f"test_error_{end}"]) for end in ("low", "high"))
    assert 0.03 < low < 0.049 < high < 0.07
    assert (folder / "plots/learning-curve.png").read_bytes().startswith(b"\x89PNG")
    metrics = json.loads((folder / "metrics/learning-curve.json").read_text())
    assert set(metrics["points"]) == {"half", "quarter", "eighth", "sixteenth", "full"}
    assert list(metrics["other_steps"]) == ["quarter", "eighth", "sixteenth"]
    assert (metrics["min_steps"], metrics["other_min_steps"]) == (0, 4000)
    assert set(metrics["examples_for"]) == {
        f"error-{number}-per-mille" for number in ("five", "three", "two")
    }
    assert metrics["fit"]  # 1 % of mistakes more or less: no matter whether it tells a law


def test_the_points_of_a_learning_curve_are_of_one_data_set(forks: Forks, folder: Path) -> None:
    write_points(folder, dict.fromkeys([*POINTS, *OTHER_POINTS], "MNIST") | {BEST_STAGE: "digits"})
    before = contents(folder)
    ended = forks.run(folder, "learning-curve")
    assert_one_sentence(ended, "different data sets (MNIST, digits)")
    assert contents(folder) == before


def test_another_network_than_the_best_is_not_analysed(
    forks: Forks, folder: Path, small: Split
) -> None:
    card = ModelCard("convnet", 0.5, small.title, TEN, PIXEL_MEAN, PIXEL_STD)
    write_model(folder / f"models/{BEST_STAGE}.safetensors", ConvNet(), card)
    before = contents(folder)
    ended = forks.run(folder, "analyze")
    assert_one_sentence(ended, f"models/{BEST_STAGE}.safetensors holds a convnet", "a net trained")
    assert contents(folder) == before


@pytest.mark.parametrize(("validation_too", "threshold"), [(False, 0.0), (True, NEVER)])
def test_images_that_were_trained_on_make_no_answer_sure(
    small: Split, *, validation_too: bool, threshold: float
) -> None:
    """Here the network is right about each of them."""
    images = small.validation.images
    right = Labelled(images, np.zeros(len(images), dtype=np.int64))
    network = Net().eval()
    with torch.no_grad():
        network.fc2.bias[0] = 100.0
    recipe = load_params(PARAMS_FILE).train_net_augmented.model_copy(
        update={"validation_too": validation_too}
    )
    assert fix_threshold(network, replace(small, validation=right), recipe) == threshold


# The name of each train stage's network.
NETWORK_OF: dict[str, str] = {stage: name for name, pair in PAIRS.items() for stage in pair}
NETWORK_OF |= dict.fromkeys([*POINTS, *OTHER_POINTS], "net")


def write_networks(folder: Path, dataset: str) -> None:
    """A fresh network for each train stage of params.yaml."""
    torch.manual_seed(0)
    for stage, network in NETWORK_OF.items():
        card = ModelCard(network, 0.5, dataset, TEN, PIXEL_MEAN, PIXEL_STD)
        write_model(folder / f"models/{stage}.safetensors", NETWORKS[network](), card)


CONDITIONS: list[tuple[Perturbation, int]] = [
    *(("blur", passes) for passes in (0, 1, 2, 3)),
    *(("rotation", degrees) for degrees in (0, 15, 30, 45)),
]


@pytest.fixture(scope="module")
def scored(
    tmp_path_factory: pytest.TempPathFactory, forks: Forks, small: Split, convnet: Trained
) -> Path:
    """Where the robustness of one network that was trained, and of fresh ones, has been scored."""
    folder = tmp_path_factory.mktemp("scored")
    write_params(folder)
    write_split(folder / SPLIT_FILE, small)
    write_networks(folder, small.title)
    model = "models/train-convnet.safetensors"
    (folder / model).write_bytes(convnet.files[model])
    ended = forks.run(folder, "robustness")
    assert (ended.status, ended.stderr) == (0, "")
    return folder


def test_robustness_scores_every_network_under_every_condition(
    forks: Forks, scored: Path, small: Split
) -> None:
    after = contents(scored)
    assert {name for name in after if not name.startswith(("params.yaml", "data/", "models/"))} == {
        "plots/robustness.csv",
        "plots/robustness.png",
        "figures/robustness.svg",
        "figures/robustness.pdf",
        "metrics/robustness.json",
    }
    rows = list(csv.DictReader(after["plots/robustness.csv"].decode().splitlines()))
    assert sorted(
        (row["stage"], row["network"], row["perturbation"], int(row["strength"])) for row in rows
    ) == sorted((*names, *condition) for names in NETWORK_OF.items() for condition in CONDITIONS)
    assert {(row["count"], row["dataset"]) for row in rows} == {("50", small.title)}
    metrics = json.loads(after["metrics/robustness.json"])
    assert metrics["dataset"] == small.title
    assert set(metrics["accuracy"]) == set(NETWORK_OF)
    assert set(metrics["augmentation"]) == {"convnet", "net"}
    forks.run(scored, "robustness")
    assert contents(scored) == after  # byte for byte


def test_robustness_is_what_the_library_says_of_the_test_images(scored: Path, small: Split) -> None:
    """Of the one network that was trained: a fresh one says the same of all images."""
    rows = csv.DictReader((scored / "plots/robustness.csv").read_text().splitlines())
    errors = {
        (row["perturbation"], int(row["strength"])): int(row["errors"])
        for row in rows
        if row["stage"] == "train-convnet"
    }
    network = read_model(scored / "models/train-convnet.safetensors", "convnet", small.title, TEN)
    pixels, labels = to_pixels(torch.from_numpy(small.test.images)), small.test.labels
    assert errors == {
        condition: int((predict(network, images, 50).labels.numpy() != labels).sum())
        for condition in CONDITIONS
        for images in [perturb(pixels, *condition, seed=0)]
    }
    assert errors["blur", 0] not in (errors["blur", 3], errors["rotation", 45])
    metrics = json.loads((scored / "metrics/robustness.json").read_text())
    compared = metrics["augmentation"]["convnet"]["blur"]["passes-3"]
    accuracies = [metrics["accuracy"][stage]["blur"]["passes-3"] for stage in PAIRS["convnet"]]
    assert accuracies[0] == pytest.approx(1 - errors["blur", 3] / 50)
    gain = (compared["fixed"] - compared["broken"]) / 50
    assert gain == pytest.approx(accuracies[1] - accuracies[0])


def test_confidence_is_told_of_every_network_by_what_it_was_not_trained_on(
    forks: Forks, folder: Path, small: Split
) -> None:
    """Nearly all are copies of one fresh network, so that they agree against many labels."""
    write_networks(folder, small.title)
    one = (folder / f"models/{BEST_STAGE}.safetensors").read_bytes()
    for stage in [stage for stage, network in NETWORK_OF.items() if network == "net"]:
        (folder / f"models/{stage}.safetensors").write_bytes(one)
    params = write_params(folder)
    params["confidence"]["bootstrap"] = 100
    params["train-net"]["validation_too"] = True
    rewrite(folder, params)
    before = contents(folder)
    ended = forks.run(folder, "confidence")
    assert (ended.status, ended.stderr) == (0, "")
    after = contents(folder)
    names = ("reliability.csv", "risk-coverage.csv", "calibration.png", "disputed.png")
    printed = ("calibration.svg", "calibration.pdf", "disputed.svg", "disputed.pdf")
    assert set(after) - set(before) == {
        "data/disputed-labels.csv",
        "metrics/confidence.json",
        *(f"plots/confidence/{name}" for name in names),
        *(f"figures/confidence/{name}" for name in printed),
    }
    metrics = json.loads(after["metrics/confidence.json"])
    assert metrics["dataset"] == small.title
    assert set(metrics["calibration"]) == set(NETWORK_OF)
    assert "reviewers" not in metrics  # they saw other images
    assert metrics["disputed"]["test"]["judged"] == 50
    assert metrics["disputed"]["validation"]["judged"] == 30
    smallest = len(nested_subset(small.train.labels, TEN, 0.0625, 1, "sixteenth"))
    assert metrics["disputed"]["train"]["judged"] == 170 - smallest
    rows = list(csv.DictReader(after["data/disputed-labels.csv"].decode().splitlines()))
    assert {row["set"] for row in rows} == {"test", "validation", "train"}
    for row in rows:
        judges = {stage for stage in NETWORK_OF if row[stage]}
        assert len(judges) == int(row["judges"])
        assert sum(row[stage] == row["says"] for stage in judges) == int(row["votes"])
        assert judges.isdisjoint(TRAIN_STAGES) or row["set"] != "train"
        assert ("train-net" in judges) == (row["set"] == "test")
    forks.run(folder, "confidence")
    assert contents(folder) == after  # byte for byte


def test_another_fraction_is_another_network_and_another_point(
    forks: Forks, folder: Path, small: Split
) -> None:
    """What it takes in dvc.yaml besides is tested in the clone."""
    params = write_params(folder)
    params["partial-data"]["fractions"]["two-fifths"] = 0.4
    params["robustness"] |= {"blur_passes": [0, 2], "turn_degrees": [0, 30]}
    rewrite(folder, params)
    write_points(folder, dict.fromkeys([*POINTS, *OTHER_POINTS, BEST_STAGE], small.title))
    write_networks(folder, small.title)
    new = "partial-data@two-fifths"
    for stage in (new, "learning-curve", "robustness"):
        ended = forks.run(folder, stage)
        assert (ended.status, ended.stderr) == (0, "")
    n_examples = json.loads((folder / f"metrics/{new}.json").read_text())["examples"]
    assert n_examples == pytest.approx(0.4 * len(small.train), abs=5)
    curve = csv.DictReader((folder / "plots/learning-curve.csv").read_text().splitlines())
    assert [row["examples"] for row in curve if row["name"] == "two-fifths"] == [str(n_examples)]
    scored = csv.DictReader((folder / "plots/robustness.csv").read_text().splitlines())
    assert sum(row["stage"] == new for row in scored) == 4


def test_a_missing_network_is_named_before_anything_is_scored(
    forks: Forks, folder: Path, small: Split
) -> None:
    write_networks(folder, small.title)
    (folder / "models/partial-data@eighth.safetensors").unlink()
    before = contents(folder)
    ended = forks.run(folder, "robustness")
    assert_one_sentence(ended, "models/partial-data@eighth.safetensors is missing", "dvc repro")
    assert contents(folder) == before


def test_robustness_is_asked_of_networks_for_this_data_set(
    forks: Forks, folder: Path, small: Split
) -> None:
    write_networks(folder, "MNIST")
    ended = forks.run(folder, "robustness")
    assert_one_sentence(ended, "trained on MNIST where", f"trained on {small.title} should be")


def test_a_stage_that_has_to_wait_for_a_slot_writes_the_same(
    forks: Forks, convnet: Trained, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    curve = Path(f"plots/loss/{convnet.stage}.csv")
    with Turn(1, "another", 1).taken(lambda: None):
        process = forks.start(folder, convnet.stage, environment={N_SLOTS: "1"})
        time.sleep(1)
        assert not process.has_ended()
        assert not curve.exists()
    ended = process.end()
    assert (ended.status, ended.stderr, ended.epochs) == (0, "", [1, 2])
    after = contents(folder)
    assert all(after[name] == content for name, content in convnet.files.items())


def test_what_is_left_of_another_run_is_removed_when_one_is_through(
    forks: Forks, folder: Path
) -> None:
    left = folder / ".mnistpipe/checkpoints/train-convnet/other-parameters.safetensors"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"")
    assert forks.run(folder, "train-convnet").status == 0
    assert not left.exists()
