"""Take the README's pictures of report.html: python -m tools screenshots.

Where Chromium is not installed, they stay as they are.
"""

import argparse
import io
import tempfile
from pathlib import Path

from PIL import Image

from mnistpipe.files.artifacts import write_bytes
from mnistpipe.files.errors import UserError
from tools.browser import WIDE, Page, find_program, start_browser
from tools.readme import REPORT_PAGE

SCREENSHOTS = FIRST, MAP = Path("docs/page-results.png"), Path("docs/page-map.png")
MARGIN = 16  # pixels around the map
COLOURS = 128  # of a picture, which takes a third of the room so


def main() -> None:
    """The first screen, and the map with an image under the pointer."""
    argparse.ArgumentParser(description="Take the README's pictures of report.html.").parse_args()
    program = find_program()
    if program is None:
        print(
            f"{FIRST} and {MAP} stay as they are; new ones need Chromium: apt-get install chromium"
        )
        return
    if not REPORT_PAGE.exists():
        raise UserError(f"{REPORT_PAGE} is missing; run: make repro")
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile,
        start_browser(program, Path(profile)) as browser,
    ):
        page = Page(browser, REPORT_PAGE, WIDE, dark=False)
        header = page.evaluate("document.querySelector('header').offsetHeight")
        _write(FIRST, page.picture(0, 0, WIDE, header))
        _write(MAP, _take_map(page))
    print(f"{FIRST} and {MAP} written")


def _take_map(page: Page) -> bytes:
    page.wait("!document.querySelector('.map-plane').hidden")
    x, y = page.middle(".map-plane canvas")
    page.mouse("mouseMoved", x, y + 20)
    page.evaluate("new Promise((done) => setTimeout(done, 500))")  # until it has been painted
    left, top, right, bottom = page.evaluate(
        "(() => { const r = document.querySelector('.explore:has(.map-plane)')"
        ".getBoundingClientRect();"
        "const m = document.querySelector('.map-matrix').getBoundingClientRect();"
        "return [r.left + scrollX, r.top + scrollY, r.right + scrollX, m.top + scrollY]; })()"
    )
    return page.picture(
        left - MARGIN, top - MARGIN, right - left + 2 * MARGIN, bottom - top + MARGIN
    )


def _write(path: Path, png: bytes) -> None:
    buffer = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").quantize(COLOURS).save(buffer, "png", optimize=True)
    write_bytes(path, buffer.getvalue())
