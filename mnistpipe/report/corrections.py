"""Our numbers where the original was wrong."""

from dataclasses import dataclass

from mnistpipe.report.augmentation import Condition, read_condition
from mnistpipe.report.runs import Score, read_score
from mnistpipe.report.summary import Metrics
from mnistpipe.report.writeup import REPORTED, Reported
from mnistpipe.training.plan import BEST_STAGE, PAIRS, SWEEP


@dataclass(frozen=True)
class Saved:
    """The network of a run that was saved, which is its first seed's, and its scores."""

    examples: int
    train: Score
    train_split: Score
    validation: Score | None
    test: Score


@dataclass(frozen=True)
class Corrected:
    """What stands beside the write-up's errors.

    Attributes:
        net: the network without augmentation.
        theirs: the write-up's.
        best: the network that is analysed.
        smallest: that of the smallest part of the data.
        blur: the weakest.
        without_blur: ConvNet's accuracy on images so blurred.
        with_blur: likewise of the one that was trained with blurred images.
        diagonal: how many images stand on the confusion matrix's diagonal.
        same_class_share: of the nearest neighbours, those with the query's label.

    """

    net: Saved
    theirs: Reported
    best: Saved
    smallest: Saved
    blur: Condition
    without_blur: float
    with_blur: float
    diagonal: int
    same_class_share: float


def corrected_numbers(summary: Metrics) -> Corrected:
    """From the study's summary."""
    without, with_it = (summary["robustness"][stage]["blur"] for stage in PAIRS["convnet"])
    weakest = list(without)[1]  # after the untouched images
    smallest = min(summary[SWEEP].values(), key=lambda run: int(run["examples"]))
    return Corrected(
        net=_saved(summary["train-net"]),
        theirs=REPORTED["train-net"],
        best=_saved(summary[BEST_STAGE]),
        smallest=_saved(smallest),
        blur=read_condition("blur", weakest),
        without_blur=without[weakest],
        with_blur=with_it[weakest],
        diagonal=summary["analyze"]["confusion_diagonal"],
        same_class_share=summary["analyze"]["neighbours"]["same_class_share"],
    )


def _saved(run: Metrics) -> Saved:
    return Saved(
        examples=run["examples"],
        train=_of_first_seed(run["train"]),
        train_split=_of_first_seed(run["train_split"]),
        validation=_of_first_seed(run["validation"]) if "validation" in run else None,
        test=_of_first_seed(run["test"]),
    )


def _of_first_seed(score: Metrics) -> Score:
    return read_score({**score, **next(iter(score["by_seed"].values()))})
