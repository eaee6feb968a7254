from dataclasses import replace

import pytest
from jinja2 import UndefinedError

from mnistpipe.page.provenance import Origin
from mnistpipe.page.widgets import figure, render

ORIGIN = Origin("analyze", "Show <it>", "python -m stages analyze", "analyze: {seed: 0}\n")


def test_a_figure_says_what_made_it() -> None:
    html = figure("map", "<b>picture</b>", "How to read it.", [ORIGIN, ORIGIN]).html
    assert "<b>picture</b>" in html
    assert "<figcaption>How to read it.</figcaption>" in html
    assert html.count("<code>dvc repro analyze</code>") == 1
    assert "Show &lt;it&gt;: <code>python -m stages analyze</code>" in html
    assert html.count("analyze: {seed: 0}") == 1


def test_a_figure_of_several_stages_names_them_all_in_one_command() -> None:
    other = replace(ORIGIN, stage="report", params="")
    html = figure("map", "", "", [ORIGIN, other]).html
    assert "<code>dvc repro analyze report</code>" in html
    assert html.count("<pre") == 1


def test_what_is_made_of_code_alone_has_no_origin() -> None:
    assert "<details" not in figure("map", "", "", []).html


def test_a_name_that_nobody_gives_a_template_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        render("figure.html.j2", picture="")
