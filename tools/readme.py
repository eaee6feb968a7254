"""Bring README.md and docs/ up to date with the last run: python -m tools readme.

The results table is made from metrics/summary.json, the pictures are copied into docs/, and
docs/page.md says how large the parts of report.html are. After the tuned study, its summary is kept
for the table, after recipes/best the metrics of its two stages for the sentences below it, and
after the dense curve of recipes/curve that curve, for docs/science.md; all else is left as it is.
"""

import argparse
import re
from pathlib import Path

from mnistpipe.files.artifacts import read_json, write_bytes
from mnistpipe.files.errors import UserError
from mnistpipe.page.sizes import measure_parts
from mnistpipe.report.render import render_averaged, render_dense, render_results
from mnistpipe.report.summary import MNIST, Metrics
from mnistpipe.study import load_params
from mnistpipe.training.plan import BEST_STAGE, SWEEP

README = Path("README.md")
SUMMARY = Path("metrics/summary.json")
TUNED_SUMMARY = Path("recipes/tuned/summary.json")
# What is kept of recipes/best, whose other stages are the tuned study's.
BEST = {
    Path("recipes/best/summary.json"): Path(f"metrics/{BEST_STAGE}.json"),
    Path("recipes/best/sixteenth.json"): Path(f"metrics/{SWEEP}@sixteenth.json"),
}
# What is kept of the dense curve, and what it is made from.
CURVE_SUMMARY = Path("recipes/curve/summary.json")
CURVE = {
    CURVE_SUMMARY: Path("metrics/dense-curve.json"),
    Path("recipes/curve/networks.csv"): Path("plots/dense-curve.csv"),
    Path("docs/dense-curve.png"): Path("plots/dense-curve.png"),
}
SCIENCE = Path("docs/science.md")
PICTURES = (Path("plots/learning-curve.png"),)
REPORT_PAGE, PAGE = Path("report.html"), Path("docs/page.md")


def main() -> None:
    """Rewrite what lies between the two marks, and nothing else."""
    argparse.ArgumentParser(description="Bring README.md up to date.").parse_args()
    summary = read_json(SUMMARY)
    params = load_params()
    if summary["data"]["dataset"] != MNIST:
        raise UserError(f"{SUMMARY} is not about MNIST; run make repro with the real files first.")
    for kept in ({TUNED_SUMMARY: SUMMARY}, BEST, CURVE):
        if params == load_params(next(iter(kept)).with_name("params.yaml")):
            for path, source in kept.items():
                write_bytes(path, source.read_bytes())
            names = ", ".join(str(path) for path in kept)
            print(f"{names} written; git checkout params.yaml && make repro && make readme")
            return
    missing = [str(path) for path in (*PICTURES, REPORT_PAGE) if not path.exists()]
    if missing:
        raise UserError(f"{', '.join(missing)} missing; run: make repro")
    for path, what, table in (
        (README, "results", all_recipes(summary)),
        (PAGE, "sizes", sizes_table(REPORT_PAGE.read_text(encoding="utf-8"))),
        (SCIENCE, "best", render_averaged(best_runs())),
        (SCIENCE, "dense curve", render_dense(read_json(CURVE_SUMMARY))),
    ):
        write_bytes(path, with_table(path, what, table).encode())
    for picture in PICTURES:
        write_bytes(Path("docs") / picture.name, picture.read_bytes())


def all_recipes(summary: Metrics) -> str:
    """The results, with those of the recipes that have been run, too: tuned, and best."""
    tuned = read_json(TUNED_SUMMARY) if TUNED_SUMMARY.exists() else None
    return render_results(summary, tuned, best_runs())


def best_runs() -> dict[str, Metrics]:
    """What is kept of recipes/best, by stage; nothing before it has been run."""
    return {source.stem: read_json(path) for path, source in BEST.items() if path.exists()}


def sizes_table(page: str) -> str:
    """How large the parts of the page are, the largest first, and the whole."""
    sizes = sorted(measure_parts(page).items(), key=lambda part: -part[1])
    rows = [f"| `{name}` | {size:,} |" for name, size in sizes]
    whole = f"| the whole page | {sum(size for _, size in sizes):,} |"
    return "\n".join(["| part | bytes |", "| --- | ---: |", *rows, whole])


def with_table(path: Path, what: str, table: str) -> str:
    """The text of a page with this table between its two marks.

    Raises UserError if the marks are not there, once each and in order.
    """
    text = path.read_text(encoding="utf-8")
    start, end = f"<!-- {what}: written by make readme -->\n", f"<!-- end of {what} -->"
    pattern = re.escape(start) + "(.*?)" + re.escape(end)
    if text.count(start) != 1 or text.count(end) != 1 or not re.search(pattern, text, re.DOTALL):
        raise UserError(f"{path} should hold the lines '{start.strip()}' and '{end}' once each.")
    return re.sub(pattern, lambda _: f"{start}{table}\n{end}", text, flags=re.DOTALL)
