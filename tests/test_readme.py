import re
import shutil
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from mnistpipe.classifier import PRETRAINED
from mnistpipe.files.artifacts import read_json, write_bytes, write_json
from mnistpipe.files.errors import UserError
from mnistpipe.report.render import render_averaged, render_dense
from tests.conftest import ROOT
from tests.images.drawings import draw
from tools.readme import (
    CURVE_SUMMARY,
    PICTURES,
    SCIENCE,
    all_recipes,
    best_runs,
    main,
    sizes_table,
    with_table,
)
from tools.screenshots import SCREENSHOTS

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_results_table_is_the_summaries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    summary = read_json(ROOT / "metrics" / "summary.json")
    dataset = summary["data"]["dataset"]
    as_committed = ["git", "diff", "--quiet", "HEAD", "--", "metrics/summary.json"]
    if dataset != "MNIST" and subprocess.run(as_committed, check=False).returncode != 0:
        pytest.skip(f"the study has run on {dataset} here, and the README's numbers are MNIST's")
    assert with_table(ROOT / "README.md", "results", all_recipes(summary)) == README
    assert dataset == "MNIST"


def test_what_is_said_of_the_recipes_is_their_summaries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    text = SCIENCE.read_text(encoding="utf-8")
    assert with_table(SCIENCE, "dense curve", render_dense(read_json(CURVE_SUMMARY))) == text
    assert with_table(SCIENCE, "best", render_averaged(best_runs())) == text


@pytest.mark.parametrize(
    ("recipe", "kept"),
    [
        ("tuned", {"recipes/tuned/summary.json": "metrics/summary.json"}),
        (
            "best",
            {
                "recipes/best/summary.json": "metrics/train-net-augmented.json",
                "recipes/best/sixteenth.json": "metrics/partial-data@sixteenth.json",
            },
        ),
        (
            "curve",
            {
                "recipes/curve/summary.json": "metrics/dense-curve.json",
                "recipes/curve/networks.csv": "plots/dense-curve.csv",
                "docs/dense-curve.png": "plots/dense-curve.png",
            },
        ),
    ],
)
def test_after_a_recipe_its_numbers_are_kept_and_nothing_else_changes(
    recipe: str, kept: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["readme"])
    shutil.copytree(ROOT / "recipes", "recipes", ignore=shutil.ignore_patterns("*.json", "*.csv"))
    shutil.copy(f"recipes/{recipe}/params.yaml", "params.yaml")
    write_json(Path("metrics/summary.json"), {"data": {"dataset": "MNIST"}})
    paths = [
        "metrics/train-net-augmented.json",
        "metrics/partial-data@sixteenth.json",
        "metrics/dense-curve.json",
    ]
    for path in (*paths, "plots/dense-curve.csv", "plots/dense-curve.png"):
        write_bytes(Path(path), path.encode())
    before = {path for path in Path().rglob("*") if path.is_file()}
    main()
    after = {path for path in Path().rglob("*") if path.is_file()}
    assert after - before == {Path(path) for path in kept}
    assert all(Path(to).read_bytes() == Path(source).read_bytes() for to, source in kept.items())


def test_the_pictures_are_there() -> None:
    assert re.findall(r"!\[[^\]]+\]\((docs/[^)]+)\)", README) == [
        str(picture) for picture in (*SCREENSHOTS, *(Path("docs") / each.name for each in PICTURES))
    ]
    for picture in (*SCREENSHOTS, *(Path("docs") / each.name for each in PICTURES)):
        assert (ROOT / picture).read_bytes().startswith(b"\x89PNG")
    for picture in SCREENSHOTS:
        assert (ROOT / picture).stat().st_size < 250_000


def test_it_is_read_in_one_sitting() -> None:
    assert len(README.splitlines()) < 160


def test_the_example_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the package's own network under the name of the study's."""
    monkeypatch.chdir(tmp_path)
    for name, digit in (("seven.png", 7), ("photographs/eight.jpg", 8)):
        Path(name).parent.mkdir(exist_ok=True)
        Image.fromarray(draw(digit)).save(name)
    Path("models").mkdir()
    shutil.copy(PRETRAINED, "models/train-net-augmented.safetensors")
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    exec(compile(example, "README.md", "exec"), {})  # noqa: S102 (our own)
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["7", "8"]


def test_only_the_text_between_the_marks_changes(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    start, end = "<!-- sizes: written by make readme -->", "<!-- end of sizes -->"
    page.write_text(f"a\n{start}\nold\n{end}\nb", encoding="utf-8")
    assert with_table(page, "sizes", "new") == f"a\n{start}\nnew\n{end}\nb"
    page.write_text(f"{end} {start}\n", encoding="utf-8")
    with pytest.raises(UserError, match="should hold the lines"):
        with_table(page, "sizes", "new")


def test_the_sizes_of_a_page_add_up() -> None:
    page = '<p>text</p><div class="widget" id="map"><div>1234567890</div></div>'
    assert sizes_table(page).splitlines()[2:] == [
        "| `map` | 56 |",
        "| `text` | 11 |",
        "| the whole page | 67 |",
    ]


def test_contributing_names_the_commands_of_ci() -> None:
    targets = re.findall(r"^make (\w+)$", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)
    assert targets == ["check", "test"]
    contributing = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert all(f"make {target} " in contributing for target in targets)


def test_dvc_yaml_is_read_in_one_sitting() -> None:
    assert len((ROOT / "dvc.yaml").read_text(encoding="utf-8").splitlines()) < 230
