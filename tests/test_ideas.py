import re
from pathlib import Path
from statistics import median

import pandas as pd
import pytest
from scipy.stats import ttest_1samp, ttest_rel

from mnistpipe.data.split import Split
from mnistpipe.data.split_file import SPLIT_FILE, write_split
from mnistpipe.files.errors import UserError
from mnistpipe.files.sections import read_sections
from mnistpipe.training.plan import read_training_run
from tests.conftest import PARAMS_FILE, ROOT
from tools import ideas

IDEAS = """
recipe: params.yaml
stage: train-convnet
seeds: [1, 2, 3]
ideas:
  as-it-is: {epochs: 1}
  no-updates: {epochs: 1, lr: 0.0000001}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, split: Split) -> Path:
    """Where ideas are tried: a small split, the write-up's recipes."""
    monkeypatch.chdir(tmp_path)
    write_split(SPLIT_FILE, split)
    Path("params.yaml").write_text(PARAMS_FILE.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(ideas, "choose", lambda function, *words: function(*words))
    return tmp_path


def look(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    Path("ideas.yaml").write_text(text, encoding="utf-8")
    monkeypatch.setattr("sys.argv", ["ideas", "ideas.yaml", "--table", "trials.csv"])
    ideas.main()


@pytest.mark.slow
@pytest.mark.usefixtures("folder")
def test_each_idea_is_trained_with_each_seed_and_compared_with_the_first(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    look(monkeypatch, IDEAS)
    header, *rows = Path("trials.csv").read_text(encoding="utf-8").splitlines()
    assert header == "idea,seed,validation_errors,validation_loss"
    assert [row.split(",")[:2] for row in rows] == [
        [idea, seed] for idea in ("as-it-is", "no-updates") for seed in "123"
    ]
    first, second = capsys.readouterr().out.splitlines()[-2:]
    assert first.startswith("as-it-is: ")
    assert " to as-it-is, p = " in second
    means = [float(line.split()[1]) for line in (first, second)]
    assert means == pytest.approx(
        [sum(int(row.split(",")[2]) for row in part) / 3 for part in (rows[:3], rows[3:])], abs=0.05
    )


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("{droput: 0.1}", "Extra inputs are not permitted"),
        ("{epochs: 0}", "greater than or equal to 1"),
        ("{views.3.degrees: 1.0}", "list index out of range"),
        ("{optimizer.name: sgd}", "'adadelta', 'rmsprop' or 'adamw'"),
    ],
)
def test_an_idea_that_is_no_recipe_is_named(
    monkeypatch: pytest.MonkeyPatch, change: str, reason: str
) -> None:
    with pytest.raises(UserError, match=reason) as caught:
        look(monkeypatch, IDEAS.replace("{epochs: 1}", change))
    assert str(caught.value).startswith("ideas.yaml: ideas.as-it-is does not change params.yaml's")


def test_a_seed_that_stands_twice_is_named(tmp_path: Path) -> None:
    path = tmp_path / "ideas.yaml"
    path.write_text(IDEAS.replace("[1, 2, 3]", "[1, 1]"), encoding="utf-8")
    with pytest.raises(UserError, match="seeds should name each seed once"):
        read_sections(ideas.Ideas, path)


@pytest.mark.parametrize(("tried_for", "n_ideas"), [("tuned", 7), ("best", 3)])
def test_the_ideas_that_were_tried_are_still_recipes(tried_for: str, n_ideas: int) -> None:
    wanted = read_sections(ideas.Ideas, ROOT / "recipes" / tried_for / "ideas.yaml")
    recipe = read_training_run(wanted.stage, ROOT / wanted.recipe).recipe
    changed = {name: ideas.change(recipe, fields) for name, fields in wanted.ideas.items()}
    if tried_for == "tuned":
        assert changed["batch-64"].batch_size == 64
    assert len({each.model_dump_json() for each in changed.values()}) == len(changed) == n_ideas


def test_the_page_says_what_the_trials_do() -> None:
    trials = pd.read_csv(ROOT / "recipes" / "tuned" / "ideas.csv")
    errors = trials.pivot_table("validation_errors", index="seed", columns="idea", sort=False)
    page = (ROOT / "docs" / "science.md").read_text(encoding="utf-8")
    page = page.partition("## The best of Net")[0]
    rows = re.findall(r"^\| `([^`]+)`[^|]*\|[^|]*\| (.*) \|$", page, re.MULTILINE)
    assert [name for name, _ in rows] == [*errors]
    thresholds = []
    for name, numbers in rows:
        mean, sd, gain, p = (cell.strip() for cell in numbers.split("|"))
        assert (mean, sd) == (f"{errors[name].mean():.1f}", f"{errors[name].std():.1f}")
        if name == "longer":
            assert (gain, p) == ("", "")
            continue
        difference = errors[name] - errors["longer"]
        test = ttest_rel(errors[name], errors["longer"])
        assert (gain, p) == (f"{difference.mean():+.1f}", f"{test.pvalue:.2f}")
        thresholds.append((test.confidence_interval().high - test.confidence_interval().low) / 2)
    assert [round(f(thresholds)) for f in (median, min, max)] == [7, 3, 12]
    assert "about seven errors of 45 to show (three to\ntwelve, by" in page


def test_the_page_says_what_led_to_the_best_recipe() -> None:
    trials = pd.read_csv(ROOT / "recipes" / "best" / "ideas.csv")
    plain, averaged = (
        trials.pivot_table(f"validation_errors{way}", index="seed", columns="idea", sort=False)
        for way in ("", "_tta")
    )
    page = (ROOT / "docs" / "science.md").read_text(encoding="utf-8")
    section = page.partition("## The best of Net")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([^`]+)`[^|]*\|[^|]*\| (.*) \|$", section, re.MULTILINE)
    assert [name for name, _ in rows] == [*plain]
    for name, numbers in rows:
        cells = [cell.strip() for cell in numbers.split("|")]
        assert cells[:3] == [
            *(
                f"{errors[name].mean():.1f} ± {errors[name].std():.1f}"
                for errors in (plain, averaged)
            ),
            f"{(averaged[name] - plain[name]).mean():+.1f}",
        ]
        if name == "tuned":
            assert cells[3:] == ["", ""]
        else:
            test = ttest_rel(averaged[name], averaged["tuned"])
            gain = (averaged[name] - averaged["tuned"]).mean()
            assert cells[3:] == [f"{gain:+.1f}", f"{test.pvalue:.2f}"]
    gains = (averaged - plain).to_numpy().ravel()
    assert f"{-gains.mean():.1f} of {plain.to_numpy().mean():.1f} errors" in section
    assert f"p = {ttest_1samp(gains, 0).pvalue:.1g}" in section
