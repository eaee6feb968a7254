"""The whole pipeline, in a clone of its own, on the fallback's small data."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from mnistpipe.params import TRAIN_STAGES, load_params, train_stages
from tests.conftest import ROOT, tracked_files

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

NO_NETWORK = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
TRAINING = train_stages(load_params(ROOT / "params.yaml"))
SWEEPS = ("partial-data", "partial-data-steps")


def run(
    folder: Path, *words: str, environment: dict[str, str] = NO_NETWORK, status: int = 0
) -> str:
    """What a command prints on both streams; without a mirror or network if not told otherwise."""
    inherited = {key: value for key, value in os.environ.items() if key != "MNISTPIPE_MIRROR"}
    path = os.pathsep.join([str(Path(sys.executable).parent), inherited["PATH"]])
    done = subprocess.run(
        words,
        cwd=folder,
        env=inherited | {"PATH": path, "OMP_NUM_THREADS": "2"} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stdout
    return done.stdout


def copy_of_the_working_tree(folder: Path) -> Path:
    """A repository with one commit that holds the files git tracks here, as they are now."""
    for file in tracked_files():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / file, folder / file)
    run(folder, "git", "init", "--quiet", "--initial-branch=main")
    run(folder, "git", "config", "user.name", "test")
    run(folder, "git", "config", "user.email", "test@example.org")
    commit(folder, "start")
    return folder


def commit(folder: Path, message: str) -> None:
    run(folder, "git", "add", "--all")
    run(folder, "git", "commit", "--quiet", "--message", message)


def change_params(folder: Path, **changes: object) -> None:
    """Set parameters by their dotted keys, with underscores for hyphens in the arguments."""
    path = folder / "params.yaml"
    tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    for key, value in changes.items():
        *sections, last = key.split("__")
        place = tree
        for section in sections:
            place = place[section.replace("_", "-")]
        place[last] = value
    path.write_text(yaml.safe_dump(tree, sort_keys=False), encoding="utf-8")


def stages_run(printed: str) -> list[str]:
    return re.findall(r"Running stage '([^']+)'", printed)


def read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A clone in which the study has run once, and what that printed."""
    folder = copy_of_the_working_tree(tmp_path_factory.mktemp("clone"))
    short = {"epochs": 2, "batch_size": 64, "min_steps": 0}
    sections = [stage.replace("-", "_") for stage in TRAIN_STAGES] + ["partial_data__recipe"]
    change_params(
        folder, **{f"{section}__{key}": short[key] for section in sections for key in short}
    )
    seeds = {f"{section.removesuffix('__recipe')}__seeds": [1] for section in sections}
    change_params(folder, **seeds, data__dataset="mnist", data__fallback="digits")
    change_params(
        folder,
        learning_curve__bootstrap=100,
        robustness__blur_passes=[0, 2],
        robustness__turn_degrees=[0, 30],
    )
    (folder / "dvc.lock").unlink(missing_ok=True)
    printed = run(folder, sys.executable, "-m", "tools.repro", "--jobs", "2")
    commit(folder, "ran")
    return folder, printed


@pytest.fixture
def repo(clone: tuple[Path, str]) -> Iterator[Path]:
    """The clone's folder, which is brought back to its branch main afterwards."""
    folder, _ = clone
    yield folder
    run(folder, "git", "checkout", "--quiet", "--force", "main")
    run(folder, "git", "clean", "--quiet", "--force", "plots")
    run(folder, "dvc", "checkout", "--quiet")


def test_every_stage_runs_once_and_writes_its_files(clone: tuple[Path, str]) -> None:
    folder, printed = clone
    others = ["learning-curve", "analyze", "robustness", "report"]
    assert sorted(stages_run(printed)) == sorted(
        ["fetch-data", "prepare-split", *TRAINING, *others]
    )
    for stage in TRAINING:
        assert (folder / f"models/{stage}.safetensors").stat().st_size > 50_000
        assert len((folder / f"plots/loss/{stage}.csv").read_text().splitlines()) == 3
        assert len((folder / f"plots/predictions/{stage}.csv").read_text().splitlines()) == 360
    summary = read(folder / "metrics/summary.json")
    assert summary["data"]["test"] == 359
    assert [f"{sweep}@{name}" for sweep in SWEEPS for name in summary[sweep]] == TRAINING[4:]
    half = summary["partial-data"]["half"]["steps"]
    assert all(run_["steps"] >= half for run_ in summary["partial-data-steps"].values())
    runs = [summary[stage] for stage in TRAIN_STAGES]
    for run_ in [*runs, *(run_ for sweep in SWEEPS for run_ in summary[sweep].values())]:
        for scored in ("train", "validation", "test"):
            score = run_[scored]
            right = score["count"] - score["errors"]
            assert score["accuracy"] == pytest.approx(right / score["count"])
            assert score["loss"] > 0


def test_the_confusion_matrix_agrees_with_the_accuracy(clone: tuple[Path, str]) -> None:
    folder, _ = clone
    test = read(folder / "metrics/train-net-augmented.json")["test"]
    analysis = read(folder / "metrics/analyze.json")
    assert analysis["confusion_diagonal"] == test["count"] - test["errors"]
    assert analysis["mistakes"] == test["errors"]


def test_the_fallback_is_announced_and_named_in_every_product(clone: tuple[Path, str]) -> None:
    folder, printed = clone
    assert "MNIST COULD NOT BE HAD" in printed
    assert "dvc repro --force --single-item fetch-data && dvc repro" in printed
    products = [
        "REPORT.md",
        "metrics/summary.json",
        "metrics/prepare-split.json",
        "metrics/analyze.json",
        "metrics/robustness.json",
        "plots/learning-curve.csv",
        "plots/robustness.csv",
        *(f"metrics/{stage}.json" for stage in TRAINING),
        *(f"plots/loss/{stage}.csv" for stage in TRAINING),
    ]
    for product in products:
        assert "scikit-learn digits (not MNIST)" in (folder / product).read_text(), product


def test_a_second_run_does_nothing_and_is_quick(clone: tuple[Path, str]) -> None:
    folder, _ = clone
    start_s = time.monotonic()
    printed = run(folder, "dvc", "repro")
    assert stages_run(printed) == []
    assert "up to date" in printed
    # It takes 2 to 3 s alone on a machine with two cores; tests do not have it to themselves.
    assert time.monotonic() - start_s < 30
    assert run(folder, "git", "status", "--porcelain") == ""


def test_stages_side_by_side_give_what_one_alone_gives(clone: tuple[Path, str]) -> None:
    """Bit for bit: model, metrics, curves and with them dvc.lock are those of the first run."""
    folder, _ = clone
    threads = max(1, len(os.sched_getaffinity(0)) // 2)
    for stage in ("train-convnet", "partial-data@half"):
        printed = run(
            folder,
            *("dvc", "repro", "--force", "--single-item", stage),
            environment=NO_NETWORK | {"OMP_NUM_THREADS": str(threads)},
        )
        assert stages_run(printed) == [stage]
        assert "epoch 2/2" in printed
    assert run(folder, "git", "status", "--porcelain") == ""


def test_every_plot_is_shown_exactly_once(clone: tuple[Path, str]) -> None:
    folder, _ = clone
    run(folder, sys.executable, "-m", "tools.plots_page")
    run(folder, "dvc", "plots", "show")
    page = (folder / "dvc_plots/index.html").read_text(encoding="utf-8")
    scripts, _, page = page.rpartition("<body>")
    charts = re.findall(r"vegaEmbed\('#([^']+)'", page)
    tables = [f"plots_{kind}_{stage}_csv" for kind in ("loss", "predictions") for stage in TRAINING]
    others = ["plots_learning-curve_csv", "plots_analyze_confusion_csv", "plots_robustness_csv"]
    expected = [*tables, *others]
    assert sorted(charts) == sorted(name.replace("@", "_") for name in expected)
    pictures = [Path(source).name for source in re.findall(r'<img src="([^"]+)"', page)]
    names = ["mistakes", "kernels", "confusion", "confusion-normalised", "t-sne", "neighbours"]
    found = sorted(re.sub(r"^.*_(?=[^_]+\.png$)", "", picture) for picture in pictures)
    assert found == sorted(f"{name}.png" for name in [*names, "learning-curve", "robustness"])
    assert not re.findall(r"<script[^>]* src=", scripts + page)  # it works offline


def test_two_branches_compare_even_without_the_cache(repo: Path, tmp_path: Path) -> None:
    run(repo, "git", "checkout", "--quiet", "-b", "longer")
    change_params(repo, train_convnet__epochs=3)
    assert stages_run(run(repo, "dvc", "repro")) == ["train-convnet", "robustness", "report"]
    commit(repo, "train ConvNet for longer")
    longer = read(repo / "metrics/summary.json")
    for place in (repo, tmp_path / "bare"):
        if place != repo:
            run(repo, "git", "clone", "--quiet", str(repo), str(place))
            run(place, "git", "branch", "--quiet", "main", "origin/main")
        changes = json.loads(run(place, "dvc", "metrics", "diff", "main", "longer", "--json"))
        changed = changes["metrics/summary.json"]
        assert {key.split(".")[0] for key in changed} == {"train-convnet", "robustness"}
        loss = changed["train-convnet.test.loss"]
        accuracy = changed["train-convnet.test.accuracy"]
        assert loss["new"] == longer["train-convnet"]["test"]["loss"] != loss["old"]
        run(place, "dvc", "plots", "diff", "main", "longer", "--targets", "plots/loss")
        compared = run(place, sys.executable, "-m", "mnistpipe.cli", "compare", "main", "longer")
        before, after = re.findall(r"\| train-convnet \| ([\d.]+)% \| ([\d.]+)% \|", compared)[0]
        assert float(after) == pytest.approx(100 * accuracy["new"], abs=0.005)
        assert float(before) == pytest.approx(100 * accuracy["old"], abs=0.005)
        # Their predictions are the same files.
        assert compared.count("| 0 | 0 | 1 | within noise |") == len(TRAINING) - 1
    run(repo, "git", "checkout", "--quiet", "main")
    printed = run(repo, "dvc", "repro")  # from the run cache
    assert "epoch 1/" not in printed
    assert run(repo, "git", "status", "--porcelain") == ""


def test_another_fraction_is_three_lines_and_one_network(repo: Path) -> None:
    pipeline = (repo / "dvc.yaml").read_text(encoding="utf-8")
    for file in ("metrics/partial-data@half.json", "models/partial-data@half.safetensors"):
        line = f"      - {file}\n"
        assert line in pipeline
        pipeline = pipeline.replace(line, line + line.replace("half", "two-fifths"))
    (repo / "dvc.yaml").write_text(pipeline, encoding="utf-8")
    change_params(repo, **{"partial_data__fractions__two-fifths": 0.4})
    stages = stages_run(run(repo, "dvc", "repro"))
    assert stages[0] == "partial-data@two-fifths"
    assert sorted(stages[1:-1]) == ["learning-curve", "robustness"]
    assert stages[-1] == "report"


def test_an_edit_of_a_figure_trains_nothing(repo: Path) -> None:
    with (repo / "mnistpipe/figures.py").open("a", encoding="utf-8") as file:
        file.write("# edited\n")
    stages = stages_run(run(repo, "dvc", "repro", "--dry"))
    assert sorted(stages) == ["analyze", "learning-curve", "robustness"]


def test_a_wrong_section_stops_before_any_stage(repo: Path) -> None:
    change_params(repo, train_nett={"epochs": 3})
    printed = run(repo, sys.executable, "-m", "tools.repro", status=1)
    assert printed.startswith("ERROR: params.yaml: train_nett is not a parameter")
    assert printed.count("\n") == 1


@pytest.mark.mnist
def test_a_fallback_gives_way_to_the_real_data(repo: Path, mnist_mirror: Path) -> None:
    assert "MNIST COULD NOT BE HAD" in run(
        repo, sys.executable, "-m", "tools.repro", "prepare-split"
    )
    with_mirror = NO_NETWORK | {"MNISTPIPE_MIRROR": str(mnist_mirror)}
    printed = run(
        repo, sys.executable, "-m", "tools.repro", "prepare-split", environment=with_mirror
    )
    assert stages_run(printed) == ["fetch-data", "prepare-split"]
    assert read(repo / "metrics/prepare-split.json")["dataset"] == "MNIST"
    assert "train-net" in stages_run(run(repo, "dvc", "repro", "--dry"))


def test_a_tree_with_its_lock_is_up_to_date_without_any_data(tmp_path: Path) -> None:
    """What is committed fits together: code, parameters, dvc.lock."""
    folder = copy_of_the_working_tree(tmp_path)
    printed = run(folder, "dvc", "repro", "--dry", "--allow-missing")
    assert stages_run(printed) == []
    assert "up to date" in printed
