"""Check machine and checkout before anything is installed or trained: make doctor.

Everything that is wrong is said at once. Nothing is imported but the standard library, so that it
runs before the set-up.
"""

import argparse
import importlib.util
import os
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from mnistpipe.files.environment import ROOT, count_cores, distrust, settle

PYTHONS = ((3, 11), (3, 15))  # from the first, below the second: what the pinned packages exist for
NEEDED_GB = 8.0  # 6.5 installed, and what is unpacked on the way
MORE_GB = 1.0  # for some other packages, where PyTorch with all that it brings can stay
CONSTRAINTS = ROOT / "constraints.txt"


def main() -> None:
    """Exits with 1 if something has to be mended."""
    argparse.ArgumentParser(description="Check machine and checkout.").parse_args()
    notes = [*settle(), *find_notes()]
    problems = [*find_problems(), *([] if is_installed() else find_obstacles())]
    tell(notes, problems)
    if problems:
        sys.exit(1)
    what = f"{count_cores()} cores, Python {platform.python_version()}, "
    versions = installed_versions()
    packages = [f"{name} {versions[name]}" for name in ("torch", "dvc") if name in versions]
    print(what + (", ".join(packages) or "packages not installed yet") + ": ready.")


def tell(notes: list[str], problems: list[str]) -> None:
    """On standard error, a line each."""
    for note in notes:
        print(f"Note: {note}", file=sys.stderr)
    for problem in problems:
        print(f"ERROR: {problem}", file=sys.stderr)


def is_installed() -> bool:
    """Whether this Python is one that the set-up has made."""
    return sys.prefix != sys.base_prefix and bool(installed_versions())


def is_in_git() -> bool:
    """Whether the checkout is a git repository, or lies in one."""
    return any((folder / ".git").exists() for folder in (ROOT, *ROOT.parents))


def find_problems() -> Iterator[str]:
    """A sentence for each thing about the checkout that has to be mended before the study runs."""
    if os.pathsep in str(ROOT):
        yield f"{ROOT} has a '{os.pathsep}' in its name, which PATH cannot hold; move the checkout."
    sentence = distrust(ROOT)
    if sentence is not None:
        yield sentence
    for folder in (ROOT, *(ROOT / name for name in (".dvc", "data", "metrics", "models", "plots"))):
        if folder.exists() and not os.access(folder, os.W_OK | os.X_OK):
            yield f"{folder} cannot be written; give it to your account: chown -R $(id -u) {ROOT}"
    if b"\r\n" in (ROOT / "dvc.yaml").read_bytes():
        yield (
            "the files have Windows' line ends, which changes every hash; take a fresh clone, "
            "in which .gitattributes prevents it."
        )
    try:
        tempfile.gettempdir()
    except OSError:
        yield "no folder for temporary files can be written; set TMPDIR to one."


def find_obstacles() -> Iterator[str]:
    """Likewise of what would make the set-up fail, after gigabytes."""
    first, end = PYTHONS
    if not first <= sys.version_info < end:
        yield (
            f"the pinned packages exist for Python {first[0]}.{first[1]} to {end[0]}.{end[1] - 1}, "
            f"and this is {platform.python_version()}; name another: make PYTHON=python3.12"
        )
    if importlib.util.find_spec("ensurepip") is None:
        yield f"{sys.executable} makes no virtual environments; on Debian, install python3-venv."
    system, machine, libc = platform.system(), platform.machine(), platform.libc_ver()[0]
    if (system, machine) not in {
        *(("Linux", "x86_64"), ("Linux", "aarch64"), ("Darwin", "arm64")),
    } or (system == "Linux" and libc != "glibc"):
        yield (
            f"PyTorch has no packages for {system} on {machine}{'' if libc else ' without glibc'}: "
            "take Linux with glibc, macOS on Apple silicon, or Windows' WSL."
        )
    free_gb = shutil.disk_usage(ROOT).free / 1e9
    needed_gb = MORE_GB if _has_pytorch() else NEEDED_GB
    if free_gb < needed_gb:
        yield f"{ROOT} has {free_gb:.1f} GB free; the packages need {needed_gb:.0f}."


def _has_pytorch() -> bool:
    """Whether the pinned one is in `.venv`, where it stays or makes room for itself."""
    pin = re.search(r"^torch==(\S+)", CONSTRAINTS.read_text(encoding="utf-8"), re.MULTILINE)
    folder = f"lib/python*/site-packages/torch-{pin[1] if pin else ''}*.dist-info"
    return any((ROOT / ".venv").glob(folder))


def find_notes() -> Iterator[str]:
    """What is as its owner wants it, perhaps, but not as the study was recorded."""
    if not is_in_git():
        yield "this is no git repository: the study runs, and revisions cannot be compared."
    elif shutil.which("git") is None:
        yield "git is not installed: the study runs, and `mnistpipe compare` does not."
    installed = installed_versions() if is_installed() else {}
    pinned = dict(
        re.findall(r"^([\w.-]+)==(\S+)", CONSTRAINTS.read_text(encoding="utf-8"), re.MULTILINE)
    )
    for name, version in pinned.items():
        found = installed.get(_normal(name), version)
        if found != version:
            yield (
                f"{name} is {found}, where constraints.txt has {version}: numbers may differ; "
                "for the pinned one, delete .venv and run the command again."
            )


def installed_versions() -> dict[str, str]:
    """Version by package, from the names of the folders: reading each would take a second."""
    versions = {}
    for place in sys.path:
        if Path(place).name == "site-packages":
            for folder in Path(place).glob("*.dist-info"):
                name, _, version = folder.name.removesuffix(".dist-info").partition("-")
                versions[_normal(name)] = version
    return versions


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    main()
