"""What is checked before anything is installed or trained, and said all at once."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.conftest import ROOT
from tools import doctor


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As much of a checkout as is looked at, in good health."""
    for name in ("dvc.yaml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "plots").mkdir()
    (tmp_path / ".git").mkdir()
    monkeypatch.setattr(doctor, "ROOT", tmp_path)
    monkeypatch.setattr(doctor, "CONSTRAINTS", tmp_path / "constraints.txt")
    return tmp_path


@pytest.mark.usefixtures("checkout")
def test_a_healthy_checkout_has_no_problem() -> None:
    assert [*doctor.find_problems()] == []


def test_all_that_is_wrong_is_said_at_once_and_in_well_under_a_second() -> None:
    started = time.monotonic()
    environment = {**os.environ, "OMP_PLACES": "cores", "KMP_AFFINITY": "compact"}
    done = subprocess.run(
        [sys.executable, "-m", "tools.doctor"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert time.monotonic() - started < 5  # alone: a tenth of a second
    # Training, in another test of this process, may have set one more.
    assert {"OMP_PLACES", "KMP_AFFINITY"} <= {line.split()[1] for line in done.stderr.splitlines()}
    assert done.stdout.endswith(": ready.\n")


def test_windows_line_ends_are_a_problem(checkout: Path) -> None:
    path = checkout / "dvc.yaml"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    (sentence,) = doctor.find_problems()
    assert "take a fresh clone" in sentence


def test_git_writes_no_windows_line_ends_whatever_its_user_wants(tmp_path: Path) -> None:
    clone = ["git", "-c", "core.autocrlf=true", "clone", "--quiet", str(ROOT), str(tmp_path / "c")]
    subprocess.run(clone, check=True)
    for name in ("dvc.yaml", "params.yaml", ".ci/run", "mnistpipe/cli.py"):
        assert b"\r\n" not in (tmp_path / "c" / name).read_bytes()


def test_a_folder_that_cannot_be_written_is_named(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, _: path != checkout / "plots")
    (sentence,) = doctor.find_problems()
    assert sentence.startswith(f"{checkout}/plots cannot be written")


def test_a_name_that_path_cannot_hold_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "a:b"
    folder.mkdir()
    shutil.copy(ROOT / "dvc.yaml", folder)
    monkeypatch.setattr(doctor, "ROOT", folder)
    (sentence,) = doctor.find_problems()
    assert sentence.endswith("which PATH cannot hold; move the checkout.")


@pytest.mark.usefixtures("checkout")
def test_a_machine_without_temporary_files_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", nowhere)
    (sentence,) = doctor.find_problems()
    assert "set TMPDIR" in sentence


@pytest.mark.usefixtures("checkout")
@pytest.mark.parametrize("version", [(3, 10, 13), (3, 15, 0)])
def test_a_python_without_packages_is_refused_and_others_named(
    monkeypatch: pytest.MonkeyPatch, version: tuple[int, int, int]
) -> None:
    monkeypatch.setattr(sys, "version_info", version)
    (sentence,) = doctor.find_obstacles()
    assert "exist for Python 3.11 to 3.14" in sentence
    assert "make PYTHON=python3.12" in sentence


def test_a_disk_that_is_too_small_is_refused_before_the_packages_come(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10**9))
    (sentence,) = doctor.find_obstacles()
    assert sentence == f"{checkout} has 1.0 GB free; the packages need 8."
    version = next(
        line.removeprefix("torch==")
        for line in doctor.CONSTRAINTS.read_text().splitlines()
        if line.startswith("torch==")
    )
    packages = checkout / ".venv" / "lib" / "python3.12" / "site-packages"
    (packages / "torch-0.1.dist-info").mkdir(parents=True)
    assert [*doctor.find_obstacles()] == [sentence]
    (packages / f"torch-{version}.dist-info").mkdir()
    assert [*doctor.find_obstacles()] == []  # what is added to it is small


@pytest.mark.usefixtures("checkout")
@pytest.mark.parametrize(
    ("system", "machine", "libc"), [("Linux", "x86_64", ""), ("Linux", "i686", "glibc")]
)
def test_a_system_without_packages_is_refused(
    monkeypatch: pytest.MonkeyPatch, system: str, machine: str, libc: str
) -> None:
    monkeypatch.setattr("platform.system", lambda: system)
    monkeypatch.setattr("platform.machine", lambda: machine)
    monkeypatch.setattr("platform.libc_ver", lambda: (libc, ""))
    (sentence,) = doctor.find_obstacles()
    assert sentence.startswith(f"PyTorch has no packages for {system} on {machine}")


@pytest.mark.usefixtures("checkout")
def test_packages_of_other_versions_are_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [*doctor.find_notes()] == []
    monkeypatch.setattr(doctor, "installed_versions", lambda: {"torch": "1.0"})
    monkeypatch.setattr(doctor, "is_installed", lambda: True)
    (sentence,) = doctor.find_notes()
    assert sentence.startswith("torch is 1.0, where constraints.txt has ")


def test_an_archive_without_git_is_noted(checkout: Path) -> None:
    (checkout / ".git").rmdir()
    (sentence,) = doctor.find_notes()
    assert (
        sentence == "this is no git repository: the study runs, and revisions cannot be compared."
    )


@pytest.mark.usefixtures("checkout")
def test_a_machine_without_git_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    (sentence,) = doctor.find_notes()
    assert sentence.startswith("git is not installed")
