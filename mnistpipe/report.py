"""The study's summary and its report: our numbers beside the write-up's."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from mnistpipe.curve_report import write_curve
from mnistpipe.markdown import table
from mnistpipe.params import PAIRS, TRAIN_STAGES, Perturbation
from mnistpipe.significance import Difference, wilson_interval
from mnistpipe.writeup import (
    REPORTED,
    REPORTED_CONVERGENCE,
    REPORTED_SPIKE_EPOCH,
    TRAINING_IMAGES,
)

Metrics = Mapping[str, Any]
MNIST = "MNIST"  # the only data set whose numbers compare with the write-up's
_NOTHING = "n/a"
_SCORES = ("train", "train_split", "validation", "test")
# What is asked of two runs on the same test images, the first without and the second with.
QUESTIONS = {
    "Do the views of `train-augmented` (the write-up's: blur) help ConvNet?": PAIRS["convnet"],
    "Do those of `train-net-augmented` (blur and rotation) help Net?": PAIRS["net"],
}
# What is asked of the same pairs on perturbed test images.
GUESSES: dict[str, tuple[Literal["convnet", "net"], Perturbation]] = {
    "Do the views of `train-augmented` make ConvNet robust to blur?": ("convnet", "blur"),
    "Do those of `train-net-augmented` make Net robust to blur?": ("net", "blur"),
    "And to rotation?": ("net", "rotation"),
}
# What the summary takes of each run's metrics.
ROBUSTNESS_KEYS = ("accuracy", "augmentation")
ANALYSIS_KEYS = ("confusion_diagonal", "mistakes", "neighbours", "classes")
RUN_KEYS = ("examples", "steps", "precision", "convergence_epoch", *_SCORES)
CURVE_KEYS = ("min_steps", "other_min_steps", "fit", "examples_for")


def summarise(
    sizes: Metrics,
    runs: Mapping[str, Metrics],
    curve: Metrics,
    analysis: Metrics,
    robustness: Metrics,
) -> dict[str, Any]:
    """All metrics in one tree, nested by stage.

    Args:
        sizes: of prepare-split: the data set's title and the sizes of its parts.
        runs: of each train stage, by its name.
        curve: of learning-curve, with those of both sweeps over parts of the data.
        analysis: of analyze.
        robustness: of robustness; of it, the accuracies.

    """
    return {
        "data": dict(sizes),
        **{stage: _select(run) for stage, run in runs.items()},
        "partial-data": {
            name: _select(run) for name, run in curve["points"].items() if name != "full"
        },
        "partial-data-steps": {name: _select(run) for name, run in curve["other_steps"].items()},
        "learning-curve": {key: curve[key] for key in CURVE_KEYS},
        "analyze": {key: analysis[key] for key in ANALYSIS_KEYS},
        "robustness": robustness["accuracy"],
    }


def results_table(summary: Metrics, tuned: Metrics | None = None) -> str:
    """Markdown: test accuracy and loss of each run, the write-up's beside ours.

    On another data set than MNIST there is nothing to compare with, and no difference is shown.
    `tuned`, the summary of another recipe, adds its accuracies.
    """
    others = _trained(tuned) if tuned else {}
    comparable = summary["data"]["dataset"] == MNIST
    rows = []
    for stage, run in _trained(summary).items():
        test = run["test"]
        reported = REPORTED.get(stage)
        name = reported.run if reported else stage
        cells = [name, f"`{stage}`", f"{run['examples']:,}"]
        if reported and comparable:
            cells += [
                f"{reported.accuracy:.2%}",
                _accuracy(test),
                f"{100 * (test['accuracy'] - reported.accuracy):+.2f}",
                f"{reported.loss:.4f}",
                f"{test['loss']:.4f}",
                f"{test['loss'] - reported.loss:+.4f}",
            ]
        else:
            cells += [
                _NOTHING,
                _accuracy(test),
                _NOTHING,
                _NOTHING,
                f"{test['loss']:.4f}",
                _NOTHING,
            ]
        if tuned:
            cells.insert(6, _accuracy(others[stage]["test"]) if stage in others else _NOTHING)
        rows.append(cells)
    header = [
        "the write-up's run",
        "stage",
        "training images",
        "accuracy, write-up",
        "ours",
        "difference (points)",
        *(["tuned"] if tuned else []),
        "loss, write-up",
        "ours",
        "difference",
    ]
    return table(header, rows, n_text_columns=2)


def write_report(
    summary: Metrics,
    blur_losses: Sequence[float],
    answers: Mapping[str, Difference],
    augmentation: Metrics,
) -> str:
    """REPORT.md as text.

    Args:
        summary: from `summarise`.
        blur_losses: validation loss after each epoch of train-augmented.
        answers: to each of `QUESTIONS`, the difference between its two runs.
        augmentation: from the metrics of robustness: by network, perturbation and strength, what
            augmentation changes on the same images.

    """
    data = summary["data"]
    title = data["dataset"]
    warning = (
        ""
        if title == MNIST
        else "\n**These are not MNIST's numbers**: the write-up's are, so that no difference is "
        "shown.\n"
    )
    return f"""# Report

Data set: **{title}**, {data["train"]:,} training, {data["validation"]:,} validation and \
{data["test"]:,} test images.
{warning}
## Test set

{results_table(summary)}

Accuracy is the share of the test images that are classified correctly, loss the mean negative
log-likelihood per image. The weights after the last epoch are scored, once.

## How sure is that?

Wilson's 95 % interval of each accuracy says how much chance there is in a test set of this size.
The last column is the standard deviation over seeds.

{_intervals_table(summary)}

Two runs on the same images are compared image by image, by an exact McNemar test.

{_answers_table(answers)}

{_seeds_sentence(summary)}

## Was the augmentation good for anything?

The accuracy on test images that are blurred by passes of the 5x5 kernel, or turned about their
centre, each to a side drawn for it.

{_robustness_table(summary)}

Robust is what gets significantly more of the same perturbed images right, by an exact McNemar test
for each strength by itself, and leads by more images than on the untouched ones. Whether the lead
has grown by chance alone is not tested.

{_guesses_list(summary, augmentation)}

## Learning curve

{write_curve(summary, comparable=title == MNIST)}

## When does each run settle?

The first epoch whose validation loss is at most 1 % above the run's lowest.

{_convergence_table(summary)}

{_spike_sentence(blur_losses)}

## What the original got wrong

{_corrections_table(summary)}
"""


def _intervals_table(summary: Metrics) -> str:
    rows = []
    for stage, run in _trained(summary).items():
        test = run["test"]
        low, high = wilson_interval(test["errors"], test["count"])
        rows.append(
            [
                f"`{stage}`",
                f"{test['accuracy']:.2%}",
                f"{low:.2%} to {high:.2%}",
                f"{len(test['by_seed'])}",
                f"{100 * test['accuracy_sd']:.2f}" if "accuracy_sd" in test else _NOTHING,
            ]
        )
    header = ["stage", "accuracy", "95 % interval", "seeds", "their sd (points)"]
    return table(header, rows, n_text_columns=1)


def _seeds_sentence(summary: Metrics) -> str:
    if all(len(run["test"]["by_seed"]) == 1 for run in _trained(summary).values()):
        return "Each run has one seed; another one would give somewhat different numbers."
    return (
        "Accuracies and losses are means over the seeds; their standard deviation (sd) stands "
        "beside the interval, which leaves it out. What is compared image by image, analysed and "
        "counted below is the first seed's network."
    )


def _answers_table(answers: Mapping[str, Difference]) -> str:
    rows = [
        [
            question,
            f"{answer.verdict}",
            f"{answer.fixed} fixed, {answer.broken} broken",
            f"{answer.p_value:.2g}",
        ]
        for question, answer in answers.items()
    ]
    return table(["question", "with it", "test images", "p"], rows, n_text_columns=3)


def _robustness_table(summary: Metrics) -> str:
    accuracies = summary["robustness"]
    columns = [
        (perturbation, key)
        for perturbation, row in accuracies[TRAIN_STAGES[0]].items()
        for key in list(row)[1:]
    ]
    rows = [
        [
            f"`{stage}`",
            f"{next(iter(of_stage['blur'].values())):.2%}",
            *(f"{of_stage[perturbation][key]:.2%}" for perturbation, key in columns),
        ]
        for stage, of_stage in accuracies.items()
    ]
    return table(["stage", "untouched", *(_how(key) for _, key in columns)], rows, n_text_columns=1)


def _guesses_list(summary: Metrics, augmentation: Metrics) -> str:
    lines = []
    for guess, (network, perturbation) in GUESSES.items():
        differences = {
            key: Difference(**fields) for key, fields in augmentation[network][perturbation].items()
        }
        untouched, *_, last = differences
        difference = differences[last]
        runs = {stage: summary["robustness"][stage][perturbation] for stage in PAIRS[network]}
        falls = " and ".join(
            f"`{stage}` from {run[untouched]:.2%} to {run[last]:.2%}" for stage, run in runs.items()
        )
        chance = max(difference.p_value, 0.0001)
        lines.append(
            f"- {guess} **{_where_robust(differences)}.** On images {_how(last)}, {falls}: "
            f"{difference.fixed:,} images fixed and {difference.broken:,} broken, "
            f"p {'=' if chance == difference.p_value else '<'} {chance:.2g}."
        )
    return "\n".join(lines)


def _where_robust(differences: Mapping[str, Difference]) -> str:
    """At which strengths augmentation gains more images than on the untouched ones."""
    gains = {key: difference.fixed - difference.broken for key, difference in differences.items()}
    untouched, *strengths = differences
    robust = [
        key
        for key in strengths
        if differences[key].verdict == "better" and gains[key] > gains[untouched]
    ]
    if robust == strengths:
        return "Yes"
    return f"Only when {' and '.join(map(_how, robust))}" if robust else "No"


def _how(key: str) -> str:
    """A condition in words, from its key in the metrics: `passes-2`, `degrees-15`."""
    unit, _, strength = key.partition("-")
    if unit == "degrees":
        return f"turned by {strength}°"
    return f"blurred in {strength} pass{'es' if strength != '1' else ''}"


def _convergence_table(summary: Metrics) -> str:
    rows = []
    for stage, run in _trained(summary).items():
        said = REPORTED_CONVERGENCE.get(stage)
        rows.append(
            [f"`{stage}`", f"{run['convergence_epoch']}", f"around {said}" if said else _NOTHING]
        )
    return table(["stage", "epoch", "the write-up says"], rows, n_text_columns=1)


def _spike_sentence(losses: Sequence[float]) -> str:
    """Whether the validation loss with blur rises at the epoch where the write-up saw it rise."""
    epoch = REPORTED_SPIKE_EPOCH
    if len(losses) <= epoch:
        return (
            f"The write-up's spike at epoch {epoch} of `train-augmented` is beyond this run's end."
        )
    before, at, after = losses[epoch - 2 : epoch + 1]
    verdict = "it is there" if at > before and at > after else "it is not there"
    return (
        f"The write-up saw a spike at epoch {epoch} with blur: {verdict}. The validation loss of "
        f"`train-augmented` is {before:.4f}, {at:.4f} and {after:.4f} after epochs {epoch - 1}, "
        f"{epoch} and {epoch + 1}."
    )


def _corrections_table(summary: Metrics) -> str:
    data = summary["data"]
    plain, blurred = (summary["robustness"][stage]["blur"] for stage in PAIRS["convnet"])
    weakest = list(plain)[1]  # after the untouched images
    net, best, smallest = map(
        _of_first_seed,
        (
            summary["train-net"],
            summary["train-net-augmented"],
            min(summary["partial-data"].values(), key=lambda run: int(run["examples"])),
        ),
    )
    share = summary["analyze"]["neighbours"]["same_class_share"]
    diagonal = summary["analyze"]["confusion_diagonal"]
    right = best["test"]["count"] - best["test"]["errors"]
    agrees = "exactly the" if diagonal == right else f"NOT the {right:,} of the"
    theirs = REPORTED["train-net"]
    rows = [
        [
            "Training images drawn with replacement: about 57 % of the 60,000 were among them",
            f"{data['distinct']:,} of {data['train']:,} training images are distinct",
        ],
        [
            "Training accuracy divided by 60,000",
            f"`train-net`: {_right(net['train'])}; the write-up's {theirs.train_correct:,} are "
            f"{theirs.train_accuracy:.2%} of its {TRAINING_IMAGES:,}",
        ],
        [
            "Blur treated an image as one row, and training never used it",
            f"on test images {_how(weakest)} `train-convnet` has {plain[weakest]:.2%} right and "
            f"`train-augmented` {blurred[weakest]:.2%}",
        ],
        [
            "“1/16 of the data” was 1/16 of the batches: few steps, not few examples",
            f"{smallest['examples']:,} distinct images, and {smallest['test']['accuracy']:.2%}",
        ],
        [
            "Confusion matrix from two differently shuffled passes",
            f"one pass: the diagonal holds {diagonal:,} of {best['test']['count']:,} images, "
            f"{agrees} test accuracy",
        ],
        [
            "Nearest neighbours from mismatched passes: “not sufficient”",
            f"{share:.2%} of the nearest neighbours have the query's label",
        ],
        [
            "Loss summed over batches: curves that grow with the data",
            f"mean per image: {net['train']['loss']:.4f} for `train-net`, "
            f"{smallest['train']['loss']:.4f} for the smallest part of the data",
        ],
        [
            "Curves called “test” are of the validation set",
            f"`train-net`: validation {_right(net['validation'])}; test, once, "
            f"{_right(net['test'])}",
        ],
        [
            "Partial-data runs scored on all training images",
            f"smallest part: {smallest['train']['accuracy']:.2%} of its own "
            f"{smallest['train']['count']:,} images, "
            f"{smallest['train_split']['accuracy']:.2%} of the whole training split",
        ],
    ]
    return table(["original", "here"], rows, n_text_columns=2)


def _trained(summary: Metrics) -> dict[str, Metrics]:
    """Every run's part of the summary, by its stage's name."""
    runs = {name: part for name, part in summary.items() if name.startswith("train-")}
    return runs | {f"partial-data@{name}": run for name, run in summary["partial-data"].items()}


def _select(run: Metrics) -> dict[str, Any]:
    return {key: run[key] for key in RUN_KEYS}


def _accuracy(score: Metrics) -> str:
    spread = f" ± {100 * score['accuracy_sd']:.2f}" if "accuracy_sd" in score else ""
    return f"**{score['accuracy']:.2%}**{spread}"


def _of_first_seed(run: Metrics) -> dict[str, Any]:
    """A run whose scores are those of the network that was saved."""
    scores = {key: run[key] | next(iter(run[key]["by_seed"].values())) for key in _SCORES}
    return {**run, **scores}


def _right(score: Metrics) -> str:
    right = score["count"] - score["errors"]
    return f"{right:,} of {score['count']:,} = {score['accuracy']:.2%}"
