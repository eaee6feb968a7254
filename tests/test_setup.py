"""When .venv is made, made anew or left, and by which of pip's settings. Nothing is installed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tools import doctor, setup


class Commands:
    """In the place of the commands that install: notes what they are."""

    def __init__(self, checkout: Path) -> None:
        self.checkout = checkout
        self.run: list[str] = []

    def __call__(self, *words: str | Path, **_: object) -> None:
        line = " ".join(str(word) for word in words[1:])
        self.run.append(" ".join(word for word in line.split() if not word.startswith("--c")))
        if "-m venv" in line:
            shutil.rmtree(self.checkout / ".venv", ignore_errors=True)
            (self.checkout / ".venv/bin").mkdir(parents=True)
            (self.checkout / ".venv/lib/python3.11/site-packages").mkdir(parents=True)
            (self.checkout / ".venv/bin/python").symlink_to(sys.executable)
        if "plots_page" in line:
            (self.checkout / ".dvc/config.local").write_text("[plots]\n")


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    """In a checkout without .venv."""
    for name in ("pyproject.toml", "constraints.txt", "dvc.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / ".git").mkdir()
    (tmp_path / ".dvc").mkdir()
    move(tmp_path, monkeypatch)
    stand_in = Commands(tmp_path)
    monkeypatch.setattr(setup, "_run", stand_in)
    return stand_in


def move(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the checkout be here."""
    monkeypatch.setattr(doctor, "ROOT", checkout)
    monkeypatch.setattr(setup, "ROOT", checkout)
    monkeypatch.setattr(setup, "CONSTRAINTS", checkout / "constraints.txt")
    monkeypatch.setattr(setup, "VENV", checkout / ".venv")
    monkeypatch.setattr(setup, "PYTHON", checkout / ".venv/bin/python")
    monkeypatch.setattr(setup, "STAMP", checkout / ".venv/installed")


def is_right(monkeypatch: pytest.MonkeyPatch) -> bool:
    """What `make` asks each time."""
    monkeypatch.setattr(sys, "argv", ["setup", "--check"])
    with pytest.raises(SystemExit) as ended:
        setup.main()
    return ended.value.code == 0


def test_it_is_made_once(commands: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_right(monkeypatch)
    setup.install()
    assert [line.split()[1] for line in commands.run] == ["venv", "pip", "tools"]
    hook = next(commands.checkout.glob(".venv/lib/*/site-packages/*.pth"))
    assert hook.read_text(encoding="utf-8") == setup.HOOK
    assert is_right(monkeypatch)


def test_after_a_move_it_is_made_anew(
    commands: Commands, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    setup.install()
    place = tmp_path.with_name("moved")
    shutil.move(tmp_path, place)
    move(place, monkeypatch)
    assert not is_right(monkeypatch)
    commands.checkout, commands.run = place, []
    setup.install()
    assert commands.run[0].startswith("-m venv")
    assert is_right(monkeypatch)


def test_without_its_python_it_is_made_anew(commands: Commands) -> None:
    setup.install()
    (commands.checkout / ".venv/bin/python").unlink()
    (commands.checkout / ".venv/bin/python").symlink_to("/nonexistent/python")
    commands.run = []
    setup.install()
    assert commands.run[0].startswith("-m venv")


def test_one_that_is_half_made_is_made_anew(
    commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    setup.install()
    setup.STAMP.unlink()
    assert not is_right(monkeypatch)
    commands.run = []
    setup.install()
    assert commands.run[0].startswith("-m venv")


def test_other_packages_are_installed_into_it(
    commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    setup.install()
    with (commands.checkout / "constraints.txt").open("a") as file:
        file.write("another==1.0\n")
    assert not is_right(monkeypatch)
    commands.run = []
    setup.install()
    assert commands.run[0].startswith("-m pip install")


def test_where_there_is_no_git_dvc_is_told_so_until_there_is(
    commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    (commands.checkout / ".git").rmdir()
    setup.install()
    assert commands.run[-1] == "-m dvc config --local core.no_scm true"
    (commands.checkout / ".dvc/config.local").write_text("[core]\n    no_scm = true\n")
    assert is_right(monkeypatch)
    (commands.checkout / ".git").mkdir()
    assert not is_right(monkeypatch)
    commands.run = []
    setup.install()
    assert commands.run == ["-m dvc config --local --unset core.no_scm"]


def test_a_link_to_another_environment_is_its_owners_wish(
    commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    (commands.checkout / ".venv").symlink_to("/elsewhere/.venv")
    assert is_right(monkeypatch)
    monkeypatch.setattr(sys, "argv", ["setup"])  # its Python does not run
    with pytest.raises(SystemExit, match=r"a link to /elsewhere/\.venv, where no Python runs"):
        setup.main()


def test_pip_keeps_where_packages_come_from_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pip.conf").write_text(
        "[global]\nindex-url = https://mirror.example/simple\nuser = true\n"
        "extra-index-url =\n    https://one.example\n    https://two.example\n"
        "[install]\ntarget = /elsewhere\nno-binary = :all:\n"
    )
    monkeypatch.setattr(setup, "PYTHON", Path(sys.executable))
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    monkeypatch.setenv("PIP_USER", "1")
    monkeypatch.setenv("PIP_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    given = setup.pip_environment()
    wanted = {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_EXTRA_INDEX_URL": "https://one.example https://two.example",
        "PIP_INDEX_URL": "https://mirror.example/simple",
        "PIP_PROXY": "http://proxy.example:3128",
    }
    assert wanted.items() <= given.items()  # this machine's own settings may be more
    assert "PIP_USER" not in given
    done = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"],
        env=given,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "user" not in done.stdout
    assert "target" not in done.stdout


def test_set_up_stops_with_a_sentence_before_anything_is_installed(
    commands: Commands, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["setup"])
    monkeypatch.setattr(sys, "version_info", (3, 15, 0))
    with pytest.raises(SystemExit) as ended:
        setup.main()
    assert ended.value.code == 1
    assert capsys.readouterr().err.startswith(
        "ERROR: the pinned packages exist for Python 3.11 to "
    )
    assert commands.run == []
