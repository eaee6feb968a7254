"""Our runs beside the write-up's: what the tables with a row for each run hold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mnistpipe.report.names import network_name
from mnistpipe.report.summary import Metrics, of_sweep
from mnistpipe.report.writeup import REPORTED, REPORTED_CONVERGENCE, REPORTED_SPIKE_EPOCH
from mnistpipe.scoring.significance import (
    CountDifference,
    Difference,
    compare_counts,
    compare_pairs,
    one_more_interval,
    wilson_interval,
)
from mnistpipe.training.plan import STEPS_SWEEP, SWEEP


@dataclass(frozen=True)
class Score:
    """A run on a set of images; where it has several seeds, means over them.

    Attributes:
        accuracy: share of the images that are classified correctly.
        sd: its standard deviation over seeds, where there are several.
        loss: mean negative log-likelihood per image.
        errors: how many images are classified wrongly.
        count: number of images.

    """

    accuracy: float
    sd: float | None
    loss: float
    errors: int | float
    count: int

    @property
    def right(self) -> int | float:
        """How many images are classified correctly."""
        return self.count - self.errors


@dataclass(frozen=True)
class Run:
    """One of our runs, beside the write-up's; what is not comparable is None.

    Attributes:
        stage: its name in dvc.yaml.
        examples: number of training images.
        test: its score on the test images.
        interval: Wilson's 95 % interval of that accuracy, as shares.
        n_seeds: how many networks it is the mean of.
        one_more: 95 % prediction interval of one more seed's accuracy; None for one seed.
        settled: first epoch whose validation loss is at most 1 % above the lowest.
        their_accuracy: the write-up's share of the test images.
        their_loss: the write-up's test loss.
        their_settled: the epoch around which the write-up saw the loss settle.
        accuracy_gain: ours minus theirs, as a share.
        loss_gain: ours minus theirs.
        difference: what chance makes of the numbers of errors, theirs first.

    """

    stage: str
    examples: int
    test: Score
    interval: tuple[float, float]
    n_seeds: int
    one_more: tuple[float, float] | None
    settled: int
    their_settled: int | None
    their_accuracy: float | None = None
    their_loss: float | None = None
    accuracy_gain: float | None = None
    loss_gain: float | None = None
    difference: CountDifference | None = None

    @property
    def name(self) -> str:
        """Of its network."""
        return network_name(self.stage)


@dataclass(frozen=True)
class Committee:
    """The networks of a stage's seeds, voting by the mean of their probabilities.

    Attributes:
        stage: its name in dvc.yaml.
        n_seeds: how many networks vote.
        one: their own scores on the test images, averaged.
        together: what they score by their votes.
        difference: what the vote changes, image by image.

    """

    stage: str
    n_seeds: int
    one: Score
    together: Score
    difference: Difference


@dataclass(frozen=True)
class Averaged:
    """The networks of a stage by test-time augmentation: averaged over views of each image.

    Attributes:
        stage: its name in dvc.yaml.
        examples: number of training images.
        n_seeds: how many networks there are.
        plain: their scores on the test images as these are, averaged.
        averaged: the same networks' by their answers to each image's views.
        plain_vote: what they score together, on the images as these are; None for one network.
        averaged_vote: likewise by their answers to the views.
        p_value: of a paired t-test over the seeds' numbers of errors; None for one.

    """

    stage: str
    examples: int
    n_seeds: int
    plain: Score
    averaged: Score
    plain_vote: Score | None
    averaged_vote: Score | None
    p_value: float | None


@dataclass(frozen=True)
class Spike:
    """The validation loss with blur around the epoch where the write-up saw it rise.

    Attributes:
        epoch: that epoch.
        epochs: the one before, itself, and the one after.
        losses: after these; None if the run ended before the last of them.

    """

    epoch: int
    epochs: tuple[int, int, int]
    losses: tuple[float, float, float] | None

    @property
    def is_there(self) -> bool:
        """Whether the loss is higher there than before and after."""
        if self.losses is None:
            return False
        before, at, after = self.losses
        return at > before and at > after


def gather_runs(summary: Metrics, *, comparable: bool) -> list[Run]:
    """Every run but those with other numbers of updates, which the write-up does not have.

    `comparable` says whether the write-up's numbers are of the same data set.
    """
    return [
        _beside_the_write_up(stage, run, comparable=comparable)
        for stage, run in _runs(summary).items()
    ]


def gather_committees(summary: Metrics, differences: Mapping[str, Difference]) -> list[Committee]:
    """Those of the stages in `differences`, which says what the vote changes."""
    return [
        Committee(
            stage,
            n_seeds=len(summary[stage]["test"]["by_seed"]),
            one=read_score(summary[stage]["test"]),
            together=read_score(summary[stage]["committee"]["test"]),
            difference=difference,
        )
        for stage, difference in differences.items()
    ]


def gather_averaged(summary: Metrics) -> list[Averaged]:
    """Those of the runs whose recipe has test-time augmentation."""
    return [read_averaged(stage, run) for stage, run in _runs(summary).items() if "test_tta" in run]


def read_averaged(stage: str, run: Metrics) -> Averaged:
    """What test-time augmentation changes, from the metrics of a run that has it."""
    plain, averaged = (
        [own["errors"] for own in run[test]["by_seed"].values()] for test in ("test", "test_tta")
    )
    votes = run.get("committee", {})
    plain_vote, averaged_vote = (
        read_score(votes[test]) if test in votes else None for test in ("test", "test_tta")
    )
    return Averaged(
        stage,
        examples=run["examples"],
        n_seeds=len(plain),
        plain=read_score(run["test"]),
        averaged=read_score(run["test_tta"]),
        plain_vote=plain_vote,
        averaged_vote=averaged_vote,
        p_value=compare_pairs(plain, averaged),
    )


def read_score(score: Metrics) -> Score:
    """A score from the metrics of a run."""
    errors, count = score["errors"], score["count"]
    return Score(score["accuracy"], score.get("accuracy_sd"), score["loss"], errors, count)


def read_test_scores(summary: Metrics) -> dict[str, Score]:
    """Each run's score on the test images, by its stage's name."""
    return {stage: read_score(run["test"]) for stage, run in _runs(summary).items()}


def engines(summary: Metrics) -> dict[str, list[str]]:
    """The stages that were trained in each precision, by each version of PyTorch."""
    stages: dict[str, list[str]] = {}
    for stage, run in (_runs(summary) | of_sweep(summary, STEPS_SWEEP)).items():
        engine = f"{run['precision']} by PyTorch {run['pytorch']}"
        stages.setdefault(engine, []).append(stage)
    return stages


def find_spike(losses: Sequence[float]) -> Spike:
    """From the validation loss after each epoch of the run with blur."""
    epoch = REPORTED_SPIKE_EPOCH
    epochs = (epoch - 1, epoch, epoch + 1)
    if len(losses) < epochs[-1]:
        return Spike(epoch, epochs, None)
    before, at, after = (losses[each - 1] for each in epochs)
    return Spike(epoch, epochs, (before, at, after))


def _beside_the_write_up(stage: str, run: Metrics, *, comparable: bool) -> Run:
    test = read_score(run["test"])
    seed_errors = [seed["errors"] for seed in run["test"]["by_seed"].values()]
    reported = REPORTED.get(stage)
    compared: dict[str, Any] = {}
    if reported and comparable:
        compared = {
            "their_accuracy": reported.accuracy,
            "their_loss": reported.loss,
            "accuracy_gain": test.accuracy - reported.accuracy,
            "loss_gain": test.loss - reported.loss,
            "difference": compare_counts([reported.errors], seed_errors, test.count),
        }
    return Run(
        stage=stage,
        examples=run["examples"],
        test=test,
        interval=wilson_interval(test.count - test.errors, test.count),
        n_seeds=len(seed_errors),
        one_more=one_more_interval(seed_errors, test.count),
        settled=run["convergence_epoch"],
        their_settled=REPORTED_CONVERGENCE.get(stage),
        **compared,
    )


def _runs(summary: Metrics) -> dict[str, Metrics]:
    """Each run's part of the summary, by its stage's name."""
    runs = {name: part for name, part in summary.items() if name.startswith("train-")}
    return runs | of_sweep(summary, SWEEP)
