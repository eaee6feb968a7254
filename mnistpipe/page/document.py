"""report.html as text: the report's Markdown as a page, with widgets in their places."""

import base64
import hashlib
import html
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

from mnistpipe.page.widgets import Widget, read_asset, render

_MARKER = re.compile(r"<!-- widget: ([a-z0-9-]+) -->\s*")


@dataclass(frozen=True)
class Section:
    """A chapter of the page: its anchor, its heading as HTML, and what stands below that."""

    anchor: str
    title: str
    html: str


def render_page(report: str, widgets: Sequence[Widget], *, ink: bool = True) -> str:
    """The page as HTML: equal arguments give equal text.

    Args:
        report: REPORT.md as text, with a line `<!-- widget: NAME -->` for each widget.
        widgets: in any order.
        ink: whether their images are ink, which is light on dark where the page is; else they are
            whole pictures, which always look the same.

    Raises ValueError if not every widget has one place in the report, and every place a widget.

    """
    markdown = MarkdownIt("commonmark").enable("table")
    markdown.add_render_rule("table_open", _open_table)
    markdown.add_render_rule("table_close", _close_table)
    for kind in ("fence", "code_block"):
        markdown.add_render_rule(kind, _code)
    tokens = markdown.parse(report)
    _place(tokens, {widget.name: widget for widget in widgets})
    first, *sections = _split(markdown, tokens)
    scripts = [read_asset("page.js"), *(each.script for each in widgets if each.script)]
    return render(
        "page.html.j2",
        first=first,
        sections=sections,
        style="\n".join([read_asset("page.css"), *(each.style for each in widgets)]),
        ink=ink,
        scripts=scripts,
        hashes=[_hash(script) for script in scripts],
    )


def _place(tokens: list[Token], widgets: Mapping[str, Widget]) -> None:
    """Put the widgets in the markers' places; other HTML of the report becomes plain text."""
    found = []
    for place, token in enumerate(tokens):
        if token.type == "html_block" and (match := _MARKER.fullmatch(token.content)):
            name = match[1]
            found.append(name)
            if name not in widgets:
                raise ValueError(f"the report has a place for '{name}', which is no widget")
            token.content = f'<div class="widget" id="{name}">{widgets[name].html}</div>\n'
            _fold(tokens[place + 1 :])
        elif token.type == "html_block":
            token.content = html.escape(token.content)
        for child in token.children or ():
            if child.type == "html_inline":
                child.type = "text"
    if sorted(found) != sorted(widgets):
        raise ValueError(f"widgets {sorted(widgets)} stand in the report as {sorted(found)}")


def _fold(tokens: Sequence[Token]) -> None:
    """Mark the table that these start with, if they do."""
    if tokens and tokens[0].type == "table_open":
        end = next(token for token in tokens if token.type == "table_close")
        tokens[0].meta["folded"] = end.meta["folded"] = True


def _open_table(_: RendererHTML, tokens: Sequence[Token], place: int, *__: object) -> str:
    """Wide tables scroll by themselves, by keys, too."""
    fold = "<details><summary>In numbers</summary>" if "folded" in tokens[place].meta else ""
    return f'{fold}<div class="table" tabindex="0" role="group"><table>'


def _close_table(_: RendererHTML, tokens: Sequence[Token], place: int, *__: object) -> str:
    return "</table></div>" + ("</details>" if "folded" in tokens[place].meta else "")


def _code(_: RendererHTML, tokens: Sequence[Token], place: int, *__: object) -> str:
    """Long lines scroll likewise."""
    return f'<pre tabindex="0"><code>{html.escape(tokens[place].content)}</code></pre>\n'


def _split(markdown: MarkdownIt, tokens: list[Token]) -> Iterable[Section]:
    """What stands below each heading of the first and second level."""
    starts = [
        place
        for place, token in enumerate(tokens)
        if token.type == "heading_open" and token.tag in ("h1", "h2")
    ]
    for start, end in zip(starts, [*starts[1:], len(tokens)], strict=True):
        title = tokens[start + 1]
        yield Section(
            anchor=_anchor(title.content),
            title=markdown.renderer.render([title], markdown.options, {}),
            html=markdown.renderer.render(tokens[start + 3 : end], markdown.options, {}),
        )


def _anchor(title: str) -> str:
    """As GitHub makes them: `how-sure-is-that`."""
    return re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-")


def _hash(script: str) -> str:
    """Of a script, as a content security policy names it."""
    digest = hashlib.sha256(script.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"
