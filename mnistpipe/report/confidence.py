"""Whether the networks are as sure as they are right, and which labels they dispute."""

from dataclasses import dataclass
from typing import Literal

import pandas as pd

from mnistpipe.confidence.reviewed import KEPT, REJECTED
from mnistpipe.report.summary import Metrics
from mnistpipe.scoring.significance import Estimate, wilson_interval
from mnistpipe.training.plan import BEST_STAGE

DISPUTED_COLUMNS = {
    "set": "str",
    "image": "int64",
    "label": "str",
    "says": "str",
    "votes": "int64",
    "judges": "int64",
    "label_probability": "float64",
}
_SHOWN = 10  # of the disputed images, those with the least probable labels


@dataclass(frozen=True)
class Risk:
    """The most confident answers of a network.

    Attributes:
        coverage: their share of all, as asked for, in per cent.
        errors: how many of them are wrong.
        count: how many there are.
        interval: Wilson's 95 % interval of the share of errors.

    """

    coverage: int
    errors: int
    count: int
    interval: tuple[float, float]

    @property
    def share(self) -> float:
        """Of errors."""
        return self.errors / self.count


@dataclass(frozen=True)
class StageConfidence:
    """How confident the network of a stage is on the test images, and how often it is right.

    Attributes:
        stage: that trained it.
        accuracy: share of the images that are classified correctly.
        confidence: mean probability of the class that it says.
        verdict: whether the 95 % interval of confidence minus accuracy leaves out 0.
        error: expected calibration error.
        by_chance: what chance alone would leave that error below.
        risks: among the most confident answers.

    """

    stage: str
    accuracy: float
    confidence: float
    verdict: Literal["overconfident", "underconfident", "within noise"]
    error: Estimate
    by_chance: float
    risks: list[Risk]


@dataclass(frozen=True)
class DisputedImage:
    """An image that most of its judges call the same other class than its label.

    Attributes:
        part: the set that it is in.
        image: its number there, from 0, as it came.
        label: its class, by name.
        says: the class that they say.
        votes: how many of them.
        judges: how many there are.
        label_probability: what they give to the label, on average.
        reviewers: what human reviewers said of the label; None if it is no image of MNIST's test
            set, of which alone they saw some.

    """

    part: str
    image: int
    label: str
    says: str
    votes: int
    judges: int
    label_probability: float
    reviewers: str | None

    @property
    def rejected(self) -> bool:
        """Whether the reviewers did not keep the label."""
        return (self.reviewers or "").startswith(("said", "rejected"))


@dataclass(frozen=True)
class Confidence:
    """What the report says of confidence.

    Attributes:
        bins: of the calibration error.
        networks: all that are trained.
        best: the network that is analysed.
        sets: by name, how many images there are, have judges, are disputed, and by all of them.
        reviewers: how far reviewers doubt the same labels; None on another data set than MNIST.
        test: the test images with the least probable labels among those that are disputed.
        others: likewise of the training and validation images.

    """

    bins: int
    networks: list[StageConfidence]
    best: StageConfidence
    sets: Metrics
    reviewers: Metrics | None
    test: list[DisputedImage]
    others: list[DisputedImage]


def confidence(metrics: Metrics, disputed: pd.DataFrame) -> Confidence:
    """From the summary's part about confidence, and the table of the disputed images."""
    networks = [_read_stage(stage, own) for stage, own in metrics["calibration"].items()]
    images = disputed_images(disputed, reviewed="reviewers" in metrics)
    return Confidence(
        bins=metrics["bins"],
        networks=networks,
        best=next(network for network in networks if network.stage == BEST_STAGE),
        sets=metrics["disputed"],
        reviewers=metrics.get("reviewers"),
        test=[image for image in images if image.part == "test"][:_SHOWN],
        others=[image for image in images if image.part != "test"][:_SHOWN],
    )


def disputed_images(table: pd.DataFrame, *, reviewed: bool) -> list[DisputedImage]:
    """All of this table with `DISPUTED_COLUMNS`, the least probable label first.

    `reviewed` says whether its test images are those that human reviewers saw some of.
    """
    return [
        DisputedImage(
            part=row["set"],
            reviewers=_reviewers(row["image"]) if reviewed and row["set"] == "test" else None,
            **{name: row[name] for name in [*DISPUTED_COLUMNS][1:]},
        )
        for row in table.sort_values("label_probability", kind="stable").to_dict("records")
    ]


def _read_stage(stage: str, own: Metrics) -> StageConfidence:
    gap = Estimate(**own["gap"])
    return StageConfidence(
        stage=stage,
        accuracy=own["accuracy"],
        confidence=own["confidence"],
        verdict=_verdict(gap),
        error=Estimate(**own["error"]),
        by_chance=own["by_chance"],
        risks=[_risk(key, counts) for key, counts in own["risk"].items()],
    )


def _verdict(gap: Estimate) -> Literal["overconfident", "underconfident", "within noise"]:
    if gap.low > 0:
        return "overconfident"
    return "underconfident" if gap.high < 0 else "within noise"


def _risk(key: str, counts: Metrics) -> Risk:
    errors, count = counts["errors"], counts["count"]
    coverage = int(key.removeprefix("coverage-"))
    return Risk(coverage, errors, count, wilson_interval(errors, count))


def _reviewers(image: int) -> str:
    if image in REJECTED:
        instead = REJECTED[image]
        return "rejected it" if instead is None else f"said {instead}"
    return "kept it" if image in KEPT else "were not asked"
