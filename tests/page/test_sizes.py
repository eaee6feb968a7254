import re

import pytest
import yaml

from mnistpipe.files.artifacts import read_json
from mnistpipe.page.contents import study_widgets
from mnistpipe.page.sizes import BUDGET, measure_parts
from mnistpipe.report.summary import MNIST
from tests.conftest import ROOT
from tests.page.example import page_of, results_of
from tools.readme import PAGE


def test_every_part_counts_once() -> None:
    page = page_of(MNIST)
    sizes = measure_parts(page)
    widgets = {widget.name: widget for widget in study_widgets(results_of(MNIST))}
    assert {*sizes} == {*widgets, "styles", "scripts", "text"}
    assert sum(sizes.values()) == len(page.encode())
    for name, widget in widgets.items():
        assert 0 <= sizes[name] - len(widget.html.encode()) < 60


def test_the_studys_page_keeps_to_the_budget_and_is_as_large_as_the_docs_say() -> None:
    text = (ROOT / PAGE).read_text(encoding="utf-8")
    rows = re.findall(r"^\| (?:`[\w-]+`|[\w ]+) \| ([\d,]+) \|$", text, re.MULTILINE)
    *parts, whole = (int(row.replace(",", "")) for row in rows)
    assert sum(parts) == whole < BUDGET
    lock = yaml.safe_load((ROOT / "dvc.lock").read_text(encoding="utf-8"))
    outs = {out["path"]: out for out in lock["stages"]["report"]["outs"]}
    recorded = outs["report.html"]["size"]
    assert recorded < BUDGET
    dataset = read_json(ROOT / "metrics" / "summary.json")["data"]["dataset"]
    if dataset != MNIST:
        pytest.skip(f"the study has run on {dataset} here, and the page's sizes are MNIST's")
    assert abs(recorded - whole) < 0.05 * whole, "run: make readme"
