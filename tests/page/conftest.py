"""Headless Chromium for the tests of the page, where it is installed."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tools.browser import WIDE, Browser, Page, find_program, start_browser

OpenPage = Callable[..., Page]


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    program = find_program()
    if program is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    with start_browser(program, tmp_path_factory.mktemp("profile")) as started:
        yield started


@pytest.fixture
def open_page(browser: Browser) -> Iterator[OpenPage]:
    """Opens a file: `open_page(path, width=390, dark=True)`."""
    opened = []

    def open_file(path: Path, width: int = WIDE, *, dark: bool = False) -> Page:
        opened.append(Page(browser, path, width, dark=dark))
        return opened[-1]

    yield open_file
    for page in opened:
        browser.send("Target.closeTarget", targetId=page.target)


@pytest.fixture(scope="session")
def axe() -> str:
    """The script of axe-core, which looks for what keeps people from reading a page."""
    path = ROOT / "node_modules" / "axe-core" / "axe.min.js"
    if not path.exists():
        pytest.skip("needs axe-core: .ci/browser")
    return path.read_text(encoding="utf-8")
