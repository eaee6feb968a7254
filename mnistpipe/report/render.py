"""REPORT.md as text, from the templates beside this file, and what other pages have of it.

What is said, and in which order, stands in the templates, which are Markdown with names in it; what
the names stand for is computed by the modules beside this one.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Undefined

from mnistpipe.report.augmentation import perturbed_accuracies, robust_by_pair
from mnistpipe.report.confidence import confidence
from mnistpipe.report.corrections import corrected_numbers
from mnistpipe.report.curve import learning_curve
from mnistpipe.report.formats import FILTERS
from mnistpipe.report.runs import (
    Averaged,
    engines,
    find_spike,
    gather_averaged,
    gather_committees,
    gather_runs,
    read_averaged,
    read_test_scores,
)
from mnistpipe.report.summary import MNIST, Metrics
from mnistpipe.scoring.significance import LEVEL, Difference
from mnistpipe.training.plan import STEPS_SWEEP

_TEMPLATES = Path(__file__).parent


def render_report(
    summary: Metrics,
    blur_losses: Sequence[float],
    answers: Mapping[str, Difference],
    votes: Mapping[str, Difference],
    augmentation: Metrics,
    disputed: pd.DataFrame,
    *,
    drawn: bool = False,
) -> str:
    """REPORT.md as text.

    Args:
        summary: from `summarise`.
        blur_losses: validation loss after each epoch of train-augmented.
        answers: by network, the difference between the runs of its pair in `PAIRS`.
        votes: by stage, where it has several seeds, what their committee changes.
        augmentation: from the metrics of robustness: by network, perturbation and strength, what
            augmentation changes on the same images.
        disputed: the images whose labels the networks dispute, with `DISPUTED_COLUMNS`.
        drawn: whether the page has a field to draw in.

    """
    results = _results(summary)
    is_mnist = _comparable(summary)
    analysis = _analysis(summary["analyze"])
    return _render(
        "report.md.j2",
        **results,
        data=summary["data"],
        classes=[each["name"] for each in analysis["classes"]],
        analysis=analysis,
        drawn=drawn,
        others=[f"{STEPS_SWEEP}@{name}" for name in summary[STEPS_SWEEP]],
        engines=engines(summary),
        answers=answers,
        committees=gather_committees(summary, votes),
        averaged=gather_averaged(summary),
        perturbed=perturbed_accuracies(summary["robustness"]),
        robust=robust_by_pair(summary["robustness"], augmentation),
        confidence=confidence(summary["confidence"], disputed),
        curve=learning_curve(summary, comparable=is_mnist),
        dense=summary.get("dense-curve"),
        spike=find_spike(blur_losses) if is_mnist else None,
        corrected=corrected_numbers(summary) if is_mnist else None,
    )


def render_results(
    summary: Metrics, tuned: Metrics | None = None, best: Mapping[str, Metrics] | None = None
) -> str:
    """The table of results: test accuracy and loss of each run, the write-up's beside ours.

    On another data set than MNIST there is nothing to compare with, and ours stand alone. On MNIST
    `tuned`, the summary of another recipe, adds its accuracies, and `best`, the metrics by stage
    of Net with several seeds and test-time augmentation, a sentence: on all images, and on fewer.
    """
    values = _results(summary, tuned) | {"best_runs": _averaged(best or {})}
    return _render("results.md.j2", **values).removesuffix("\n")


def render_averaged(runs: Mapping[str, Metrics]) -> str:
    """The table of what test-time augmentation changes, from the metrics of runs by stage."""
    return _render("averaged.md.j2", averaged=_averaged(runs)).removesuffix("\n")


def render_dense(dense: Metrics) -> str:
    """The chapter about the dense learning curve, from its metrics."""
    return _render("dense.md.j2", dense=dense).removesuffix("\n")


def _results(summary: Metrics, tuned: Metrics | None = None) -> dict[str, Any]:
    """What stands in results.md.j2, and the runs once more for the report."""
    runs = gather_runs(summary, comparable=_comparable(summary))
    scores = read_test_scores(tuned) if tuned else {}
    return {
        "runs": runs,
        "comparable": _comparable(summary),
        "level": LEVEL,
        "several_seeds": any(run.n_seeds > 1 for run in runs),
        "one_seed": any(run.n_seeds == 1 for run in runs),
        "best_runs": [],
        "tuned": {run.stage: scores.get(run.stage) for run in runs} if tuned else None,
    }


def _averaged(runs: Mapping[str, Metrics]) -> list[Averaged]:
    return [read_averaged(stage, run) for stage, run in runs.items()]


def _analysis(metrics: Metrics) -> dict[str, Any]:
    """Those of analyze, with each class's name in its scores."""
    classes = [
        {"name": key.removeprefix("class-")} | scores for key, scores in metrics["classes"].items()
    ]
    return dict(metrics) | dict(metrics["neighbours"]) | {"classes": classes}


def _comparable(summary: Metrics) -> bool:
    return bool(summary["data"]["dataset"] == MNIST)


def _render(template: str, **values: object) -> str:
    """Raises jinja2.UndefinedError if the template names what is not among the values."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=False,  # noqa: S701 (Markdown)
        undefined=StrictUndefined,
        finalize=lambda value: "n/a" if value is None else value,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {name: _unless_none(show) for name, show in FILTERS.items()}
    return environment.get_template(template).render(values)


def _unless_none(show: Callable[..., str]) -> Callable[..., str | None]:
    """A filter that lets None through, for the template to show as n/a."""

    @wraps(show)
    def shown(value: object, *settings: object) -> str | None:
        if isinstance(value, Undefined):
            str(value)  # raises the error that names it
        return None if value is None else show(value, *settings)

    return shown
