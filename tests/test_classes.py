"""Studies of other numbers of classes than ten, with names: from images to the report."""

import csv
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from mnistpipe.data.split import Labelled
from mnistpipe.files.artifacts import read_json, write_json
from mnistpipe.networks.model_files import read_any_model
from mnistpipe.training.plan import BEST_STAGE, PAIRS, TRAIN_STAGES
from tests.conftest import PARAMS_FILE, ROOT
from tests.forks import Forks

pytestmark = pytest.mark.slow

FRACTIONS = {"half": 0.5, "quarter": 0.25}
CLASSES = {
    3: ('a "b", c', "US$ or 5 $", "Ähre"),
    26: tuple(f"{letter}: {letter * 30}" for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
}


def draw_marks(n_classes: int, n_each: int, seed: int) -> Labelled:
    """A bright square on noise, at a place for each class."""
    labels = np.arange(n_classes * n_each) % n_classes
    images = np.random.default_rng(seed).integers(0, 60, (len(labels), 28, 28), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        row, column = divmod(int(label), 6)
        image[5 * row + 2 : 5 * row + 6, 4 * column + 2 : 4 * column + 6] = 250
    return Labelled(images, labels)


def save_images(folder: Path, classes: Sequence[str], examples: Labelled) -> None:
    for number, (image, label) in enumerate(zip(examples.images, examples.labels, strict=True)):
        path = folder / classes[label] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)


def write_params(folder: Path) -> None:
    params = yaml.safe_load(PARAMS_FILE.read_text(encoding="utf-8"))
    for section in (*(params[stage] for stage in TRAIN_STAGES), params["partial-data"]["recipe"]):
        section |= {"epochs": 2, "batch_size": 8, "min_steps": 0}
    params["data"] |= {"dataset": "folder", "folder": "marks"}
    params["prepare-split"]["validation_fraction"] = 0.25
    params["partial-data"]["fractions"] = FRACTIONS
    params["partial-data"]["other_steps"]["fractions"] = ["quarter"]
    params["learning-curve"]["bootstrap"] = 100
    params["confidence"]["bootstrap"] = 100
    params["robustness"] |= {"blur_passes": [0, 1], "turn_degrees": [0, 15]}
    params["analyze"]["perplexity"] = 5.0
    (folder / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")


def copy_run(folder: Path, source: str, target: str, examples: int) -> None:
    """As if a stage had trained the network that another one has trained."""
    for kind in ("models/{}.safetensors", "plots/loss/{}.csv", "plots/predictions/{}.csv"):
        shutil.copy(folder / kind.format(source), folder / kind.format(target))
    run = read_json(folder / f"metrics/{source}.json")
    write_json(folder / f"metrics/{target}.json", run | {"examples": examples, "steps": examples})


@pytest.fixture(scope="module", params=[3, pytest.param(26, marks=pytest.mark.long)])
def study(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, forks: Forks
) -> tuple[Path, tuple[str, ...]]:
    """Two networks are trained; the others are copies of them, and the last stages really run."""
    classes = CLASSES[request.param]
    folder = tmp_path_factory.mktemp("study")
    write_params(folder)
    train, test = (draw_marks(len(classes), n, seed=n) for n in (16, 6))
    save_images(folder / "marks/train", classes, train)
    save_images(folder / "marks/test", classes, test)
    plain = PAIRS["convnet"][0]
    for stage in ("fetch-data", "prepare-split", plain, BEST_STAGE):
        ended = forks.run(folder, stage)
        assert (ended.status, ended.stderr) == (0, "")
    n_train = 12 * len(classes)
    copy_run(folder, plain, "train-augmented", n_train)
    copy_run(folder, BEST_STAGE, "train-net", n_train)
    for name, fraction in FRACTIONS.items():
        copy_run(folder, BEST_STAGE, f"partial-data@{name}", round(fraction * n_train))
    copy_run(folder, BEST_STAGE, "partial-data-steps@quarter", n_train // 4)
    shutil.copy(ROOT / "dvc.yaml", folder)  # which the page quotes
    others = ("dense-curve", "learning-curve", "robustness", "confidence", "analyze", "report")
    for stage in others:
        ended = forks.run(folder, stage)
        assert (ended.status, ended.stderr) == (0, "")
    return folder, classes


def test_every_product_names_the_classes(study: tuple[Path, tuple[str, ...]]) -> None:
    folder, classes = study
    for stage in TRAIN_STAGES:
        network, card = read_any_model(folder / f"models/{stage}.safetensors")
        assert card.classes == classes
        assert network.fc2.out_features == len(classes)
    for table in (f"plots/predictions/{BEST_STAGE}.csv", "plots/analyze/confusion.csv"):
        rows = list(csv.DictReader((folder / table).read_text(encoding="utf-8").splitlines()))
        assert [row["actual"] for row in rows] == list(classes) * 6
        assert {row["predicted"] for row in rows} <= set(classes)
    metrics = json.loads((folder / "metrics/summary.json").read_text(encoding="utf-8"))
    assert list(metrics["analyze"]["classes"]) == [f"class-{name}" for name in classes]
    report = (folder / "REPORT.md").read_text(encoding="utf-8")
    assert "Data set: **marks (own images)**" in report
    assert f"of {len(classes)} classes: `{'`, `'.join(classes)}`." in report
    assert "What the original got wrong" not in report


def test_a_network_learns_that_many_classes(study: tuple[Path, tuple[str, ...]]) -> None:
    folder, classes = study
    run = read_json(folder / "metrics/train-convnet.json")
    guessing = 1 / len(classes)
    assert run["train"]["accuracy"] > 2 * guessing
