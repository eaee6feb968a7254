"""dvc.yaml against the code: what a stage depends on is what it imports and reads."""

import ast
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from mnistpipe.params import (
    BEST_STAGE,
    SWEEP,
    TRAIN_STAGES,
    Params,
    load_params,
    steps_sweep_stages,
    sweep_stages,
    train_stages,
)
from tests.conftest import ROOT

PIPELINE: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
STAGES: dict[str, dict[str, Any]] = {
    name: stage.get("do", stage) for name, stage in PIPELINE["stages"].items()
}
PARAMS = load_params(ROOT / "params.yaml")
OTHER_SWEEP = "partial-data-steps"
OTHER_FRACTIONS = PARAMS.partial_data.other_steps.fractions
OTHER_STAGES = steps_sweep_stages(PARAMS)


@cache
def imported_files(file: Path) -> frozenset[str]:
    """The project's modules that a module imports, directly or not, and itself."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    files = {file.relative_to(ROOT).as_posix()}
    for name in names:
        module = ROOT / (name.replace(".", "/") + ".py")
        if name.split(".")[0] in ("mnistpipe", "stages") and module.exists():
            files |= imported_files(module)
    return frozenset(files)


def script_of(stage: dict[str, Any]) -> Path:
    match = re.fullmatch(r"python -m stages\.(\w+)( .*)?", stage["cmd"])
    assert match is not None, stage["cmd"]
    return ROOT / "stages" / f"{match[1]}.py"


def outputs_of(stage: dict[str, Any]) -> list[str]:
    entries = [entry for kind in ("outs", "metrics", "plots") for entry in stage.get(kind, [])]
    return [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]


def test_the_import_closure_follows_indirect_and_late_imports() -> None:
    files = imported_files(ROOT / "stages" / "train.py")
    assert "mnistpipe/augment.py" in files  # by way of training.py
    assert "mnistpipe/figures.py" not in files  # an edit of a figure trains nothing
    assert "mnistpipe/analysis.py" in imported_files(ROOT / "stages" / "analyze.py")


@pytest.mark.parametrize("name", STAGES)
def test_code_dependencies_are_the_imported_modules(name: str) -> None:
    declared = {dep for dep in STAGES[name]["deps"] if dep.endswith(".py")}
    assert declared == imported_files(script_of(STAGES[name]))


def test_packages_hold_nothing_that_products_depend_on() -> None:
    """They are imported, too, but are no dependencies of any stage."""
    tree = ast.parse((ROOT / "mnistpipe" / "__init__.py").read_text(encoding="utf-8"))
    assert [type(node) for node in tree.body] == [ast.Expr]
    source = (ROOT / "stages" / "__init__.py").read_text(encoding="utf-8")
    imported = set(re.findall(r"^(?:from|import) (\w+)", source, re.MULTILINE))
    assert imported == {"atexit", "os", "signal", "sys", "types"}  # how it ends, and no more


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_is_locked_under_its_own_name(name: str) -> None:
    script = script_of(STAGES[name])
    (call,) = re.findall(r"^    run\((.+)\)$", script.read_text(encoding="utf-8"), re.MULTILINE)
    assert call == ("main, *sys.argv[1:2]" if script.stem == "train" else f'main, "{name}"')


@pytest.mark.parametrize(
    ("name", "params"),
    [
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
        (
            "learning-curve",
            [
                "partial-data.fractions",
                "partial-data.recipe.min_steps",
                "partial-data.other_steps",
                "learning-curve",
            ],
        ),
        ("analyze", ["analyze"]),
        (
            "robustness",
            ["robustness", "partial-data.fractions", "partial-data.other_steps.fractions"],
        ),
        ("report", []),
    ],
)
def test_params_are_the_sections_that_the_stage_reads(name: str, params: list[str]) -> None:
    assert STAGES[name].get("params", []) == params


def sections_read(script: Path) -> set[str]:
    """The attributes taken from what `load_params` returns, by name, in a stage's script."""
    source = script.read_text(encoding="utf-8")
    assert not re.search(r"= load_params\(\)$", source, re.MULTILINE), "name the section at once"
    return set(re.findall(r"load_params\(\)\.(\w+)", source)) | set(
        re.findall(r"(\w+)\(load_params\(\)\)", source)
    )


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("fetch-data", {"data"}),
        ("prepare-split", {"prepare_split"}),
        ("train-net", {"training_run"}),
        (
            "learning-curve",
            {"sweep_stages", "steps_sweep_stages", "partial_data", "learning_curve"},
        ),
        ("analyze", {"analyze"}),
        ("robustness", {"robustness", "sweep_stages", "steps_sweep_stages"}),
        ("report", set()),
    ],
)
def test_scripts_read_no_other_sections(name: str, read: set[str]) -> None:
    assert sections_read(script_of(STAGES[name])) == read


class _Recorder:
    """Stands for Params and notes which of its sections are read."""

    def __init__(self, params: Params) -> None:
        self.params, self.read = params, set[str]()

    def __getattr__(self, name: str) -> object:
        self.read.add(name)
        value: object = getattr(self.params, name)
        return value


@pytest.mark.parametrize("stage", train_stages(PARAMS))
def test_a_training_run_reads_its_own_section_alone(stage: str) -> None:
    recorder = _Recorder(PARAMS)
    Params.training_run(recorder, stage)  # type: ignore[arg-type]
    section = stage.partition("@")[0].removesuffix("-steps")
    assert recorder.read == {section.replace("-", "_")}


def test_every_fraction_is_a_point_of_the_learning_curve() -> None:
    deps = STAGES["learning-curve"]["deps"]
    declared = [dep for dep in deps if dep.startswith("metrics/")]
    stages = [*sweep_stages(PARAMS), *OTHER_STAGES, BEST_STAGE]
    expected = [f"metrics/{stage}.json" for stage in stages]
    missing = [f"      - {path}" for path in expected if path not in declared]
    assert not missing, "dvc.yaml, learning-curve, deps: add\n" + "\n".join(missing)
    assert sorted(declared) == sorted(expected)


def test_every_trained_network_is_scored_for_its_robustness() -> None:
    declared = [dep for dep in STAGES["robustness"]["deps"] if dep.startswith("models/")]
    expected = [f"models/{stage}.safetensors" for stage in train_stages(PARAMS)]
    missing = [f"      - {path}" for path in expected if path not in declared]
    assert not missing, "dvc.yaml, robustness, deps: add\n" + "\n".join(missing)
    assert sorted(declared) == sorted(expected)


def test_the_sweep_is_over_the_fractions_of_params() -> None:
    assert PIPELINE["stages"][SWEEP]["foreach"] == "${partial-data.fractions}"


def test_the_other_sweep_is_over_the_fractions_whose_updates_it_changes() -> None:
    assert PIPELINE["stages"][OTHER_SWEEP]["foreach"] == "${partial-data.other_steps.fractions}"


def test_one_name_everywhere() -> None:
    for stage in [*TRAIN_STAGES, f"{SWEEP}@${{key}}", f"{OTHER_SWEEP}@${{item}}"]:
        entry = STAGES[stage.partition("@")[0]]
        assert entry["cmd"] == f"python -m stages.train {stage}"
        assert outputs_of(entry) == [
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
    assert bool(special) == (name in ("fetch-data", "report"))


def test_no_stage_after_prepare_split_reads_the_raw_files() -> None:
    readers = [name for name, stage in STAGES.items() if "data/raw" in stage["deps"]]
    assert readers == ["prepare-split"]


def test_every_file_that_is_read_is_written_by_an_earlier_stage() -> None:
    written: set[str] = set()
    for name, stage in STAGES.items():
        data = [dep for dep in stage["deps"] if not dep.endswith(".py")]
        assert not set(data) - written, name
        keys = {SWEEP: PARAMS.partial_data.fractions, OTHER_SWEEP: OTHER_FRACTIONS}.get(name, [""])
        written |= {
            re.sub(r"\$\{(key|item)\}", key, out) for out in outputs_of(stage) for key in keys
        }


def test_the_best_model_is_named_as_an_artifact() -> None:
    assert PIPELINE["artifacts"]["best-model"]["path"] == f"models/{BEST_STAGE}.safetensors"
