"""Bring README.md up to date with the last run: python -m tools readme.

The results table is made from metrics/summary.json, the pictures are copied into docs/. After the
tuned study, its summary is kept for the table's column, and README.md is left as it is.
"""

import re
from pathlib import Path

from mnistpipe.files.artifacts import read_json, write_bytes
from mnistpipe.files.errors import UserError
from mnistpipe.report.page import write_results
from mnistpipe.report.summary import MNIST, Metrics
from mnistpipe.study import load_params

README = Path("README.md")
SUMMARY = Path("metrics/summary.json")
TUNED_SUMMARY = Path("recipes/tuned/summary.json")
PICTURES = (
    Path("plots/learning-curve.png"),
    Path("plots/robustness.png"),
    Path("plots/analyze/t-sne.png"),
    Path("plots/analyze/neighbours.png"),
)
START, END = "<!-- results: written by make readme -->\n", "<!-- end of results -->"


def main() -> None:
    """Rewrite what lies between the two marks, and nothing else."""
    summary = read_json(SUMMARY)
    tuned = load_params() == load_params(TUNED_SUMMARY.with_name("params.yaml"))
    if summary["data"]["dataset"] != MNIST:
        raise UserError(f"{SUMMARY} is not about MNIST; run make repro with the real files first.")
    if tuned:
        write_bytes(TUNED_SUMMARY, SUMMARY.read_bytes())
        print(f"{TUNED_SUMMARY} written; git checkout params.yaml && make repro && make readme")
        return
    missing = [str(picture) for picture in PICTURES if not picture.exists()]
    if missing:
        raise UserError(f"{', '.join(missing)} missing; run: make repro")
    text = README.read_text(encoding="utf-8")
    write_bytes(README, with_results(text, both_recipes(summary)).encode())
    for picture in PICTURES:
        write_bytes(Path("docs") / picture.name, picture.read_bytes())


def both_recipes(summary: Metrics) -> str:
    """The results table, with the tuned recipe's accuracies if that study has been run."""
    tuned = read_json(TUNED_SUMMARY) if TUNED_SUMMARY.exists() else None
    return write_results(summary, tuned)


def with_results(text: str, table: str) -> str:
    """README's text with this table in it.

    Raises UserError if the two marks are not there, once each and in order.
    """
    pattern = re.escape(START) + "(.*?)" + re.escape(END)
    if text.count(START) != 1 or text.count(END) != 1 or not re.search(pattern, text, re.DOTALL):
        raise UserError(f"{README} should hold the lines '{START.strip()}' and '{END}' once each.")
    return re.sub(pattern, lambda _: f"{START}{table}\n{END}", text, flags=re.DOTALL)
