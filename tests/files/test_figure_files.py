import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

# Two figures of equal points; those of a cloud are pixels, and its name is a text.
DRAW = """
import numpy as np
from matplotlib.figure import Figure
from mnistpipe.files.figure_files import write_figure
from mnistpipe.files.figure_style import in_style

@in_style
def draw():
    figure = Figure(figsize=(2, 2), layout="constrained")
    axes = figure.subplots()
    axes.scatter(*np.random.default_rng(0).random((2, 500)), rasterized=True)
    axes.plot([0, 1], label="the line")
    axes.legend(title="the title")
    return figure

for name in ("one", "below/two"):
    write_figure(name, draw())
"""
FILES = {
    f"{folder}/{name}.{kind}"
    for name in ("one", "below/two")
    for folder, kind in (("plots", "png"), ("figures", "svg"), ("figures", "pdf"))
}


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two folders, written by two processes on days that are years apart."""
    folders = [tmp_path_factory.mktemp("figures") for _ in range(2)]
    for number, folder in enumerate(folders):
        env = {"PYTHONHASHSEED": f"{number}", "SOURCE_DATE_EPOCH": f"{10**9 * number}"}
        path = f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
        subprocess.run(
            [sys.executable, "-c", DRAW],
            check=True,
            cwd=folder,
            env=os.environ | env | {"PYTHONPATH": path},
        )
    return folders


def test_equal_figures_give_equal_bytes_in_every_process(twice: list[Path]) -> None:
    first, second = (
        {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.*")}
        for folder in twice
    )
    assert set(first) == FILES
    assert first == second
    starts = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}
    for name, content in first.items():
        assert content.startswith(starts[name[-3:]])


def test_in_an_svg_texts_are_texts_and_the_points_of_a_cloud_are_pixels(twice: list[Path]) -> None:
    text = (twice[0] / "figures/one.svg").read_text(encoding="utf-8")
    assert re.findall(r">(the \w+)</text>", text) == ["the title", "the line"]
    assert text.count("<image") == 1
    assert text.count("<use") < 100


def test_a_pdf_embeds_its_letters_and_says_nothing_of_its_making(twice: list[Path]) -> None:
    content = (twice[0] / "figures/one.pdf").read_bytes()
    assert b"/Subtype /Type0" in content  # fonts whose texts can be copied; Type 3 is refused
    assert b"/Type3" not in content
    assert not re.search(rb"CreationDate|Producer|matplotlib", content, re.IGNORECASE)


def test_parts_of_two_svgs_on_one_page_have_names_of_their_own(twice: list[Path]) -> None:
    one, two = (
        set(re.findall(r"url\(#(\w+)\)", (twice[0] / name).read_text(encoding="utf-8")))
        for name in ("figures/one.svg", "figures/below/two.svg")
    )
    assert one
    assert two
    assert not one & two
