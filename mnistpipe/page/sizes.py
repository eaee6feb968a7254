"""How large the page's parts are."""

import re
from collections import Counter

BUDGET = 6_000_000  # bytes, of the whole page: what a phone opens and a mail takes
_WIDGET = re.compile(r'<div class="widget" id="([^"]+)">')
_DIV = re.compile(r"<(/?)div\b[^>]*>")
# Styles and scripts, but for data, which are the widget's that they stand in.
_BESIDE = re.compile(r"<(style|script)\b(?! type=\"application/json\").*?</\1>", re.DOTALL)


def measure_parts(page: str) -> dict[str, int]:
    """Bytes of each widget, by its name, of all styles, of all scripts, and of the text.

    A widget's own style and script are among the others.
    """
    sizes = Counter[str]()
    for beside in _BESIDE.finditer(page):
        sizes[f"{beside[1]}s"] += len(beside[0].encode())
    for widget in _WIDGET.finditer(page):
        whole = page[widget.start() : _end(page, widget.start())]
        sizes[widget[1]] = len(_BESIDE.sub("", whole).encode())
    return dict(sizes) | {"text": len(page.encode()) - sizes.total()}


def _end(page: str, start: int) -> int:
    """Where the element ends that starts there."""
    depth = 0
    for tag in _DIV.finditer(page, start):
        depth += -1 if tag[1] else 1
        if depth == 0:
            return tag.end()
    raise ValueError("an element of the page has no end")
