"""Open a page that has been written: python -m tools show report.html.

Where there is no display, it says where the page is.
"""

import os
import sys
import webbrowser
from pathlib import Path

from mnistpipe.files.errors import UserError


def main() -> None:
    """The page is the command line's one word."""
    (name,) = sys.argv[1:]
    page = Path(name)
    if not page.exists():
        raise UserError(f"{page} is not there yet; run: make repro")
    address = page.resolve().as_uri()
    if not (has_display() and webbrowser.open(address)):
        print(f"{page} is written; open it in a browser: {address}")


def has_display() -> bool:
    """Whether a browser would have a window. Without one, some would take over the terminal."""
    return sys.platform in ("darwin", "win32") or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
    )
