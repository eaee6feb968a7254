from mnistpipe.learning_curve.points import TARGETS
from mnistpipe.report.summary import MNIST, accuracies, summarise
from mnistpipe.training.plan import TRAIN_STAGES
from tests.report.example import score, summary_of


def test_the_summary_is_a_tree_of_all_stages() -> None:
    summary = summary_of(MNIST)
    assert list(summary) == [
        "data",
        "train-convnet",
        "train-augmented",
        "train-net",
        "train-net-augmented",
        "partial-data",
        "partial-data-steps",
        "learning-curve",
        "analyze",
        "robustness",
        "confidence",
    ]
    assert summary["data"]["distinct"] == 50_999
    assert list(summary["partial-data"]) == ["half", "sixteenth"]  # the full data has its stage
    assert list(summary["partial-data-steps"]) == ["sixteenth"]
    assert summary["learning-curve"] == {
        "min_steps": 0,
        "other_min_steps": 11_900,
        "fit": {"verdict": "cannot be told"},
        "examples_for": {name: {"verdict": "cannot be told"} for name in TARGETS},
    }
    assert summary["analyze"]["mistakes"] == 70
    assert summary["robustness"]["partial-data@half"]["rotation"]["degrees-30"] == 0.85
    assert summary["analyze"]["neighbours"] == {"count": 8, "same_class_share": 0.98765}


def test_the_summary_of_a_run_is_its_scores_and_what_explains_them() -> None:
    run = summary_of(MNIST)["partial-data"]["half"]
    assert list(run) == [
        "examples",
        "steps",
        "precision",
        "pytorch",
        "convergence_epoch",
        "train",
        "train_split",
        "validation",
        "test",
    ]
    assert run["test"] == score(326, 10_000, 0.1050)


def test_what_several_seeds_say_together_is_part_of_the_summary() -> None:
    together = {"test": {"accuracy": 0.99, "loss": 0.02, "errors": 100, "count": 10_000}}
    half = summary_of(MNIST)["partial-data"]["half"] | {"committee": together}
    runs = dict.fromkeys(TRAIN_STAGES, half)
    curve = summary_of(MNIST)["learning-curve"] | {"points": {}, "other_steps": {"half": half}}
    analysis = summary_of(MNIST)["analyze"]
    summary = summarise({}, runs, curve, {"points": {}}, analysis, {"accuracy": {}}, {})
    assert summary["train-net"]["committee"] == together
    assert summary["partial-data-steps"]["half"]["committee"] == together


def test_each_networks_accuracies_are_a_row_of_two() -> None:
    rows = accuracies(summary_of(MNIST))
    sweeps = ["partial-data@half", "partial-data@sixteenth", "partial-data-steps@sixteenth"]
    assert list(rows) == [*TRAIN_STAGES, *sweeps]
    half = summary_of(MNIST)["partial-data"]["half"]
    assert rows["partial-data@half"] == {"validation": 0.99, "test": half["test"]["accuracy"]}
