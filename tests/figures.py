"""What can be seen in a figure, after drawing it; and what every figure has to pass."""

import html
import io
import re
from itertools import combinations

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.figure import Figure

LONG_TITLE = "scikit-learn digits (not MNIST)"


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


def assert_no_text_is_cut(figure: Figure) -> None:
    box = figure.get_tightbbox(draw(figure))  # in inches, of all that is visible
    assert box.x0 >= 0
    assert box.y0 >= 0
    assert box.x1 <= figure.get_figwidth()
    assert box.y1 <= figure.get_figheight()


def assert_tick_labels_are_apart(figure: Figure) -> None:
    renderer = draw(figure)
    axes = figure.axes[0]
    for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
        low, high = axes.bbox.get_points()
        boxes = [label.get_window_extent(renderer) for label in labels if label.get_text()]
        # Ticks outside the limits are not drawn.
        boxes = [
            box
            for box in boxes
            if low[0] <= (box.x0 + box.x1) / 2 <= high[0]
            or low[1] <= (box.y0 + box.y1) / 2 <= high[1]
        ]
        assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
