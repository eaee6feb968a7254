"""Open a page that has been written: python -m tools show report.html.

Where there is no display, it says where the page is.
"""

import argparse
import os
import sys
import webbrowser
from pathlib import Path

from mnistpipe.files.errors import UserError


def main() -> None:
    """Where it is not there, the sentence says how it is made."""
    parser = argparse.ArgumentParser(description="Open a page that has been written.")
    parser.add_argument("page", type=Path, help="such as report.html")
    page = parser.parse_args().page
    if not page.is_file():
        raise UserError(f"{page} is not there yet; run: make repro")
    address = page.resolve().as_uri()
    if not (has_display() and webbrowser.open(address)):
        print(f"{page} is written; open it in a browser: {address}")


def has_display() -> bool:
    """Whether a browser would have a window. Without one, some would take over the terminal."""
    return sys.platform in ("darwin", "win32") or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
    )
