"""The whole pipeline, in a clone of its own, on the fallback's small data."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml
from dvc.utils.hydra import apply_overrides

from mnistpipe.study import load_params
from mnistpipe.training.plan import TRAIN_STAGES
from tests.conftest import ROOT, tracked_files
from tests.forks import Forks, let_stand_in, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

THREADS = max(1, len(os.sched_getaffinity(0)) // 2)  # of each of two stages side by side
NO_NETWORK = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
# What shells, notebooks, clusters and git's hooks export for other programs.
HOSTILE = {
    "GIT_DIR": "/nonexistent",
    "MATPLOTLIBRC": "/nonexistent",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "NUMBA_DISABLE_JIT": "1",
    "OMP_PROC_BIND": "true",
    "PYTHONOPTIMIZE": "2",
    "PYTHONPATH": "/nonexistent",
    "PYTHONWARNINGS": "error",
    "SHELL": "/usr/sbin/nologin",
}
PARAMS = load_params(ROOT / "params.yaml")
TRAINING = PARAMS.train_stages
STAGES = [
    *("code", "fetch-data", "prepare-split", *TRAINING),
    *("dense-curve", "learning-curve", "robustness", "confidence", "analyze", "report"),
]
ERROR_MESSAGE = ("mnistpipe/training/loop.py", "Training needs at", "Training takes at")
SWEEPS = ("partial-data", "partial-data-steps")


def run(
    folder: Path, *words: str, environment: dict[str, str] = NO_NETWORK, status: int = 0
) -> str:
    """What a command prints on both streams; without a mirror or network if not told otherwise."""
    inherited = {key: value for key, value in os.environ.items() if key != "MNISTPIPE_MIRROR"}
    path = os.pathsep.join([str(Path(sys.executable).parent), inherited["PATH"]])
    # A file: with a pipe, what a command leaves in the background would have to be waited for.
    with tempfile.TemporaryFile("w+", encoding="utf-8") as printed:
        done = subprocess.run(
            words,
            cwd=folder,
            env=inherited | {"PATH": path, "OMP_NUM_THREADS": f"{THREADS}"} | environment,
            stdout=printed,
            stderr=subprocess.STDOUT,
            check=False,
        )
        printed.seek(0)
        text = printed.read()
    assert done.returncode == status, text
    return text


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


def bring_compiled(folder: Path) -> None:
    """What Numba has compiled here, which takes a new clone as long as all its trainings."""
    networks = Path("mnistpipe/networks")
    for path in (ROOT / networks / "__pycache__").glob("*.nb?"):
        (folder / networks / "__pycache__").mkdir(exist_ok=True)
        shutil.copy2(path, folder / networks / "__pycache__")
    shutil.copy2(ROOT / networks / "sparse_gradient.py", folder / networks)  # with its time


def commit(folder: Path, message: str) -> None:
    run(folder, "git", "add", "--all")
    run(folder, "git", "commit", "--quiet", "--message", message)


def change_params(folder: Path, changes: Mapping[str, object]) -> None:
    """As `dvc exp run -S` does, by dotted keys, which leaves comments and all else as it is."""
    overrides = [f"{key}={json.dumps(value)}" for key, value in changes.items()]
    apply_overrides(folder / "params.yaml", overrides)


def edit(folder: Path, file: str, old: str, new: str) -> None:
    path = folder / file
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, (file, old)
    path.write_text(text.replace(old, new), encoding="utf-8")


def stages_run(printed: str) -> list[str]:
    return re.findall(r"Running stage '([^']+)'", printed)


def stages_kept(printed: str) -> list[str]:
    return re.findall(r"Stage '([^']+)' didn't change, skipping", printed)


def read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory, forks: Forks) -> tuple[Path, str]:
    """A clone in which the study has run once, and what that printed."""
    folder = copy_of_the_working_tree(tmp_path_factory.mktemp("clone"))
    let_stand_in(folder)
    bring_compiled(folder)
    short = {"epochs": 2, "batch_size": 64, "min_steps": 0}
    recipes = (*TRAIN_STAGES, "partial-data.recipe")
    small = {
        **{f"{recipe}.{key}": value for recipe in recipes for key, value in short.items()},
        **{f"{recipe.removesuffix('.recipe')}.seeds": [1] for recipe in recipes},
        "data.dataset": "mnist",
        "data.fallback": "digits",
        "prepare-split.validation_fraction": 0.8,
        "learning-curve.bootstrap": 100,
        "confidence.bootstrap": 100,
        "robustness.blur_passes": [0, 2],
        "robustness.turn_degrees": [0, 30],
    }
    change_params(folder, small)
    shutil.rmtree(folder / "code", ignore_errors=True)
    (folder / "dvc.lock").unlink(missing_ok=True)
    # Most are forks; below, some of each kind run again as the processes that DVC starts.
    environment = NO_NETWORK | HOSTILE | forks.stand_in(STAGES[1:-1])
    printed = run(folder, sys.executable, "-m", "tools", "repro", environment=environment)
    commit(folder, "ran")
    return folder, printed


@pytest.fixture
def repo(clone: tuple[Path, str]) -> Iterator[Path]:
    """The clone's folder, of which what git knows is brought back to main afterwards."""
    folder, _ = clone
    yield folder
    run(folder, "git", "checkout", "--quiet", "--force", "main")
    run(folder, "git", "clean", "--quiet", "--force", "-d")


@pytest.fixture
def rerun(repo: Path) -> Iterator[Path]:
    """The same for tests that run stages again: what DVC keeps is brought back, too."""
    yield repo
    run(repo, "git", "checkout", "--quiet", "--force", "main")
    run(repo, "dvc", "checkout", "--quiet")


def test_every_stage_runs_once_and_writes_its_files(clone: tuple[Path, str]) -> None:
    folder, printed = clone
    assert sorted(stages_run(printed)) == sorted(STAGES)
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
    assert "dvc repro --force fetch-data && dvc repro" in printed
    products = [
        "REPORT.md",
        "metrics/summary.json",
        "metrics/prepare-split.json",
        "metrics/analyze.json",
        "metrics/robustness.json",
        "metrics/confidence.json",
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


def test_a_stage_that_runs_again_gives_the_same_bytes(repo: Path) -> None:
    """Because an error message of the training loop was edited: the others would run, too."""
    stage = "partial-data@half"
    kinds = {"models": "safetensors", "metrics": "json", "plots/loss": "csv"}
    products = [repo / folder / f"{stage}.{kind}" for folder, kind in kinds.items()]
    before = [product.read_bytes() for product in products]
    edit(repo, *ERROR_MESSAGE)
    printed = run(repo, "dvc", "repro", stage)
    assert stages_run(printed) == ["code", stage]
    assert "epoch 2/2" in printed
    assert [product.read_bytes() for product in products] == before
    changed = run(repo, "git", "diff", "--name-only").split()
    assert changed == ["code/dense-curve.txt", "code/train.txt", "dvc.lock", ERROR_MESSAGE[0]]
    others = [other for other in (*TRAINING, "dense-curve") if other != stage]
    assert stages_run(run(repo, "dvc", "repro", "--dry")) == others


@pytest.mark.long
def test_stages_side_by_side_give_what_one_after_the_other_gives(
    clone: tuple[Path, str], forks: Forks, tmp_path: Path
) -> None:
    """The whole study with JOBS=2, from nothing; dvc.lock has the digest of every product."""
    folder, _ = clone
    place = tmp_path / "side-by-side"
    run(tmp_path, "git", "clone", "--quiet", str(folder), str(place))
    bring_compiled(place)
    (place / "dvc.lock").unlink()
    shutil.rmtree(place / "code")
    environment = NO_NETWORK | forks.stand_in(STAGES[1:-1])
    printed = run(
        place, sys.executable, "-m", "tools", "repro", "--jobs", "2", environment=environment
    )
    assert sorted(stages_run(printed)) == sorted(STAGES)
    one_by_one, together = (
        yaml.safe_load((each / "dvc.lock").read_text(encoding="utf-8"))["stages"]
        for each in (folder, place)
    )
    assert together == one_by_one


@pytest.mark.long
def test_a_stage_is_run_from_nothing_with_what_it_needs(
    clone: tuple[Path, str], tmp_path: Path
) -> None:
    folder, _ = clone
    place = tmp_path / "another"
    run(tmp_path, "git", "clone", "--quiet", str(folder), str(place))
    bring_compiled(place)
    change_params(place, {"data.dataset": "digits"})  # the same, without asking for MNIST
    (place / "dvc.lock").unlink()
    shutil.rmtree(place / "code")
    printed = run(place, "dvc", "repro", "train-net")
    assert stages_run(printed) == ["code", "fetch-data", "prepare-split", "train-net"]
    products = run(place, "git", "ls-files", "code").split()
    assert len(products) == 9
    for product in (*products, "metrics/train-net.json", "models/train-net.safetensors"):
        assert (place / product).read_bytes() == (folder / product).read_bytes(), product


def test_every_plot_is_shown_exactly_once(clone: tuple[Path, str]) -> None:
    folder, _ = clone
    run(folder, sys.executable, "-m", "tools", "plots_page")
    run(folder, "dvc", "plots", "show")
    page = (folder / "dvc_plots/index.html").read_text(encoding="utf-8")
    scripts, _, page = page.rpartition("<body>")
    charts = re.findall(r"vegaEmbed\('#([^']+)'", page)
    tables = [f"plots_{kind}_{stage}_csv" for kind in ("loss", "predictions") for stage in TRAINING]
    others = ["dense-curve", "learning-curve", "robustness", "analyze_confusion"]
    others += ["confidence_reliability", "confidence_risk-coverage"]
    expected = [*tables, *(f"plots_{name}_csv" for name in others)]
    assert sorted(charts) == sorted(name.replace("@", "_") for name in expected)
    pictures = [Path(source).name for source in re.findall(r'<img src="([^"]+)"', page)]
    names = ["mistakes", "kernels", "confusion", "confusion-normalised", "t-sne", "neighbours"]
    found = sorted(re.sub(r"^.*_(?=[^_]+\.png$)", "", picture) for picture in pictures)
    names += ["dense-curve", "learning-curve", "robustness", "calibration", "disputed", "losses"]
    assert found == sorted(f"{name}.png" for name in names)
    assert not re.findall(r"<script[^>]* src=", scripts + page)  # it works offline


@pytest.mark.long
def test_two_branches_compare_even_without_the_cache(rerun: Path, tmp_path: Path) -> None:
    repo = rerun
    run(repo, "git", "checkout", "--quiet", "-b", "longer")
    change_params(repo, {"train-convnet.epochs": 3})
    assert stages_run(run(repo, "dvc", "repro")) == [
        *("train-convnet", "robustness", "confidence", "report")
    ]
    commit(repo, "train ConvNet for longer")
    longer = read(repo / "metrics/summary.json")
    for place in (repo, tmp_path / "bare"):
        if place != repo:
            run(repo, "git", "clone", "--quiet", str(repo), str(place))
            run(place, "git", "branch", "--quiet", "main", "origin/main")
        changes = json.loads(run(place, "dvc", "metrics", "diff", "main", "longer", "--json"))
        (changed,) = changes.values()  # of one network's file
        assert "metrics/accuracy/train-convnet.json" in changes
        accuracy = changed["test"]
        assert accuracy["new"] == longer["train-convnet"]["test"]["accuracy"] != accuracy["old"]
        shown = run(place, "dvc", "metrics", "show") + run(place, "dvc", "metrics", "diff", "main")
        assert shown.count("metrics/accuracy/") == len(TRAINING) + len(changed)
        assert max(map(len, shown.splitlines())) <= 100
        run(place, "dvc", "plots", "diff", "main", "longer", "--targets", "plots/loss")
        compared = run(place, sys.executable, "-m", "mnistpipe.cli", "compare", "main", "longer")
        before, after = re.findall(
            r"\| train-convnet \| 1, 1 \| ([\d.]+)% \| ([\d.]+)% \|", compared
        )[0]
        assert float(after) == pytest.approx(100 * accuracy["new"], abs=0.005)
        assert float(before) == pytest.approx(100 * accuracy["old"], abs=0.005)
        # Their predictions are the same files.
        assert compared.count("| 0 | 0 | 1 | not tested | within noise |") == len(TRAINING) - 1
    run(repo, "git", "checkout", "--quiet", "main")
    printed = run(repo, "dvc", "repro")  # from the run cache
    assert "epoch 1/" not in printed
    assert run(repo, "git", "status", "--porcelain") == ""


def test_another_fraction_is_five_lines_and_one_network(repo: Path) -> None:
    """That the stages take it is tested beside them."""
    new, last = "partial-data@two-fifths", "models/train-net-augmented.safetensors,\n"
    for line, file in (
        (
            "deps: [code/learning-curve.txt, metrics/train-net-augmented.json,\n",
            f"metrics/{new}.json",
        ),
        ("# Of every trained network, as for robustness.\n", f"plots/loss/{new}.csv"),
    ):
        edit(repo, "dvc.yaml", line, f"{line}           {file},\n")
    path = repo / "dvc.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace(last, f"{last}           models/{new}.safetensors,\n"), "utf-8")
    for file in (f"metrics/{new}.json", f"models/{new}.safetensors", f"plots/loss/{new}.csv"):
        (repo / file).touch()  # as its training will
    change_params(repo, {"+partial-data.fractions.two-fifths": 0.4})
    lines = run(repo, "git", "diff", "--numstat", "params.yaml", "dvc.yaml").split("\n")[:-1]
    assert lines == ["4\t0\tdvc.yaml", "1\t0\tparams.yaml"]
    stages = stages_run(run(repo, "dvc", "repro", "--dry"))
    assert stages == [new, "learning-curve", "robustness", "confidence", "report"]


def test_an_edited_comment_or_docstring_runs_no_stage_but_code(repo: Path) -> None:
    edit(repo, "mnistpipe/training/loop.py", '"""The one training loop."""', '"""It."""')
    edit(repo, "mnistpipe/training/loop.py", "# read later: reading", "# late: reading")
    edit(repo, "mnistpipe/training/engine.py", "# from malloc.h", "# glibc's")
    edit(repo, "mnistpipe/training/engine.py", '"""Where and how a network is trained.', '"""How.')
    edit(repo, "mnistpipe/files/sections.py", '"""One section of the file', '"""A section of it')
    edit(repo, "mnistpipe/files/sections.py", "# what is wrong is the key before it", "#")
    printed = run(repo, "dvc", "repro")
    assert stages_run(printed) == ["code"]
    assert sorted(stages_kept(printed)) == sorted(set(STAGES) - {"code"})
    assert run(repo, "git", "diff", "--name-only", "code", "metrics", "plots") == ""


def test_an_edited_statement_runs_the_stages_that_reach_it(repo: Path) -> None:
    """What follows from them runs if what they write is another file than before."""
    file = "mnistpipe/training/views.py"
    edit(repo, file, "BLUR_WEIGHTS = (1 / 16,", "BLUR_WEIGHTS = (0.0625,")
    assert stages_run(run(repo, "dvc", "repro", "code")) == ["code"]
    changed = run(repo, "git", "diff", "--name-only", "code").split()
    assert changed == ["code/dense-curve.txt", "code/robustness.txt", "code/train.txt"]
    lines = re.findall(r"^[+-](\S+) \w+$", run(repo, "git", "diff", "code"), re.MULTILINE)
    assert set(lines) == {file}
    stages = [*TRAINING, "dense-curve", "robustness"]
    assert stages_run(run(repo, "dvc", "repro", "--dry")) == stages


def test_an_edited_figure_is_drawn_again_and_no_more(repo: Path) -> None:
    """The edit changes nothing that can be seen: the report does not follow."""
    edit(repo, "mnistpipe/learning_curve/figure.py", "(ONE_COLUMN, 3.5)", "(ONE_COLUMN, 3.50)")
    printed = run(repo, "dvc", "repro")
    assert stages_run(printed) == ["code", "learning-curve"]
    assert "report" in stages_kept(printed)
    assert run(repo, "git", "diff", "--name-only", "code").split() == ["code/learning-curve.txt"]


def test_another_section_of_params_trains_nothing(repo: Path) -> None:
    """With its model in a wing of its own, as another stage would have it."""
    wing = repo / "mnistpipe" / "pruning"
    wing.mkdir()
    (wing / "__init__.py").write_text('"""Smaller networks."""\n', encoding="utf-8")
    model = """
from mnistpipe.files.sections import Section


class Pruning(Section):
    share: float
"""
    (wing / "params.py").write_text(model, encoding="utf-8")
    study = "mnistpipe/study.py"
    edit(
        repo,
        study,
        "class Params(",
        "from mnistpipe.pruning.params import Pruning\n\nclass Params(",
    )
    edit(repo, study, "    analyze: Analyze\n", "    analyze: Analyze\n    pruning: Pruning\n")
    with (repo / "params.yaml").open("a", encoding="utf-8") as file:
        file.write("\npruning:\n  share: 0.5\n")
    load = "from mnistpipe.study import load_params; print(load_params().pruning)"
    assert run(repo, sys.executable, "-c", load) == "share=0.5\n"
    printed = run(repo, "dvc", "repro")
    assert stages_run(printed) == ["code"]
    assert sorted(stages_kept(printed)) == sorted(set(STAGES) - {"code"})


@pytest.mark.long
def test_an_experiment_changes_one_line_and_what_depends_on_it(rerun: Path) -> None:
    printed = run(rerun, "dvc", "exp", "run", "-S", "train-net.lr=0.002", "train-net")
    assert stages_run(printed) == ["train-net"]
    diff = run(rerun, "git", "diff", "--unified=0", "params.yaml").splitlines()
    before, after = (line for line in diff if re.match(r"[+-] ", line))
    assert (before, after) == (f"-  lr: {PARAMS.train_net.lr}", "+  lr: 0.002")
    changed = run(rerun, "git", "diff", "--name-only").split()
    assert changed == [
        "dvc.lock",
        "params.yaml",
        "plots/loss/train-net.csv",
        "plots/predictions/train-net.csv",
    ]


def test_a_bare_clone_is_up_to_date(clone: tuple[Path, str], tmp_path: Path) -> None:
    folder, _ = clone
    place = tmp_path / "bare"
    run(tmp_path, "git", "clone", "--quiet", str(folder), str(place))
    printed = run(place, "dvc", "repro", "--dry", "--allow-missing")
    assert stages_run(printed) == []
    assert "up to date" in printed


def test_a_wrong_section_stops_before_any_stage(repo: Path) -> None:
    with (repo / "params.yaml").open("a", encoding="utf-8") as file:
        file.write("\ntrain_nett:\n  epochs: 3\n")
    printed = run(repo, sys.executable, "-m", "tools", "repro", status=1)
    assert printed.startswith("ERROR: params.yaml: train_nett is not a parameter")
    assert printed.count("\n") == 1


@pytest.mark.long
@pytest.mark.mnist
def test_a_fallback_gives_way_to_the_real_data(rerun: Path, mnist_mirror: Path) -> None:
    repro = (sys.executable, "-m", "tools", "repro", "prepare-split")
    assert "MNIST COULD NOT BE HAD" in run(rerun, *repro)
    with_mirror = NO_NETWORK | {"MNISTPIPE_MIRROR": str(mnist_mirror)}
    printed = run(rerun, *repro, environment=with_mirror)
    assert stages_run(printed) == ["code", "fetch-data", "prepare-split"]
    assert read(rerun / "metrics/prepare-split.json")["dataset"] == "MNIST"
    assert "train-net" in stages_run(run(rerun, "dvc", "repro", "--dry"))


def test_a_tree_with_its_lock_is_up_to_date_without_any_data(tmp_path: Path) -> None:
    """What is committed fits together: code, parameters, dvc.lock."""
    folder = copy_of_the_working_tree(tmp_path)
    printed = run(folder, "dvc", "repro", "--dry", "--allow-missing")
    assert stages_run(printed) == []
    assert "up to date" in printed


@pytest.fixture
def experimenter(rerun: Path, forks: Forks) -> Iterator[partial[str]]:
    """Runs a command in the repository, whose trainings are forks, and without a user's git."""
    environment = NO_NETWORK | forks.stand_in(TRAINING) | {"GIT_CONFIG_GLOBAL": os.devnull}
    yield partial(run, rerun, environment=environment | {"COLUMNS": "120"})
    # A worker of DVC's queue may miss the word to stop, and would wait for ever.
    for pid in (rerun / ".dvc/tmp/exps/celery").glob("*.pid"):
        with suppress(psutil.NoSuchProcess):
            worker = psutil.Process(int(pid.read_text(encoding="utf-8")))
            if "queue-worker" in worker.cmdline():
                worker.kill()


@pytest.mark.long
def test_experiments_side_by_side_become_branches_that_merge(
    experimenter: partial[str],
) -> None:
    """Each trains its own network; the merge trains none."""
    do = experimenter
    changes = {"slower": "train-convnet.lr=0.5", "faster": "train-net.lr=0.002"}
    for name, change in changes.items():
        do("dvc", "exp", "run", "--queue", "--name", name, "-S", change)
    do("dvc", "queue", "start", "--jobs", "2")
    wait_until(lambda: all(name in do("git", "for-each-ref", "refs/exps") for name in changes))
    wait_until(lambda: "Running" not in do("dvc", "queue", "status"))
    assert do("git", "status", "--porcelain") == ""
    lines = do(sys.executable, "-m", "tools", "experiments").splitlines()
    networks = ["train-convnet", "train-net"]
    assert lines[0].split() == [f"{net}{key}" for key in ("", ".lr") for net in networks]
    assert {*changes} <= {line.split()[0] for line in lines[3:]}  # and those of other tests
    assert max(map(len, lines)) <= 120
    difference = do("dvc", "exp", "diff", "main", "slower")
    assert re.search(r"train-convnet\.lr +1\.0 +0\.5 +-0\.5", difference)
    do("dvc", "exp", "apply", "slower")
    assert "+  lr: 0.5" in do("git", "diff", "params.yaml")
    do("git", "checkout", "--quiet", "--force", "main")
    for name in changes:
        do("dvc", "exp", "branch", name, name)
    do("dvc", "exp", "remove", *changes)

    do("git", "checkout", "--quiet", "-b", "merged", "slower")
    assert "CONFLICT (content): Merge conflict in dvc.lock" in do(
        "git", "merge", "faster", status=1
    )
    printed = do(sys.executable, "-m", "tools", "resolve")
    none_trains = {"code", "fetch-data", "robustness", "confidence", "report"}
    assert {*stages_run(printed)} == none_trains
    do("git", "commit", "--quiet", "--no-edit")
    assert "up to date" in do("dvc", "status")
    for network, branch in zip(networks, ("slower", "faster"), strict=True):
        files = f"metrics/accuracy/{network}.json", f"plots/loss/{network}.csv"
        assert do("git", "diff", branch, "--", *files) == ""


@pytest.mark.long
def test_an_experiment_runs_in_a_worktree_without_any_cache(
    experimenter: partial[str], tmp_path: Path
) -> None:
    place = tmp_path / "worktree"
    experimenter("git", "worktree", "add", "--quiet", "-b", "beside", str(place))
    bring_compiled(place)
    change = ("-S", "train-convnet.epochs=1", "train-convnet")
    environment = experimenter.keywords["environment"]
    printed = run(place, "dvc", "exp", "run", *change, environment=environment)
    assert stages_run(printed) == ["fetch-data", "prepare-split", "train-convnet"]
    assert len((place / "plots/loss/train-convnet.csv").read_text().splitlines()) == 2
    experimenter("git", "worktree", "remove", "--force", str(place))
