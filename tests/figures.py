"""What can be seen in a figure, after drawing it; and what every figure has to pass."""

import html
import io
import re
from itertools import combinations

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from mnistpipe.files.figure_style import SMALL, TWO_COLUMNS, in_style

LONG_TITLE = "scikit-learn digits (not MNIST)"


@in_style
def draw(figure: Figure) -> RendererAgg:
    """Lay the figure out and draw it, so that places and pixels can be asked for."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    renderer: RendererAgg = canvas.get_renderer()  # type: ignore[no-untyped-call]
    return renderer


def laid_out(figure: Figure) -> Figure:
    """Everything is put in its place, where it stays: that is most of the time of a drawing."""
    draw(figure)
    figure.set_layout_engine("none")
    return figure


def lines_seen(figure: Figure) -> list[str]:
    """Each line of text that is really drawn, hidden ones left out."""
    buffer = io.BytesIO()
    with mpl.rc_context({"svg.fonttype": "none"}):  # texts as texts, not as outlines
        figure.savefig(buffer, format="svg")
    found = re.findall(r"<text[^>]*>(.*?)</text>", buffer.getvalue().decode(), re.DOTALL)
    return [html.unescape(line) for line in found]


def assert_names_its_data_set(figure: Figure, dataset: str) -> None:
    assert any(dataset in line for line in lines_seen(figure))


def assert_is_a_png_of_its_size(figure: Figure) -> None:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=50)
    content = buffer.getvalue()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = (int.from_bytes(content[start : start + 4], "big") for start in (16, 20))
    assert (width, height) == (
        int(figure.get_figwidth() * 50),
        int(figure.get_figheight() * 50),
    )


@in_style
def assert_is_fit_for_print(figure: Figure) -> None:
    """It fits a page's width, and all of its texts are whole, apart and large enough to be read."""
    renderer = draw(figure)
    assert figure.get_figwidth() <= TWO_COLUMNS + 1e-9
    box = figure.get_tightbbox(renderer)  # in inches, of all that is visible
    assert box.x0 >= 0
    assert box.y0 >= 0
    assert box.x1 <= figure.get_figwidth()
    assert box.y1 <= figure.get_figheight()
    texts = texts_of(figure)
    assert min(float(text.get_fontsize()) for text in texts) >= SMALL
    # Of an annotation without its arrow.
    boxes = [(text.get_text(), Text.get_window_extent(text, renderer)) for text in texts]
    for (one, first), (other, second) in combinations(boxes, 2):
        assert not first.overlaps(second), (one, other)


def texts_of(figure: Figure) -> list[Text]:
    """Those that are drawn: of an axis those of the ticks within its limits."""
    found = list(figure.texts)
    for legend in (*figure.legends, *(axes.get_legend() for axes in figure.axes)):
        found += [] if legend is None else [*legend.get_texts(), legend.get_title()]
    for axes in figure.axes:
        found += [each for each in axes.get_children() if isinstance(each, Text)]
        for axis in (axes.xaxis, axes.yaxis) if axes.axison else ():
            low, high = sorted(axis.get_view_interval())
            ticks = [tick for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
            found += [axis.label, *(tick.label1 for tick in ticks)]
    return [text for text in found if text.get_visible() and text.get_text().strip()]
