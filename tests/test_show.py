import sys
import webbrowser
from pathlib import Path

import pytest

from mnistpipe.files.errors import UserError
from tools import show


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """What a browser is asked to open; there is a page, and no display."""
    addresses: list[str] = []

    def open_address(address: str) -> bool:
        addresses.append(address)
        return True

    monkeypatch.setattr(webbrowser, "open", open_address)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(sys, "argv", ["show", "a report.html"])
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    Path("a report.html").touch()
    return addresses


def test_where_there_is_a_display_the_page_opens(
    opened: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    show.main()
    assert opened == [f"{Path.cwd().as_uri()}/a%20report.html"]
    assert capsys.readouterr().out == ""


def test_elsewhere_it_is_named(opened: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    show.main()
    assert opened == []
    assert f"{Path.cwd().as_uri()}/a%20report.html" in capsys.readouterr().out


def test_a_page_that_is_not_there_is_a_clear_error(opened: list[str]) -> None:
    Path("a report.html").unlink()
    with pytest.raises(UserError, match=r"a report.html is not there yet; run: make repro"):
        show.main()
    assert opened == []
