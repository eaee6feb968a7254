import base64
import hashlib
import re

import pytest

from mnistpipe.page.document import render_page
from mnistpipe.page.widgets import Widget, read_asset

REPORT = """# Digits & co

What was **found**.

## How sure is that?

<!-- widget: bars -->

| stage | accuracy |
| --- | ---: |
| `a <b>` | 98% |

Text of <em>hand</em>.

| another | table |
| --- | --- |
| 1 | 2 |

## Learning curve

<!-- a note -->
"""
BARS = Widget("bars", "<p>bars</p>", style=".bars { color: red }", script="alert('bars');")


def test_each_heading_is_a_section_with_an_anchor_and_a_link() -> None:
    page = render_page(REPORT, [BARS])
    assert re.findall(r'<section id="([^"]+)"', page) == ["how-sure-is-that", "learning-curve"]
    assert re.findall(r'<li><a href="#([^"]+)">(.*?)</a>', page) == [
        ("how-sure-is-that", "How sure is that?"),
        ("learning-curve", "Learning curve"),
    ]
    assert "<h1>Digits &amp; co</h1>" in page
    assert "<title>Digits &amp; co</title>" in page


def test_a_widget_stands_in_its_place_with_the_table_below_it_behind_a_fold() -> None:
    page = render_page(REPORT, [BARS])
    place = '<div class="widget" id="bars"><p>bars</p></div>\n<details><summary>In numbers'
    assert place in page
    assert page.count("<details>") == page.count("</details>") == 1
    assert page.index("</details>") < page.index("another")


def test_what_looks_like_html_in_the_report_is_text() -> None:
    page = render_page(REPORT, [BARS])
    assert "<code>a &lt;b&gt;</code>" in page
    assert "Text of &lt;em&gt;hand&lt;/em&gt;." in page
    assert "&lt;!-- a note --&gt;" in page


def test_a_widget_brings_its_style_and_a_script_that_the_policy_allows() -> None:
    page = render_page(REPORT, [BARS])
    assert BARS.style in page
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)
    assert policy
    for script in (BARS.script, read_asset("page.js")):
        assert f'<script type="module">{script}</script>' in page
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy[1]
    assert "default-src 'none'" in policy[1]


@pytest.mark.parametrize(
    ("widgets", "report"),
    [
        ([], REPORT),
        ([BARS, Widget("curve", "")], REPORT),
        ([BARS], REPORT.replace("<!-- a note -->", "<!-- widget: bars -->")),
    ],
    ids=["a place without a widget", "a widget without a place", "two places"],
)
def test_every_widget_has_one_place(widgets: list[Widget], report: str) -> None:
    with pytest.raises(ValueError, match="bars"):
        render_page(report, widgets)


def test_wide_tables_can_be_reached_by_keys() -> None:
    page = render_page(REPORT, [BARS])
    assert page.count('<div class="table" tabindex="0"') == page.count("<table>") == 2
