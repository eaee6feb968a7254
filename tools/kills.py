"""Kill a study again and again, and compare: python -m tools kills [--times N] [--jobs N].

A clone of the last commit runs recipes/smoke undisturbed. In another one the same command is killed
with all its processes, at random moments, and given again; the last time it ends by itself. Both
must then hold the same bytes: models, metrics, plots, report and dvc.lock. The status tells.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import yaml

from tools.repro import at_least_one

POLL_S = 0.05


def main() -> None:
    """Prints each moment, and what was being done."""
    parser = argparse.ArgumentParser(description="Kill a study again and again.")
    parser.add_argument("--times", type=at_least_one, default=20, help="kills (default: 20)")
    parser.add_argument("--jobs", type=at_least_one, default=2, help="trainings side by side")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    arguments = parser.parse_args()
    command = [sys.executable, "-m", "tools", "repro", "--jobs", str(arguments.jobs)]
    with tempfile.TemporaryDirectory(prefix="mnistpipe-kills-") as place:
        undisturbed, killed = (_clone(Path(place, name)) for name in ("undisturbed", "killed"))
        start_s = time.monotonic()
        run_to_its_end(command, undisturbed)
        wall_s = time.monotonic() - start_s
        print(f"undisturbed: {wall_s:.0f} s", flush=True)
        rng = random.Random(arguments.seed)  # noqa: S311 (no secret)
        pause_s = wall_s / arguments.times
        kill_again_and_again(command, killed, products(undisturbed), arguments.times, pause_s, rng)
        different = differences(undisturbed, killed)
    if different:
        sys.exit(f"ERROR: after {arguments.times} kills other bytes: {', '.join(different)}")
    print(f"After {arguments.times} kills all products have the same bytes.")


def _clone(folder: Path) -> Path:
    subprocess.run(["git", "clone", "--quiet", ".", str(folder)], check=True)  # noqa: S607
    shutil.copy(folder / "recipes/smoke/params.yaml", folder)
    return folder


def kill_again_and_again(
    command: Sequence[str],
    folder: Path,
    names: Iterable[str],
    times: int,
    longest_s: float,
    rng: random.Random,
) -> None:
    """Start it, kill it at a random moment, so many times; then let it end.

    A moment comes some seconds after a share of the products is there: so that these moments are
    spread over the whole study, however slow the machine is and whatever a kill has cost. Where the
    share was there before, the seconds count from the command's start.

    Args:
        command: that goes on where it was stopped.
        folder: to run it in.
        names: of the products.
        times: how often it is killed.
        longest_s: how many seconds it may be.
        rng: of the shares and the seconds.

    Raises:
        SystemExit: if the command fails, with what it printed.

    """
    new = [folder / name for name in names if not (folder / name).exists()]
    shares = sorted((rng.random() for _ in range(times)), reverse=True)
    while shares:
        with _started(command, folder) as process:
            start_s = time.monotonic()
            while process.poll() is None and _count(new) < shares[-1] * len(new):
                time.sleep(POLL_S)
            with suppress(subprocess.TimeoutExpired):
                process.wait(rng.uniform(0, longest_s))
            after_s = time.monotonic() - start_s
            if process.poll() is not None:
                _check(process, folder)
                longest_s = min(longest_s, after_s)  # all is up to date: so long it takes
                continue
            doing = ", ".join(_stages(folder)) or "no stage"
        shares.pop()
        print(
            f"kill {times - len(shares)} of {times} after {after_s:.1f} s, with {_count(new)} of "
            f"{len(new)} products, in: {doing}",
            flush=True,
        )
    run_to_its_end(command, folder)


def _count(paths: Iterable[Path]) -> int:
    return sum(path.exists() for path in paths)


def run_to_its_end(command: Sequence[str], folder: Path) -> None:
    """Raises SystemExit, with what it printed, if it fails."""
    with _started(command, folder) as process:
        process.wait()
        _check(process, folder)


@contextmanager
def _started(command: Sequence[str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """In a session of its own, of which nothing stays; what it prints is kept beside the folder."""
    with (
        _log(folder).open("wb") as log,
        subprocess.Popen(
            command, cwd=folder, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        ) as process,
    ):
        try:
            yield process
        finally:
            kill_all(process, folder)


def _log(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.log")


def _check(process: subprocess.Popen[bytes], folder: Path) -> None:
    if process.returncode != 0:
        sys.exit(
            f"{_log(folder).read_text(encoding='utf-8', errors='replace')}\n"
            f"ERROR: the command ended with status {process.returncode}; the lines above say why."
        )


def kill_all(process: subprocess.Popen[bytes], folder: Path) -> None:
    """The command's whole process group at once, then whoever else works in the folder."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    while others := _working_in(folder):
        for other in others:
            with suppress(psutil.NoSuchProcess):
                other.kill()
        psutil.wait_procs(others, timeout=POLL_S)


def _working_in(folder: Path) -> list[psutil.Process]:
    """Not by whose children they are: an orphan is nobody's."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if Path(process.cwd()).is_relative_to(folder.resolve()):
                found.append(process)
    return found


def _stages(folder: Path) -> list[str]:
    """That are being run."""
    names = set()
    for process in _working_in(folder):
        with suppress(psutil.Error):
            words = process.cmdline()
            if words[1:3] == ["-m", "stages"]:
                names.add(words[3])
    return sorted(names)


def products(folder: Path) -> list[str]:
    """Files that dvc.lock tells of, as far as they are there."""
    stages = yaml.safe_load((folder / "dvc.lock").read_bytes())["stages"]
    outs = [folder / out["path"] for stage in stages.values() for out in stage["outs"]]
    files = [path for out in outs for path in (out, *out.rglob("*")) if path.is_file()]
    return [str(path.relative_to(folder)) for path in files]


def differences(one: Path, other: Path) -> list[str]:
    """Names of the products, and dvc.lock, that are not the same in both."""
    names = {"dvc.lock", *products(one), *products(other)}
    return sorted(name for name in names if _content(one / name) != _content(other / name))


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None
