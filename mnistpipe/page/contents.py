"""What stands in the page beside the text, made from the study's results."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from mnistpipe.analysis import features
from mnistpipe.analysis.examined import Examined
from mnistpipe.analysis.params import Analyze
from mnistpipe.data.catalogue import is_ink
from mnistpipe.data.split import Split
from mnistpipe.networks.models import Net
from mnistpipe.page import pictures
from mnistpipe.page.confidence_chart import at_coverages, confidence_chart
from mnistpipe.page.curve_chart import curve_chart
from mnistpipe.page.dense_chart import dense_chart
from mnistpipe.page.explore import explore_widgets
from mnistpipe.page.loss_chart import loss_chart
from mnistpipe.page.networks import draw_networks
from mnistpipe.page.provenance import Origin
from mnistpipe.page.results_chart import results_chart
from mnistpipe.page.robustness_chart import robustness_chart
from mnistpipe.page.vega import Chart
from mnistpipe.page.widgets import Widget, figure, render
from mnistpipe.report.confidence import disputed_images
from mnistpipe.report.curve import learning_curve
from mnistpipe.report.names import network_name
from mnistpipe.report.runs import Run, gather_runs
from mnistpipe.report.summary import MNIST, Metrics
from mnistpipe.training.plan import BEST_STAGE, TRAIN_STAGES


@dataclass(frozen=True)
class Results:
    """What the pipeline has found, as it lies on the disk.

    Attributes:
        summary: from `summarise`.
        losses: by stage, the table of its loss curve.
        dense: a row for each network of the dense curve; none if there is none.
        robustness: a row for each run, perturbation and strength.
        reliability: of the best network, with `RELIABILITY_COLUMNS`.
        risks: likewise against coverage, with `RISK_COLUMNS`.
        disputed: the images whose labels the networks dispute.
        split: the images.
        network: the best one.
        examined: what it makes of the test images.
        sure_from: the probability from which on its answer is called sure.
        drawn: whether a drawing can be made like the images.
        analyze: which of them are shown.
        origins: what made each file.

    """

    summary: Metrics
    losses: Mapping[str, pd.DataFrame]
    dense: pd.DataFrame
    robustness: pd.DataFrame
    reliability: pd.DataFrame
    risks: pd.DataFrame
    disputed: pd.DataFrame
    split: Split
    network: Net
    examined: Examined
    sure_from: float
    drawn: bool
    analyze: Analyze
    origins: Mapping[str, Origin]

    def made(self, *paths: str) -> list[Origin]:
        """The stages that wrote these files."""
        return [self.origins[path] for path in paths]


def study_widgets(results: Results) -> list[Widget]:
    """All of them; `report.md.j2` says where each stands."""
    comparable = results.summary["data"]["dataset"] == MNIST
    runs = gather_runs(results.summary, comparable=comparable)
    return [
        *_about_data(results),
        *_charts(results, runs, comparable=comparable),
        *_dense_curve(results),
        *_about_confidence(results),
        *_about_the_best(results),
    ]


def _about_data(results: Results) -> list[Widget]:
    split = results.split
    n = len(split.classes)
    some = (
        f"The first {pictures.MOST_CLASSES} of {n} classes. " if n > pictures.MOST_CLASSES else ""
    )
    return [
        figure(
            "examples",
            pictures.show_examples(split),
            f"{some}The first training images of each class, and how many there are of it.",
            results.made("data/split.npz"),
        ),
        figure(
            "networks",
            draw_networks(n),
            "Seen while PyTorch passes an image through them. Each box is what a layer hands on: "
            "as high as its maps, and the wider, the more maps there are. Filled boxes have "
            "parameters. ReLU is left out.",
            [],
        ),
    ]


def _charts(results: Results, runs: list[Run], *, comparable: bool) -> list[Widget]:
    curve = learning_curve(results.summary, comparable=comparable)
    theirs = " Hollow diamonds: the write-up&#x2019;s." if comparable else ""
    beside = " Better, and within noise: beside the write-up." if comparable else ""
    law = "; the dotted line is the law that the text gives" if curve.law else ""
    return [
        figure(
            "results",
            _picture(results_chart(runs)),
            f"Dots: this study, with Wilson&#x2019;s 95% interval.{theirs} "
            f"The axis is logarithmic; further left is better.{beside}",
            results.made(*(f"metrics/{run.stage}.json" for run in runs)),
            "either",
        ),
        figure(
            "curve",
            _picture(curve_chart(curve, runs)),
            f"Bars are 95% intervals{law}. Both axes are logarithmic.{theirs}",
            results.made("metrics/learning-curve.json"),
            "either",
        ),
        figure(
            "robustness",
            _picture(
                robustness_chart(results.robustness, {s: network_name(s) for s in TRAIN_STAGES})
            ),
            "In colour, the networks on all of the training images; in grey, the others.",
            results.made("plots/robustness.csv"),
            "beside",
        ),
        figure(
            "losses",
            _picture(
                loss_chart(
                    {run.name: results.losses[run.stage] for run in runs},
                    {run.name: run.settled for run in runs},
                )
            ),
            "Mean loss per image against the epoch, logarithmic, on the same axes. Solid: "
            "validation images; the dot is where the run has settled. Dashed: training images, "
            "with dropout and views.",
            results.made(*(f"plots/loss/{run.stage}.csv" for run in runs)),
            "multiples",
        ),
    ]


def _dense_curve(results: Results) -> list[Widget]:
    dense = results.summary.get("dense-curve")
    if dense is None:
        return []
    up_to = f"{dense['fit_up_to']:,} images"
    law = (
        f" Blue: on up to {up_to}, to which the law is fitted; dashed, it goes on. Orange: on "
        "more, a dot is their mean, and beside it stands what the law predicts, with its 95% "
        "interval."
        if "scale" in dense["fit"]
        else f" Blue: on up to {up_to}; orange: on more."
    )
    return [
        figure(
            "dense",
            _picture(dense_chart(dense, results.dense)),
            f"Each ring is a network.{law} Both axes are logarithmic.",
            results.made("plots/dense-curve.csv"),
            "either",
        )
    ]


def _about_confidence(results: Results) -> list[Widget]:
    """How sure the best network is, and which labels all of them dispute."""
    calibration = figure(
        "calibration",
        _picture(confidence_chart(results.reliability, results.risks)),
        f"{network_name(BEST_STAGE)} on the test images, with 95% intervals. First, right answers "
        "by confidence: on the dashed line a network is as sure as it is right. Second, the share "
        "of wrong answers among the most confident ones.",
        results.made("plots/confidence/reliability.csv", "plots/confidence/risk-coverage.csv"),
        "beside",
    )
    numbers = render(
        "confidence.html.j2",
        bins=results.reliability.itertuples(index=False),
        risks=at_coverages(results.risks).itertuples(index=False),
    )
    widgets = [replace(calibration, html=calibration.html + numbers)]
    disputed = disputed_images(
        results.disputed, reviewed="reviewers" in results.summary["confidence"]
    )
    parts = {
        "disputed": [image for image in disputed if image.part == "test"],
        "disputed-others": [image for image in disputed if image.part != "test"],
    }
    for name, images in parts.items():
        if not images:
            continue
        rejected = any(image.rejected for image in images)
        framed = " Framed: human reviewers rejected the label." if rejected else ""
        shown = min(len(images), pictures.MOST_DISPUTED)
        some = "" if shown == len(images) else f" {shown} of {len(images):,}."
        widgets.append(
            figure(
                name,
                pictures.show_disputed(results.split, images),
                "The label, and what most networks say that were not trained on the image, the "
                f"least probable label first.{some}{framed}",
                results.made("data/disputed-labels.csv"),
            )
        )
    return widgets


def _about_the_best(results: Results) -> list[Widget]:
    """What the best network learned."""
    split, test, section = results.split, results.split.test, results.analyze
    mistakes = features.find_mistakes(results.examined.logits, test.labels)
    neighbours = features.find_neighbours(results.examined.features, section.neighbours)
    queries = features.pick_queries(test.labels, pictures.MOST_CLASSES, section.seed)
    found = neighbours.indices[queries]
    same = int((test.labels[found] == test.labels[queries, np.newaxis]).sum())
    n = len(split.classes)
    whose = "each class" if len(queries) == n else f"each of {len(queries)} of {n} classes"
    kernels = results.network.conv1.weight.detach().numpy()
    light = "ink" if is_ink(split.title) else "light"
    made = results.made("metrics/analyze.json")
    return [
        figure(
            "mistakes",
            pictures.show_mistakes(split, mistakes, section.mistakes),
            f"{min(section.mistakes, len(mistakes.indices))} of {len(mistakes.indices)} mistakes, "
            "the most confident first: what the image is, what it was taken for, and how "
            "probable the network thought that."
            if len(mistakes.indices)
            else "There are none.",
            made,
        ),
        figure(
            "kernels",
            pictures.show_kernels(kernels),
            f"The kernels of the first layer: violet where {light} counts for them, orange where "
            f"it counts against. {pictures.count_edges(kernels)} of {len(kernels)} are mostly "
            f"antisymmetric, and answer to an edge, with {light} on one side alone; the others to "
            f"a stroke, a spot or {light} as such.",
            results.made(f"models/{BEST_STAGE}.safetensors"),
        ),
        figure(
            "neighbours",
            pictures.show_neighbours(split, queries, neighbours),
            f"An image of {whose}, drawn at random, and those whose features are nearest: "
            f"{same} of these {found.size} have its label.",
            made,
        ),
        *explore_widgets(
            split,
            results.examined,
            results.network,
            results.sure_from,
            made,
            drawn=results.drawn,
        ),
    ]


def _picture(chart: Chart) -> str:
    return render("chart.html.j2", svgs=chart.svg, alt=chart.alt)
