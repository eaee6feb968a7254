"""The command `mnistpipe compare REV [REV]`: predictions, over images and over seeds."""

import argparse
import json
import subprocess
from pathlib import Path

import numpy as np

from mnistpipe.files.errors import UserError
from mnistpipe.scoring.predictions import (
    PREDICTIONS,
    Classified,
    parse_predictions,
    predictions_file,
)
from mnistpipe.scoring.significance import LEVEL, compare_predictions


def run(arguments: argparse.Namespace) -> int:
    """Print the table; returns the exit status."""
    print(compare_revisions(arguments.before, arguments.after))
    return 0


def compare_revisions(before: str, after: str | None) -> str:
    """A table in Markdown with a row for each run that both sides have.

    Raises UserError if a revision does not exist or has no predictions, or if the two sides
    were tested on different images.
    """
    old, new = _predictions(before), _predictions(after)
    common = [name for name in new if name in old]
    if not common:
        raise UserError(f"{before} and {after or 'the working tree'} have no run in common.")
    rows = [
        "| run | seeds | before | after | fixed | broken | p, images | p, seeds | |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    for name in common:
        first, second = old[name], new[name]
        if not np.array_equal(first.actual, second.actual):
            sides = [
                f"{len(side.actual):,} of {_dataset(revision)}"
                for side, revision in ((first, before), (second, after))
            ]
            raise UserError(
                f"{name}: the two sides were tested on different images, {' and '.join(sides)}; "
                "their accuracies do not compare."
            )
        rows.append(_row(name, first, second))
    note = (
        "Accuracies are means over the seeds, and a test image is fixed or broken by the share of "
        "the networks that get it right. Each run has two tests: whether other images would tell "
        "these networks apart (exact permutation test, with one seed a side McNemar's), and "
        "whether other seeds would tell the recipes apart on these images (t-test; of one network "
        f"beside several, whether it could be one more of them). Better or worse is what is below "
        f"{LEVEL} in both, each run by itself: of many runs chance alone sets some apart. Where "
        "each side has one seed, others may differ, which is not tested. Choose by the validation "
        "set and look here once: what the test set chose, it no longer tests."
    )
    return "\n".join([*rows, "", note])


def _row(name: str, first: Classified, second: Classified) -> str:
    difference = compare_predictions(first.actual, first.by_seed, second.by_seed)
    over_seeds = difference.seeds_p_value
    cells = [
        name,
        f"{len(first.by_seed)}, {len(second.by_seed)}",
        *(f"{np.mean(side.by_seed == side.actual):.2%}" for side in (first, second)),
        *(f"{images:.1f}".removesuffix(".0") for images in (difference.fixed, difference.broken)),
        f"{difference.p_value:.2g}",
        "not tested" if over_seeds is None else f"{over_seeds:.2g}",
        difference.verdict,
    ]
    return f"| {' | '.join(cells)} |"


def _predictions(revision: str | None) -> dict[str, Classified]:
    """Labels and predictions of each run in a revision, or in the working tree."""
    if revision is None:
        texts = {
            path.stem: path.read_text(encoding="utf-8", errors="replace")
            for path in sorted((_top() / PREDICTIONS).glob("*.csv"))
        }
    else:
        listed = _git("ls-tree", "--name-only", revision, f"{PREDICTIONS.as_posix()}/")
        texts = {
            Path(name).stem: _git("show", f"{revision}:./{name}") for name in listed.splitlines()
        }
    if not texts:
        raise UserError(
            f"{revision or 'the working tree'} has no files in {PREDICTIONS}; run the study "
            "there first, and commit them, or name another revision."
        )
    return {name: _parse(name, text) for name, text in texts.items()}


def _dataset(revision: str | None) -> str:
    """The title of the data set, as the report's metrics have it."""
    file = "metrics/summary.json"
    try:
        if revision is None:
            text = (_top() / file).read_text(encoding="utf-8")
        else:
            text = _git("show", f"{revision}:./{file}")
        return str(json.loads(text)["data"]["dataset"])
    except (OSError, ValueError, LookupError, TypeError, UserError):
        return "an unnamed data set"


def _parse(name: str, text: str) -> Classified:
    file, advice = f"{predictions_file(name)}", "name another revision."
    if "\ufffd" in text:  # in the place of what is no text
        raise UserError(f"{file} is not UTF-8 text; {advice}")
    table = parse_predictions(text, file, advice)
    if len(table.actual) == 0:
        raise UserError(f"{file} has no predictions; {advice}")
    return table


def _git(*words: str) -> str:
    done = subprocess.run(
        ["git", *words],  # noqa: S607
        cwd=_top(),
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode != 0:  # git says what to do, perhaps in several lines
        raise UserError(f"git {words[0]}: {done.stderr.strip().removeprefix('fatal: ')}")
    return done.stdout


def _top() -> Path:
    """The study's folder, from any folder in it."""
    here = Path.cwd()
    return next((each for each in (here, *here.parents) if (each / "dvc.yaml").exists()), here)
