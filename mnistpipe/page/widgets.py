"""What stands in the page beside the report's text."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from mnistpipe.page.provenance import Origin
from mnistpipe.report.formats import FILTERS

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
        style: CSS of its own, with the page's variables (`page.css`) as colours.
        script: JavaScript of its own, a module that runs after the page is read; no requests.

    """

    name: str
    html: str
    style: str = ""
    script: str = ""


def figure(
    name: str, picture: str, caption: str, origins: Iterable[Origin], layout: str = ""
) -> Widget:
    """A picture with a caption below it, and what made it behind a fold.

    Args:
        name: of the widget.
        picture: HTML.
        caption: HTML that says how to read it.
        origins: the stages that made what it shows.
        layout: class of the element around the picture.

    """
    stages = {origin.stage: origin for origin in origins}
    html = render(
        "figure.html.j2",
        picture=picture,
        caption=caption,
        origins=[*stages.values()],
        layout=layout,
    )
    return Widget(name, html)


def render(template: str, **values: object) -> str:
    """A template beside this module, filled in; text in it is escaped."""
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= FILTERS
    return environment.get_template(template).render(values)


def read_asset(name: str) -> str:
    """A file beside this module; its suffix is one of those that count as the code of a stage."""
    return (_FOLDER / name).read_text(encoding="utf-8")
