"""The map and the field to draw in, in a browser: what stands in them, and what they do."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from mnistpipe.analysis.examined import Examined
from mnistpipe.classifier import PRETRAINED
from mnistpipe.data.datasets import load_digits
from mnistpipe.data.params import Data
from mnistpipe.data.split import Labelled, Split
from mnistpipe.networks.model_files import read_any_model
from mnistpipe.networks.models import Net
from mnistpipe.page.document import render_page
from mnistpipe.page.explore import explore_widgets, is_drawn
from mnistpipe.page.widgets import Widget
from mnistpipe.scoring.scores import predict_arrays
from tests.images.drawings import STROKES
from tests.page.conftest import OpenPage
from tools.browser import Page

REPORT = "# Study\n\n## Draw\n\n<!-- widget: draw -->\n\n## Map\n\n<!-- widget: map -->\n"
MAP = ".map-plane canvas"
CHOSEN = "document.querySelector('[data-part=number]').textContent"
SHOWN = "document.querySelector('[data-part=shown]').textContent"
ANSWER = "document.querySelector('.draw-answer').textContent"


def make_split(images: np.ndarray, labels: np.ndarray, classes: tuple[str, ...]) -> Split:
    part = Labelled(images, labels)
    numbers = np.arange(len(labels))
    return Split("digits", classes, part, part, part, numbers, numbers)


def widgets_of(split: Split, network: Net, *, drawn: bool) -> list[Widget]:
    logits, features = predict_arrays(network, split.test.images)
    axes = np.linalg.svd(features - features.mean(axis=0), full_matrices=False)[2][:2]
    examined = Examined(split.test.labels, logits, features, features @ axes.T)
    return explore_widgets(split, examined, network, 0.9, [], drawn=drawn)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with the small digits, and the network that comes with the package."""
    network, card = read_any_model(PRETRAINED)
    assert isinstance(network, Net)
    digits = load_digits().test
    split = make_split(digits.images, digits.labels, card.classes)
    path = tmp_path_factory.mktemp("page") / "page.html"
    path.write_text(render_page(REPORT, widgets_of(split, network, drawn=True)), encoding="utf-8")
    return path


def open_ready(open_page: OpenPage, file: Path, width: int = 1280) -> Page:
    page = open_page(file, width=width)
    page.wait(f"{SHOWN} !== ''")
    return page


def draw_digit(page: Page, digit: int) -> None:
    page.middle(".draw-field")
    left, top, side = page.evaluate(
        "(({x, y, width}) => [x, y, width])"
        "(document.querySelector('.draw-field').getBoundingClientRect())"
    )
    for stroke in STROKES[digit]:
        points = [(left + side * (0.2 + 0.6 * x), top + side * (0.15 + 0.7 * y)) for x, y in stroke]
        page.mouse("mousePressed", *points[0])
        for point in points[1:]:
            page.mouse("mouseMoved", *point)
        page.mouse("mouseReleased", *points[-1])


def settle(page: Page) -> None:
    """Until what waits for the next frame is there."""
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def test_pointing_at_the_map_shows_an_image_and_leaving_it_the_chosen_one(
    open_page: OpenPage, file: Path
) -> None:
    page = open_ready(open_page, file)
    chosen = page.evaluate(CHOSEN)
    x, y = page.middle(MAP)
    seen = set()
    for right in range(-200, 201, 80):
        for down in range(-200, 201, 80):
            page.mouse("mouseMoved", x + right, y + down)
            seen.add(page.evaluate(CHOSEN))
    assert len(seen) > 3
    words = page.evaluate("document.querySelector('.card-words').innerText")
    assert re.fullmatch(r"Image \d+\nlabelled \d\ntaken for \d \(>?\d+%\)", words)
    inked = "(c => c.getContext('2d').getImageData(0, 0, 28, 28).data.some((v) => v > 0))"
    assert page.evaluate(f"{inked}(document.querySelector('.card-image'))")
    assert page.evaluate("document.querySelectorAll('.map-card .thumbs button').length") == 8
    page.mouse("mouseMoved", x, 2)
    assert page.evaluate(CHOSEN) == chosen
    assert page.complaints() == []


def test_filters_matrix_and_search_agree(open_page: OpenPage, file: Path) -> None:
    page = open_ready(open_page, file)
    assert page.evaluate(SHOWN) == "359 images."
    page.click("[name=mistakes]")
    wrong = re.fullmatch(r"(\d+) of 359 images\.", page.evaluate(SHOWN))
    counts = page.evaluate(
        "[...document.querySelectorAll('.matrix td[data-actual]:not(.right)')]"
        ".reduce((sum, cell) => sum + Number(cell.textContent), 0)"
    )
    assert wrong is not None
    assert int(wrong[1]) == counts
    cell = ".matrix td[data-actual='3'][data-predicted='3'] button"
    page.click(cell)
    right = page.evaluate(f'document.querySelector("{cell}").textContent')
    assert page.evaluate(SHOWN) == f"{right} of 359 images."
    assert page.evaluate("document.querySelector('[name=actual]').value") == "3"
    page.click(cell)
    assert page.evaluate(SHOWN) == "359 images."
    page.click("[name=number]")
    for key in "17":
        page.press(key, ord(key), key)
    page.press("Enter", 13, "\r")
    assert page.evaluate(CHOSEN) == "Image 17"
    assert page.complaints() == []


def test_a_number_that_the_map_has_not_is_told(open_page: OpenPage, file: Path) -> None:
    page = open_ready(open_page, file)
    chosen = page.evaluate(CHOSEN)
    number = "document.querySelector('[name=number]')"
    page.evaluate(f"{number}.max = 999")  # as if these were some of a thousand
    for typed, known in (("400", False), ("17", True)):
        page.evaluate(f"{number}.value = {typed}")
        page.evaluate(f"{number}.dispatchEvent(new Event('change', {{bubbles: true}}))")
        assert page.evaluate(f"{number}.validity.valid") == known
        assert page.evaluate(CHOSEN) == ("Image 17" if known else chosen)


def test_a_drawn_digit_is_recognised_among_its_like(open_page: OpenPage, file: Path) -> None:
    page = open_ready(open_page, file)
    assert "Draw something" in page.evaluate(ANSWER)
    draw_digit(page, 3)
    settle(page)
    assert page.evaluate(ANSWER).split()[0] == "3"
    thumbs = "[...document.querySelectorAll('.draw .thumbs span')].map((span) => span.textContent)"
    neighbours = page.evaluate(thumbs)
    assert len(neighbours) == 8
    assert neighbours.count("3") >= 6
    bars = page.evaluate(
        "[...document.querySelectorAll('.draw .bar')].map((bar) => "
        "Number(bar.style.getPropertyValue('--share')))"
    )
    assert len(bars) == 10
    assert sum(bars) == pytest.approx(1)
    assert int(np.argmax(bars)) == 3
    page.click("[name=clear]")
    settle(page)
    assert "Draw something" in page.evaluate(ANSWER)
    assert page.complaints() == []


def test_a_finger_draws_and_does_not_scroll(open_page: OpenPage, file: Path) -> None:
    page = open_ready(open_page, file, width=390)
    x, y = page.middle(".draw-field")
    before = page.evaluate("scrollY")
    touch = [{"x": x, "y": y - 90}]
    page.send("Input.dispatchTouchEvent", type="touchStart", touchPoints=touch)
    for step in range(-80, 100, 20):
        touch = [{"x": x, "y": y + step}]
        page.send("Input.dispatchTouchEvent", type="touchMove", touchPoints=touch)
    page.send("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
    settle(page)
    assert page.evaluate("scrollY") == before
    assert page.evaluate(ANSWER).split()[0] == "1"


def test_what_is_cleared_under_a_finger_is_gone(open_page: OpenPage, file: Path) -> None:
    page = open_ready(open_page, file, width=390)
    x, y = page.middle(".draw-field")
    touch = [{"x": x, "y": y}]
    page.send("Input.dispatchTouchEvent", type="touchStart", touchPoints=touch)
    page.evaluate("document.querySelector('[name=clear]').click()")
    touch = [{"x": x, "y": y + 50}]
    page.send("Input.dispatchTouchEvent", type="touchMove", touchPoints=touch)
    page.send("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
    settle(page)
    assert "Draw something" in page.evaluate(ANSWER)
    assert page.complaints() == []
    page.click(".draw-field")  # a pen is free again
    settle(page)
    assert "Draw something" not in page.evaluate(ANSWER)


def test_the_matrix_is_one_stop_and_a_chosen_neighbour_keeps_the_focus(
    open_page: OpenPage, file: Path
) -> None:
    page = open_ready(open_page, file)
    stops = "document.querySelectorAll('.matrix button:not([tabindex=\"-1\"])').length"
    where = "(({actual, predicted}) => [actual, predicted])(document.activeElement.dataset)"
    page.evaluate("document.querySelector('.matrix button').focus()")
    assert page.evaluate(where) == [None, "0"]
    page.press("ArrowDown", 40)
    assert page.evaluate(where) == ["0", "0"]
    page.press("ArrowLeft", 37)
    assert page.evaluate(where) == ["0", None]
    page.press("ArrowLeft", 37)  # there is none
    assert page.evaluate(where) == ["0", None]
    assert page.evaluate(stops) == 1
    before = page.evaluate(CHOSEN)
    page.evaluate("document.querySelectorAll('.map-card .thumbs button')[2].focus()")
    page.press("Enter", 13, "\r")
    assert page.evaluate(CHOSEN) != before
    thumbs = "[...document.querySelectorAll('.map-card .thumbs button')]"
    assert page.evaluate(f"{thumbs}.indexOf(document.activeElement)") == 2


def test_it_is_printed_with_dark_ink_and_all_counts(open_page: OpenPage, file: Path) -> None:
    page = open_page(file, dark=True)
    page.wait(f"{SHOWN} !== ''")
    ink = (
        "document.querySelector('.card-image').getContext('2d').getImageData(0, 0, 28, 28).data"
        ".reduce((most, value, i) => i % 4 < 3 ? Math.max(most, value) : most, 0)"
    )
    assert page.evaluate(ink) > 200
    page.send("Emulation.setEmulatedMedia", media="print")
    page.wait(f"{ink} < 100")
    shown = "[...document.querySelectorAll('.matrix button')].every((cell) => cell.offsetWidth > 0)"
    assert page.evaluate(shown)


def test_keys_alone_reach_the_map_and_draw(open_page: OpenPage, file: Path) -> None:
    page = open_ready(open_page, file)
    reached = set()
    for _ in range(140):
        page.press("Tab", 9)
        reached.add(
            page.evaluate(
                "(e => e.name || e.className || e.ariaLabel || e.tagName)(document.activeElement)"
            )
        )
        if page.evaluate(f"document.activeElement.matches('{MAP}')"):
            seen = set()
            for key, code in (("ArrowLeft", 37), ("ArrowUp", 38), ("ArrowRight", 39), ("+", 187)):
                page.press(key, code)
                seen.add(page.evaluate(CHOSEN))
            assert len(seen) > 1
            assert page.evaluate(f"document.querySelector('{MAP}').classList.contains('zoomed')")
        if page.evaluate("document.activeElement.matches('.draw-field')"):
            page.press(" ", 32)
            for _ in range(20):
                page.press("ArrowDown", 40)
            settle(page)
            assert page.evaluate(ANSWER).split()[0] == "1"
    assert {"draw-field", "undo", "clear", "actual", "predicted", "mistakes", "number"} <= reached
    assert page.complaints() == []


def test_names_of_classes_are_text(tmp_path: Path, open_page: OpenPage) -> None:
    classes = ("<b>bold</b>", "</script><script>alert(1)</script>", *map(str, range(98)))
    images = np.random.default_rng(0).integers(0, 256, (120, 28, 28), dtype=np.uint8)
    split = make_split(images, np.arange(120) % 100, classes)
    widgets = widgets_of(split, Net(n_classes=100).eval(), drawn=False)
    report = "# Study\n\n## Map\n\n<!-- widget: map -->\n"
    (tmp_path / "page.html").write_text(render_page(report, widgets), encoding="utf-8")
    page = open_ready(open_page, tmp_path / "page.html")
    names = page.evaluate(
        "[...document.querySelectorAll('.matrix thead th')].map((th) => th.innerText)"
    )
    assert names[:2] == list(classes[:2])
    assert page.evaluate("document.querySelectorAll('b').length") == 0
    bars = page.evaluate("[...document.querySelectorAll('.bar')].map((bar) => bar.offsetWidth)")
    assert len(set(bars)) == 1  # so that equal shares are equally long, whatever the names
    assert page.complaints() == []


def test_drawing_is_offered_where_images_are_strokes() -> None:
    def data(dataset: str, prepare: str = "resize") -> Data:
        fields = {"dataset": dataset, "fallback": None, "folder": "images", "prepare": prepare}
        return Data.model_validate(fields)

    drawn = [data("mnist"), data("emnist-letters"), data("digits"), data("folder", "mnist")]
    assert all(map(is_drawn, drawn))
    assert not any(map(is_drawn, [data("fashion-mnist"), data("kmnist"), data("folder")]))


def test_the_same_study_gives_the_same_widgets() -> None:
    digits = load_digits().test
    split = make_split(digits.images[:20], digits.labels[:20], tuple("0123456789"))
    network = Net().eval()
    first, second = (widgets_of(split, network, drawn=True) for _ in range(2))
    assert first == second
    (payload,) = re.findall(r'id="map-data">(.*?)</script>', first[1].html)
    assert json.loads(payload)["classes"] == list("0123456789")


def test_where_the_script_fails_a_sentence_stands_in_its_place(
    tmp_path: Path, open_page: OpenPage, file: Path
) -> None:
    """Whether it stops on its way or is none that the browser knows."""
    said = "[...document.querySelectorAll('.waits')].map((p) => p.hidden ? '' : p.textContent)"
    page = open_ready(open_page, file)
    assert page.evaluate(said) == ["", ""]
    whole = file.read_text(encoding="utf-8").replace("Content-Security-Policy", "x")
    for broken, words in (
        ("await sprite.decode();", "This cannot be shown here: no picture"),
        ("class Painter {", "script, which has not run here."),
    ):
        wrong = 'throw Error("no picture");' if "await" in broken else "class Painter ("
        path = tmp_path / "broken.html"
        path.write_text(whole.replace(broken, wrong), encoding="utf-8")
        page = open_page(path)
        page.wait(f"{said}.every((words) => words.endsWith('{words}'))")
        assert page.evaluate("document.querySelector('.waits').offsetHeight") > 0


def test_the_names_of_many_classes_do_not_hide_the_map(tmp_path: Path, open_page: OpenPage) -> None:
    """Of a hundred long ones some are drawn, each beside the others."""
    classes = tuple(f"Class number {number}, of a long name" for number in range(100))
    images = np.random.default_rng(0).integers(0, 256, (200, 28, 28), dtype=np.uint8)
    split = make_split(images, np.arange(200) % 100, classes)
    widgets = widgets_of(split, Net(n_classes=100).eval(), drawn=False)
    report = "# Study\n\n## Map\n\n<!-- widget: map -->\n"
    html = render_page(report, widgets).replace("Content-Security-Policy", "x")
    drawing = "function drawLabel(context, text, x, y, edge, size = 12) {"
    html = html.replace(drawing, f"{drawing} (window.drawn ??= []).push([x, y]);")
    (tmp_path / "page.html").write_text(html, encoding="utf-8")
    page = open_ready(open_page, tmp_path / "page.html")
    drawn = {tuple(place) for place in page.evaluate("window.drawn")}
    assert 0 < len(drawn) < 60
    assert page.evaluate("document.documentElement.scrollWidth") == 1280
    names = "[...document.querySelectorAll('.matrix th')]"
    assert max(page.evaluate(f"{names}.map((e) => e.offsetWidth + e.offsetHeight)")) < 250
