"""dvc.yaml against the code: what a stage depends on is what its script reaches and reads."""

import copy
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from dvc.utils.hydra import apply_overrides

from mnistpipe.files import sections
from mnistpipe.files.errors import UserError
from mnistpipe.study import load_params
from mnistpipe.training.plan import (
    BEST_STAGE,
    OWN,
    SWEEP,
    TRAIN_STAGES,
    read_training_run,
    train_stages,
)
from stages import __main__ as entry
from stages import code
from tests.conftest import PARAMS_FILE, ROOT, tracked_files

PIPELINE: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
STAGES: dict[str, dict[str, Any]] = {
    name: stage.get("do", stage) for name, stage in PIPELINE["stages"].items()
}
SCRIPTS = sorted(path.stem.replace("_", "-") for path in (ROOT / "stages").glob("[!_]*.py"))
PARAMS_TREE: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
PARAMS = load_params(ROOT / "params.yaml")
OTHER_SWEEP = "partial-data-steps"
# By stage of the file: what stands for the fraction in its name, and the fractions.
KEYS = {
    SWEEP: ("@${key}", [*PARAMS.partial_data.fractions]),
    OTHER_SWEEP: ("@${item}", [*PARAMS.partial_data.other_steps.fractions]),
    OWN: ("@${key}", [*PARAMS.own.runs]),
}


def full_names(name: str) -> list[str]:
    """The stages that an entry of dvc.yaml stands for."""
    return [f"{name}@{key}" for key in KEYS[name][1]] if name in KEYS else [name]


def outputs_of(stage: dict[str, Any]) -> list[str]:
    entries = [entry for kind in ("outs", "metrics", "plots") for entry in stage.get(kind, [])]
    return [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]


@cache
def run_by(stage: str) -> tuple[str, str | None, tuple[object, ...]]:
    """Script, name and words of what `python -m stages STAGE` would run."""
    calls = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["stages", stage])
        patch.setattr(entry, "answer_signals", lambda: None)
        patch.setattr(entry, "run", lambda *arguments: calls.append(arguments))
        entry.main()
    ((call, name),) = calls
    assert call.func is entry._run_script  # which checks that its code is what DVC knows
    script, main = call.args
    assert main.func.__name__ == "main"
    assert main.func.__module__ == f"stages.{script.replace('-', '_')}"
    return script, name, main.args


def script_of(name: str) -> str:
    (script,) = {run_by(stage)[0] for stage in full_names(name) or [f"{name}@any"]}
    return script


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_is_run_by_its_name_and_locked_under_it(name: str) -> None:
    suffix = KEYS[name][0] if name in KEYS else ""
    assert STAGES[name]["cmd"] == f"python -m stages {name}{suffix}"
    for stage in full_names(name):
        script, lock, words = run_by(stage)
        assert lock == stage
        assert words == ((stage,) if script == "train" else ())


def test_every_script_is_a_stages() -> None:
    assert sorted({script_of(name) for name in STAGES}) == SCRIPTS


@pytest.mark.parametrize("name", [name for name in STAGES if name != "code"])
def test_a_stage_depends_on_what_the_code_of_its_script_does(name: str) -> None:
    declared = [dep for dep in STAGES[name]["deps"] if re.match(r"code|mnistpipe|stages", dep)]
    assert declared == [f"code/{script_of(name)}.txt"]


def test_the_first_stage_reads_all_code_and_writes_a_file_for_each_other_script() -> None:
    name, stage = next(iter(STAGES.items()))
    assert name == "code"
    assert stage["deps"] == ["mnistpipe", "stages"]
    others = [script for script in SCRIPTS if script != "code"]
    assert sorted(outputs_of(stage)) == [f"code/{script}.txt" for script in others]


@pytest.fixture(scope="module")
def digests(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the stage code writes now, by path."""
    folder = tmp_path_factory.mktemp("digests")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        code.main()
    return {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in (folder / "code").iterdir()
    }


def test_what_is_committed_of_the_code_is_what_it_does_now(digests: dict[str, str]) -> None:
    assert sorted(digests) == sorted(outputs_of(STAGES["code"]))
    committed = {
        path: (ROOT / path).read_text(encoding="utf-8") if (ROOT / path).exists() else None
        for path in digests
    }
    changed = [path for path, text in digests.items() if committed[path] != text]
    assert not changed, "run: dvc repro code"


def test_the_digests_are_of_what_a_script_reaches_and_of_nothing_else(
    digests: dict[str, str],
) -> None:
    reached = {
        path: {line.split()[0] for line in text.splitlines()} for path, text in digests.items()
    }
    train, analyze = reached["code/train.txt"], reached["code/analyze.txt"]
    assert {"stages/train.py", "mnistpipe/training/views.py"} <= train  # by way of the loop
    assert "mnistpipe/analysis/features.py" in analyze
    assert "mnistpipe/report/report.md.j2" in reached["code/report.txt"]
    figures = {path for paths in reached.values() for path in paths if "figure" in path}
    assert figures
    assert not train & figures  # an edit of one trains nothing
    # What knows all sections would tie every stage to each of them.
    assert not any("mnistpipe/study.py" in paths for paths in reached.values())
    assert not any(path.startswith("tests/") for paths in reached.values() for path in paths)


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("code", []),
        ("fetch-data", ["data"]),
        ("prepare-split", ["prepare-split"]),
        *((stage, [stage]) for stage in TRAIN_STAGES),
        (
            SWEEP,
            ["partial-data.recipe", "partial-data.seeds", "partial-data.fractions.${key}"],
        ),
        (
            "partial-data-steps",
            [
                "partial-data.recipe",
                "partial-data.seeds",
                "partial-data.other_steps.as_half",
                "partial-data.fractions.half",
                "partial-data.fractions.${item}",
            ],
        ),
        (OWN, ["own.runs.${key}"]),
        ("dense-curve", ["dense-curve", "learning-curve", "partial-data.recipe"]),
        (
            "learning-curve",
            [
                "partial-data.fractions",
                "partial-data.recipe.min_steps",
                "partial-data.other_steps",
                "learning-curve",
            ],
        ),
        ("analyze", ["analyze", BEST_STAGE]),
        (
            "robustness",
            ["robustness", "partial-data.fractions", "partial-data.other_steps.fractions"],
        ),
        ("confidence", ["confidence", *TRAIN_STAGES, SWEEP]),
        (
            "report",
            [
                "data",
                "prepare-split",
                *TRAIN_STAGES,
                "partial-data",
                "learning-curve",
                "dense-curve",
                "robustness",
                "analyze",
                "confidence",
            ],
        ),
    ],
)
def test_params_are_the_sections_that_the_stage_reads(name: str, params: list[str]) -> None:
    assert STAGES[name].get("params", []) == params


class _Recorder(dict[str, Any]):
    """The parsed params.yaml, which notes the sections that are taken from it."""

    def __init__(self, content: dict[str, Any]) -> None:
        super().__init__(content)
        self.read: set[str] = set()

    def __getitem__(self, key: str) -> Any:  # noqa: ANN401 (YAML's)
        self.read.add(key)
        return super().__getitem__(key)


@pytest.mark.parametrize("name", STAGES)
def test_a_script_reads_no_other_sections(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each reads its sections before it finds out that this folder holds no files to work on."""
    monkeypatch.chdir(tmp_path)
    declared = {param.split(".")[0] for param in STAGES[name].get("params", [])}
    for stage in full_names(name):
        script, _, words = run_by(stage)
        recorder = _Recorder(PARAMS_TREE)
        monkeypatch.setattr(sections, "_read_yaml", lambda _, recorder=recorder: recorder)
        main = sys.modules[f"stages.{script.replace('-', '_')}"].main
        if name == "fetch-data":
            recorder |= {"data": PARAMS_TREE["data"] | {"dataset": "mnist"}}  # fetched, not read
            monkeypatch.setattr(sys.modules["stages.fetch_data"], "fetch", lambda *_: "")
            main(*words)
        elif name == "code":
            main(*words)
        else:
            with pytest.raises(UserError, match=r"is missing|data/raw"):
                main(*words)
        assert recorder.read == declared


@pytest.mark.parametrize(
    ("script", "taken"),
    [
        ("dense_curve", {"recipe"}),
        (
            "learning_curve",
            {"stages", "steps_stages", "recipe.min_steps", "other_steps.as_half"},
        ),
        ("robustness", {"stages", "steps_stages"}),
    ],
)
def test_of_the_sweeps_section_others_take_what_dvc_knows_of(script: str, taken: set[str]) -> None:
    """Its stages follow from its fractions and those of `other_steps`."""
    source = (ROOT / "stages" / f"{script}.py").read_text(encoding="utf-8")
    assert "sweep = read_section(SWEEP, PartialData)\n" in source
    assert set(re.findall(r"\bsweep\.(\w+(?:\.(?!values)\w+)?)", source)) == taken
    assert len(re.findall(r"\bsweep\b(?!\.)", source)) == 1  # it is not handed on as a whole


def leaves(tree: Any, *path: Any) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401 (YAML's)
    """The path of each single value."""
    if isinstance(tree, dict | list):
        pairs = tree.items() if isinstance(tree, dict) else enumerate(tree)
        for key, value in pairs:
            yield from leaves(value, *path, key)
    else:
        yield path


WORDS = ("original", "blur", "adadelta", "rmsprop", "fp32", "bf16", "auto", "quarter", "half")


def changed(value: Any) -> list[Any]:  # noqa: ANN401 (YAML's)
    """Other values of its kind, one of which is allowed in most places."""
    match value:
        case bool():
            return [not value]
        case int():
            return [value + 1]
        case float():
            return [value * 0.9, value + 0.01]
        case _:
            return [word for word in WORDS if word != value]


def test_a_training_run_is_decided_by_its_own_params_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever value of params.yaml another one takes the place of, and is allowed there."""
    tree = copy.deepcopy(PARAMS_TREE)
    monkeypatch.setattr(sections, "_read_yaml", lambda _: tree)
    declared = {
        stage: {re.sub(r"\$\{\w+\}", stage.partition("@")[2], param) for param in entry["params"]}
        for name, entry in STAGES.items()
        if script_of(name) == "train"
        for stage in full_names(name)
    }
    assert sorted(declared) == sorted(PARAMS.train_stages)
    before = {stage: read_training_run(stage) for stage in declared}
    moved = dict.fromkeys(declared, 0)
    for *above, last in leaves(PARAMS_TREE):
        place: Any = tree
        for key in above:
            place = place[key]
        key = ".".join(map(str, (*above, last)))
        value = place[last]
        for other in changed(value):
            place[last] = other
            for stage, params in declared.items():
                try:
                    differs = read_training_run(stage) != before[stage]
                except UserError:  # it is not allowed there
                    continue
                if differs:
                    moved[stage] += 1
                    assert any(f"{key}.".startswith(f"{param}.") for param in params), (stage, key)
        place[last] = value
    assert min(moved.values()) > 10


def test_every_fraction_is_a_point_of_the_learning_curve() -> None:
    deps = STAGES["learning-curve"]["deps"]
    declared = [dep for dep in deps if dep.startswith("metrics/")]
    stages = [*full_names(SWEEP), *full_names(OTHER_SWEEP), BEST_STAGE]
    expected = [f"metrics/{stage}.json" for stage in stages]
    missing = [f"    - {path}" for path in expected if path not in declared]
    assert not missing, "dvc.yaml, learning-curve, deps: add\n" + "\n".join(missing)
    assert sorted(declared) == sorted(expected)


@pytest.mark.parametrize(
    ("reader", "path"),
    [
        ("robustness", "models/{}.safetensors"),
        ("confidence", "models/{}.safetensors"),
        ("report", "plots/loss/{}.csv"),
    ],
)
def test_every_network_of_the_study_is_looked_at_and_its_losses_are_drawn(
    reader: str, path: str
) -> None:
    folder = path.partition("{")[0]
    declared = [dep for dep in STAGES[reader]["deps"] if dep.startswith(folder)]
    expected = [path.format(stage) for stage in train_stages(PARAMS.partial_data)]
    missing = [f"    - {path}" for path in expected if path not in declared]
    assert not missing, f"dvc.yaml, {reader}, deps: add\n" + "\n".join(missing)
    assert sorted(declared) == sorted(expected)


def test_the_sweep_is_over_the_fractions_of_params() -> None:
    assert PIPELINE["stages"][SWEEP]["foreach"] == "${partial-data.fractions}"


def test_the_other_sweep_is_over_the_fractions_whose_updates_it_changes() -> None:
    assert PIPELINE["stages"][OTHER_SWEEP]["foreach"] == "${partial-data.other_steps.fractions}"


def test_one_name_everywhere() -> None:
    for name in (*TRAIN_STAGES, SWEEP, OTHER_SWEEP, OWN):
        stage = name + (KEYS[name][0] if name in KEYS else "")
        assert outputs_of(STAGES[name]) == [
            f"models/{stage}.safetensors",
            f"metrics/{stage}.json",
            f"plots/loss/{stage}.csv",
            f"plots/predictions/{stage}.csv",
        ]


@pytest.mark.parametrize("name", STAGES)
def test_every_stage_has_a_description_with_its_time(name: str) -> None:
    assert re.search(r"\((seconds|\d+ minutes?.*)\)$", STAGES[name]["desc"])


@pytest.mark.parametrize("name", STAGES)
def test_uncached_outputs_leave_the_run_cache_of_training_on(name: str) -> None:
    """DVC uses no run cache for a stage with an uncached or persistent entry under `outs`."""
    special = [entry for entry in STAGES[name].get("outs", []) if not isinstance(entry, str)]
    assert bool(special) == (name in ("code", "fetch-data", "report"))


def test_no_stage_after_prepare_split_reads_the_raw_files() -> None:
    readers = [name for name, stage in STAGES.items() if "data/raw" in stage["deps"]]
    assert readers == ["prepare-split"]


def test_every_file_that_is_read_is_written_by_an_earlier_stage() -> None:
    written = {"mnistpipe", "stages", "${data.folder}"}  # by us, or by the user
    for name, stage in STAGES.items():
        assert not set(stage["deps"]) - written, name
        keys = KEYS[name][1] if name in KEYS else [""]
        written |= {
            re.sub(r"\$\{(key|item)\}", key, out) for out in outputs_of(stage) for key in keys
        }


def test_a_changed_image_of_ones_own_is_seen_and_its_folder_is_there_by_default() -> None:
    assert "${data.folder}" in STAGES["fetch-data"]["deps"]
    default = load_params(PARAMS_FILE).data.folder
    assert f"{default}/README.md" in tracked_files()  # or DVC would miss the folder in a clone


def test_the_best_model_is_named_as_an_artifact() -> None:
    assert PIPELINE["artifacts"]["best-model"]["path"] == f"models/{BEST_STAGE}.safetensors"


@pytest.mark.parametrize(
    "file", ["params.yaml", "recipes/tuned/params.yaml", "recipes/smoke/params.yaml"]
)
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("data.fallback", "null"),
        ("prepare-split.validation_fraction", "0.21"),
        ("train-convnet.dropout", "0.31"),
        ("train-net.lr", "0.0021"),
        ("train-net.optimizer.weight_decay", "0.031"),
        ("train-net-augmented.schedule.name", "nothing"),
        ("partial-data.recipe.lr", "0.0052"),
        ("partial-data.recipe.epochs", "33"),
        ("learning-curve.seed", "3"),
        ("robustness.seed", "3"),
    ],
)
def test_an_experiment_changes_one_line_of_the_parameters(
    file: str, key: str, value: str, tmp_path: Path
) -> None:
    """`dvc exp run -S KEY=VALUE` leaves comments, styles and all other lines as they are."""
    before = (ROOT / file).read_text(encoding="utf-8")
    path = tmp_path / "params.yaml"
    path.write_text(before, encoding="utf-8")
    apply_overrides(path, [f"{key}={value}"])
    old, new = before.splitlines(), path.read_text(encoding="utf-8").splitlines()
    (pair,) = [pair for pair in zip(old, new, strict=True) if pair[0] != pair[1]]
    both = [re.sub(rf"({key.rpartition('.')[2]}:) [^ ,}}]+", r"\1", line).split() for line in pair]
    assert both[0] == both[1]  # but for the value, and the spaces before a comment
    if value == "nothing":
        with pytest.raises(UserError, match=r"schedule\.name should be 'step' or 'one-cycle'"):
            load_params(path)
    else:
        place: Any = load_params(path).model_dump(by_alias=True)
        for part in key.split("."):
            place = place[part]
        assert place == yaml.safe_load(value)
