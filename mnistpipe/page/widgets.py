"""What stands in the page beside the report's text."""

from dataclasses import dataclass
from pathlib import Path

_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Widget:
    """A part of the page that is more than text: a figure, a chart, a thing to play with.

    It stands where the report's template (`report/report.md.j2`) says so in a line of its own:
    `<!-- widget: NAME -->`. A table right below that line is what the widget shows, in numbers, and
    stands in the page behind a fold.

    Attributes:
        name: lower-case letters, digits and hyphens; also the id of the element around it.
        html: its content. Whatever it says of the results is written from their numbers.
        style: CSS of its own, with the page's variables (`page.css.j2`) as colours.
        script: JavaScript of its own, a module that runs after the page is read; no requests.

    """

    name: str
    html: str
    style: str = ""
    script: str = ""


def read_asset(name: str) -> str:
    """A file beside this module; it ends in `.j2`, so that it counts as the code of a stage."""
    return (_FOLDER / name).read_text(encoding="utf-8")
