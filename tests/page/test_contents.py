import re
from dataclasses import replace

import pytest

from mnistpipe.data.catalogue import TITLE_ENDS
from mnistpipe.page.contents import study_widgets
from mnistpipe.page.document import render_page
from mnistpipe.report.summary import MNIST
from tests.page.example import page_of, results_of
from tests.report.example import DIGITS, NO_SPIKE, report_of

TABLES = {"results", "curve", "robustness", "losses", "disputed"}  # with one behind them


def test_the_page_is_the_same_each_time() -> None:
    report = report_of(MNIST, NO_SPIKE, drawn=True)
    again = render_page(report, study_widgets(results_of(MNIST)))
    assert again == page_of(MNIST)


def test_every_chart_has_its_table_and_every_figure_what_made_it() -> None:
    page = page_of(MNIST)
    for name in TABLES:
        assert re.search(rf'id="{name}">.*?</div>\n<details><summary>In numbers', page, re.DOTALL)
    for widget in study_widgets(results_of(MNIST)):
        made = re.findall(r"<code>dvc repro ([^<]+)</code>", widget.html)
        assert len(made) == (widget.name != "networks"), widget.name


def test_on_other_data_nothing_is_said_that_is_true_of_mnist_alone() -> None:
    """Parameters and commands are quoted as they are."""
    page = page_of(DIGITS).replace(DIGITS, "")
    text = re.sub(r"<(style|script|pre)\b.*?</\1>", "", page, flags=re.DOTALL)
    text = re.sub(r"<p><strong>These are not MNIST's numbers</strong>.*", "", text)
    for word in ("MNIST", "write-up", "diamond", "spike", "digit"):
        assert word in page_of(MNIST) or word == "digit"
        assert not re.findall(rf".*{word}.*", text), word


def test_of_whole_pictures_nobody_says_that_they_are_ink() -> None:
    ink, whole = (
        re.findall(r"<figcaption>.*\b(ink|light)\b", page_of(dataset))
        for dataset in (MNIST, f"pets {TITLE_ENDS['resize']}")
    )
    assert ink == ["ink"]
    assert whole == ["light"]


def test_a_caption_promises_no_more_than_is_shown() -> None:
    """A law that cannot be told is no line, and of many classes only some have an image."""
    line = "dotted line"
    assert line not in page_of(MNIST)
    results = results_of(MNIST)
    names = ("scale", "exponent", "floor")
    law = {name: {"value": 0.5, "low": 0.4, "high": 0.6} for name in names}
    results.summary["learning-curve"]["fit"] = law | {"p_value": 0.5}
    assert any(line in widget.html for widget in study_widgets(results))
    assert "An image of each class, drawn" in page_of(MNIST)
    classes = tuple(f"class {number}" for number in range(30))
    (rows,) = (w.html for w in study_widgets(results_of(MNIST, classes)) if w.name == "neighbours")
    assert "An image of each of 26 of 30 classes, drawn" in rows


def test_of_no_mistakes_none_is_counted() -> None:
    results = results_of(MNIST)
    right = replace(results.examined, logits=abs(results.examined.logits))
    widgets = study_widgets(replace(results, examined=right))
    (mistakes,) = (widget.html for widget in widgets if widget.name == "mistakes")
    assert "There are none." in mistakes
    assert "0 mistakes" not in mistakes


def test_images_are_disputed_where_there_are_some() -> None:
    results = results_of(MNIST)
    on_test = results.disputed[results.disputed["set"] == "test"]
    names = {widget.name for widget in study_widgets(replace(results, disputed=on_test))}
    assert "disputed" in names
    assert "disputed-others" not in names


@pytest.mark.parametrize("dataset", [MNIST, DIGITS])
def test_nothing_is_asked_of_the_network(dataset: str) -> None:
    page = re.sub(r'<a href="https://[^"]+">', "", page_of(dataset))  # asked for by a click alone
    addresses = re.findall(r'(?:src|href)="([^"]+)"|url\(([^)]+)\)', page)
    assert addresses
    assert all(re.match("#|data:", "".join(address)) for address in addresses)


def test_every_picture_has_its_words() -> None:
    page = page_of(MNIST)
    images = re.findall(r"<img [^>]*>", page)
    assert images
    assert all(re.search(r'alt="[^"]+"', image) for image in images)
    drawn = re.findall(r"<svg [^>]*>", page)
    labelled = re.findall(r'role="img" aria-label="[^"]{30,}"', page)
    assert drawn
    # Charts, of which some are several drawings; networks; a drawing as it is seen, and its place.
    assert len(labelled) == 5 + 2 + 2
