import re

import pytest
from jinja2 import UndefinedError

from mnistpipe.report.render import render_report, render_results
from mnistpipe.report.summary import MNIST
from mnistpipe.scoring.significance import Difference
from tests.report.example import (
    DIGITS,
    NO_SPIKE,
    cells_of,
    disputed_labels,
    report_of,
    robustness_metrics,
    row_of,
    score_of_seeds,
    summary_of,
)


def test_the_questions_about_views_are_answered() -> None:
    report = report_of(MNIST, NO_SPIKE)
    assert row_of(report, "help ConvNet?")[1:] == [
        "worse",
        "30 fixed, 70 broken",
        "7.8e-05",
    ]
    assert row_of(report, "help Net?")[1:] == [
        "better",
        "50 fixed, 20 broken",
        "0.00044",
    ]


def test_with_several_seeds_better_is_what_both_tests_say() -> None:
    """Of the same images, with seeds that agree and with seeds that do not."""
    for p_value, verdict in ((0.0123, "better"), (0.06, "within noise")):
        answer = Difference(50.5, 20.25, p_value=0.000437, seeds_p_value=p_value)
        report = report_of(MNIST, NO_SPIKE, answers={"net": answer})
        images = "50.5 fixed, 20.2 broken"
        seen = row_of(report, "help Net?")[1:]
        assert seen == [verdict, images, "0.00044", f"{p_value}".replace("23", "2")]
        assert row_of(report, "help ConvNet?")[4] == "not tested"


def test_the_report_says_whether_seeds_were_tested() -> None:
    assert "Each run has one seed, so seeds are not tested" in report_of(MNIST, NO_SPIKE)
    summary = summary_of(MNIST)
    summary["train-net"]["test"] = score_of_seeds(90, 110)
    mixed = report_of(MNIST, NO_SPIKE, summary)
    assert "Where both sides have one seed, seeds are not tested" in mixed
    assert "a t-test over seeds must agree" in mixed
    sure = mixed.partition("## How sure is that?")[2].partition("Two tests compare")[0]
    assert row_of(sure, "| Net |")[3:5] == ["2", "0.14"]
    assert row_of(sure, "| ConvNet |")[3:] == ["1", "n/a", "n/a"]
    runs = [summary[name] for name in summary if name.startswith("train-")]
    for run in [*runs, *summary["partial-data"].values()]:
        run["test"] = score_of_seeds(90, 110)
    several = report_of(MNIST, NO_SPIKE, summary)
    assert "one seed" not in several.partition("## Learning curve")[0]
    assert "means over the seeds" in several


def test_the_vote_of_several_networks_stands_beside_one_of_them() -> None:
    assert "together" not in report_of(MNIST, NO_SPIKE)
    summary = summary_of(MNIST)
    summary["train-net"] |= {
        "test": score_of_seeds(34, 36, 38),
        "committee": {"test": {"accuracy": 0.9973, "loss": 0.01, "errors": 27, "count": 10_000}},
    }
    votes = {"train-net": Difference(14.3333, 5.3333, p_value=0.0216)}
    report = report_of(MNIST, NO_SPIKE, summary, votes=votes)
    section = report.partition("better together?\n")[2].partition("\n## ")[0]
    assert row_of(section, "| Net |")[1:] == [
        "3",
        "99.64%",
        "99.73%",
        "14.3 fixed, 5.3 broken",
        "better, p = 0.022",
    ]
    assert "\n\n\n" not in report


def test_what_test_time_augmentation_changes_is_said_where_a_recipe_has_it() -> None:
    assert "views of an image help" not in report_of(MNIST, NO_SPIKE)
    summary = summary_of(MNIST)
    together = {"accuracy": 0.9975, "loss": 0.01, "errors": 25, "count": 10_000}
    summary["train-net"] |= {
        "test": score_of_seeds(40, 41, 45),
        "test_tta": score_of_seeds(31, 34, 37),
        "committee": {"test": together, "test_tta": together | {"accuracy": 0.9974}},
    }
    summary["train-convnet"]["test_tta"] = score_of_seeds(50, 50)
    del summary["train-convnet"]["test_tta"]["by_seed"]["seed-2"]
    report = report_of(MNIST, NO_SPIKE, summary)
    section = report.partition("views of an image help?\n")[2].partition("\n## ")[0]
    assert row_of(section, "| Net |")[1:] == [
        "51,000",
        "3",
        "**99.58%** ± 0.03",
        "**99.66%** ± 0.03",
        "+0.08",
        "p = 0.0052",
        "99.75%",
        "99.74%",
    ]
    assert row_of(section, "| ConvNet |")[-3:] == ["n/a"] * 3  # one seed
    assert "\n\n\n" not in report


def test_the_report_warns_of_numbers_that_are_not_mnists() -> None:
    warning = "**These are not MNIST's numbers**"
    assert warning in report_of(DIGITS, NO_SPIKE)
    assert warning not in report_of(MNIST, NO_SPIKE)


@pytest.mark.parametrize("dataset", [MNIST, DIGITS])
def test_the_report_names_the_data_set_and_its_sizes(dataset: str) -> None:
    expected = (
        f"Data set: **{dataset}**, 51,000 training, 9,000 validation and 10,000 test images\n"
    )
    expected += "of 2 classes: `0`, `Ankle boot`.\n"
    assert expected in report_of(dataset, NO_SPIKE)


def test_what_there_is_to_know_of_the_images_is_said() -> None:
    assert "Of these images" not in report_of(DIGITS, NO_SPIKE)
    summary = summary_of(DIGITS)
    summary["data"]["notes"] = "3 of 12 files are no images; and more"
    report = report_of(DIGITS, NO_SPIKE, summary)
    assert "\nOf these images: 3 of 12 files are no images; and more.\n" in report


@pytest.mark.parametrize(
    ("dataset", "expected"),
    [
        (MNIST, [{10}, {2}, {3}, {4}, {5}, {7}, {4}, {5}, {5}, {5}, {6}, {3}]),
        (DIGITS, [{5}, {3}, {4}, {5}, {7}, {4}, {5}, {4}, {5}, {6}, {2}]),
    ],
)
def test_every_row_of_a_table_is_as_long_as_its_header(
    dataset: str, expected: list[set[int]]
) -> None:
    report = report_of(dataset, NO_SPIKE)
    tables = re.findall(r"(?:^\|.*\n)+", report, re.MULTILINE)
    widths = [{len(cells_of(line)) for line in table.splitlines()} for table in tables]
    assert widths == expected
    lengths = [len(table.splitlines()) for table in tables]
    corrections = [9] if dataset == MNIST else []
    rows = [6, *corrections, 6, 2, 5, 3, 3, 3, 4, 2, 5, 6]
    assert [length - 2 for length in lengths] == rows


def test_what_is_true_of_mnist_alone_is_said_there_alone() -> None:
    report = report_of(DIGITS, NO_SPIKE)
    warning = next(line for line in report.splitlines() if "MNIST's numbers" in line)
    rest = report.replace(warning, "").replace(DIGITS, "")
    for word in ("write-up", "original", "MNIST", "spike", "reviewers", "n/a |\n"):
        assert word in report_of(MNIST, NO_SPIKE)
        assert word not in rest


@pytest.mark.parametrize("dataset", [MNIST, DIGITS])
def test_no_paragraph_has_a_hole(dataset: str) -> None:
    """Blocks of a template leave neither blank lines nor blanks behind."""
    report = report_of(dataset, NO_SPIKE)
    assert report.endswith("nothing else.\n")
    assert "\n\n\n" not in report
    assert not [line for line in report.splitlines() if line != line.rstrip()]
    assert not re.search(r"[{}]|\bNone\b|  [a-z]", report.replace("    test error", ""))


@pytest.mark.parametrize("dataset", [MNIST, DIGITS])
def test_every_table_and_heading_stands_between_blank_lines(dataset: str) -> None:
    blocks = report_of(dataset, NO_SPIKE).rstrip("\n").split("\n\n")
    for block in blocks:
        lines = block.splitlines()
        assert len({line.startswith("|") for line in lines}) == 1, block
        assert len(lines) == 1 or not block.startswith("#"), block


def test_a_name_that_nobody_computes_is_an_error() -> None:
    summary = summary_of(MNIST)
    augmentation = robustness_metrics()["augmentation"]
    with pytest.raises(UndefinedError, match="'net'"):
        render_report(summary, NO_SPIKE, {}, {}, augmentation, disputed_labels())
    del summary["data"]["distinct"]  # which a filter takes
    with pytest.raises(UndefinedError, match="'distinct'"):
        report_of(MNIST, NO_SPIKE, summary)


def test_the_results_of_the_report_are_the_table_that_the_readme_has() -> None:
    table = render_results(summary_of(MNIST))
    assert f"+31.14 points.\n\n<!-- widget: results -->\n\n{table}\n\nAccuracy is" in report_of(
        MNIST, NO_SPIKE
    )


def test_what_was_wrong_follows_the_results_and_what_plays_stands_at_the_end() -> None:
    report = report_of(MNIST, NO_SPIKE, drawn=True)
    assert "[draw one yourself](#draw-one-yourself), and see what Net + augmentation" in report
    headings = re.findall(r"^## (.*)$", report, re.MULTILINE)
    assert headings[3:5] == ["Results", "What the original got wrong"]
    assert headings[-4:-2] == ["What Net learned", "Draw one yourself"]
    assert headings[-2:] == ["What follows", "How to reproduce this"]
    elsewhere = report_of(DIGITS, NO_SPIKE)
    assert "original" not in elsewhere
    assert "raw one yourself" not in elsewhere


def test_the_best_is_said_to_be_that_of_the_table_of_results() -> None:
    """The networks with other updates, which later sections count, are not in it."""
    best = "classified correctly by *Net + augmentation*, the best of the 6 networks in the [table"
    assert best in report_of(MNIST, NO_SPIKE)


def test_one_image_is_not_several() -> None:
    answers = {"net": Difference(1.0, 0.0, 1.0)}
    assert "1 test image fixed and 0 broken" in report_of(MNIST, NO_SPIKE, answers=answers)


def test_no_gain_is_boasted_of_that_is_within_noise() -> None:
    report = report_of(MNIST, NO_SPIKE)
    gain = "is what augmentation changes in Net's accuracy"
    assert f"- **+0.30 points** {gain}: 50 test images fixed and 20 broken (better, p" in report
    assert "without augmentation and with it.\n" in report
    augmentation = robustness_metrics()["augmentation"]
    augmentation["net"]["blur"]["passes-2"] |= {"p_value": 0.2}
    noise = report_of(
        MNIST, NO_SPIKE, answers={"net": Difference(9.0, 8.0, 1.0)}, augmentation=augmentation
    )
    assert f"- **Within noise** {gain}: +0.01 points, 9 test images fixed and 8 broken" in noise
    assert "without augmentation and with it, which is within noise.\n" in noise


@pytest.mark.parametrize(
    ("recalls", "expected"),
    [
        (
            [0.25, 0.5, 0.75],
            "c most often (75.00% of 20 images), and a least often (25.00% of 20).",
        ),
        (
            [0.0, 0.0, 1.0, 1.0],
            "c and d most often (100.00% of 40 images), and a and b least often (0.00%",
        ),
        (
            [0.0, 0.0, 0.0, 0.0, 1.0],
            "e most often (100.00% of 20 images), and 4 classes least often (0.00%",
        ),
        ([0.5, 0.5], "all classes equally often."),
    ],
)
def test_classes_that_are_recognised_equally_often_share_their_place(
    recalls: list[float], expected: str
) -> None:
    summary = summary_of(MNIST)
    summary["analyze"]["classes"] = {
        f"class-{name}": {"recall": recall, "count": 20}
        for name, recall in zip("abcde", recalls, strict=False)
    }
    assert f"It recognises {expected}" in report_of(MNIST, NO_SPIKE, summary)
