"""Reproduce the study: python -m tools repro [--jobs N | STAGE ...].

Checks the whole of params.yaml, since DVC runs no stage for a section that it does not know;
asks for MNIST again while a fallback is in its place; then leaves the work to DVC.
"""

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType

import psutil

from mnistpipe.data.datasets import RAW, SOURCE_FILE, read_source
from mnistpipe.files.errors import UserError
from mnistpipe.files.locks import only_one
from mnistpipe.study import Params, load_params

DVC = [sys.executable, "-m", "dvc"]
ANALYSES = ("analyze", "robustness", "learning-curve")


def main() -> None:
    """Exits with DVC's status."""
    parser = argparse.ArgumentParser(description="Reproduce the study.")
    parser.add_argument("--jobs", type=at_least_one, default=1, help="stages side by side")
    parser.add_argument("stages", nargs="*", help="these and what they need (default: all)")
    arguments = parser.parse_args()
    jobs: int = arguments.jobs
    if jobs > 1 and arguments.stages:
        parser.error("--jobs is for the whole study; leave it or the stages out")
    params = load_params()

    stopped_by: list[int] = []
    _wait_for_dvc_when_stopped(stopped_by)
    with only_one("make repro"):
        status = _reproduce(params, jobs, arguments.stages, stopped_by)
    sys.exit(128 + stopped_by[0] if stopped_by else status)


def _wait_for_dvc_when_stopped(stopped_by: list[int]) -> None:
    """Note the signals; DVC and its stages get them, too, and end in their own way.

    A terminal sends Ctrl-C to all of them, but `kill` is for this process alone.
    """

    def stop(number: int, _: FrameType | None) -> None:
        stopped_by.append(number)
        if number == signal.SIGTERM:
            for process in psutil.Process().children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    process.send_signal(signal.SIGINT)

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)


def _reproduce(params: Params, jobs: int, stages: list[str], stopped_by: list[int]) -> int:
    status = 0
    if params.data.dataset == "mnist" and _holds_a_fallback():
        again = ["repro", "--force", "--single-item", "fetch-data"]
        status = _dvc(["repro", "code"]) or _dvc(again)  # by the code as it is now
    if jobs > 1 and status == 0:
        trainings = sorted(
            params.train_stages,
            key=lambda stage: _rough_cost(params, stage),
            reverse=True,  # the longest first, so that none is left to run alone at the end
        )
        status = (
            _dvc(["repro", "prepare-split"])
            or _side_by_side(trainings, jobs, stopped_by)
            or _side_by_side(ANALYSES, jobs, stopped_by)
        )
    if status == 0 and not stopped_by:
        status = _dvc(["repro", *stages])
    return status


def _holds_a_fallback() -> bool:
    try:
        return read_source(RAW) not in (None, "mnist")
    except UserError:
        return (RAW / SOURCE_FILE).exists()  # damaged: fetch-data writes it again


def _side_by_side(stages: Sequence[str], jobs: int, stopped_by: list[int]) -> int:
    """Bring stages up to date, `jobs` at a time and in order; the first bad status, or 0."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    threads = max(1, (cores or 1) // jobs)
    failed = threading.Event()

    def bring(stage: str) -> int:
        if failed.is_set() or stopped_by:
            return 0
        status = _dvc(["repro", "--single-item", stage], threads)
        if status != 0:
            failed.set()
        return status

    with ThreadPoolExecutor(jobs) as pool:
        return next((status for status in pool.map(bring, stages) if status != 0), 0)


def _rough_cost(params: Params, stage: str) -> float:
    """Of a stage's training; Net takes about six times as long as ConvNet for an image."""
    wanted = params.training_run(stage)
    recipe, fraction = wanted.recipe, max(wanted.fraction, wanted.steps_of or 0)
    per_image = 6 if recipe.network == "net" else 1
    return per_image * len(wanted.seeds) * len(recipe.views) * recipe.epochs * fraction


def _dvc(words: list[str], threads: int | None = None) -> int:
    """Run DVC; with `threads`, as one of several side by side, in plain lines."""
    command, environment = DVC, dict(os.environ)
    # The stages' `python` is the one that runs this, whether its environment is active or not.
    folder = str(Path(sys.executable).parent)
    environment["PATH"] = os.pathsep.join([folder, environment.get("PATH", os.defpath)])
    if threads is not None:
        environment["OMP_NUM_THREADS"] = str(threads)
        # Two may want DVC's lock at once; by default it gives up after three seconds.
        command = [*DVC, "--wait-for-lock"]
    process = subprocess.Popen(
        [*command, *words],
        env=environment,
        stdout=None if threads is None else subprocess.PIPE,
        stderr=None if threads is None else subprocess.STDOUT,
        text=True,
    )
    for line in process.stdout or ():
        sys.stdout.write(line)
        sys.stdout.flush()
    return process.wait()


def at_least_one(text: str) -> int:
    """The number that an argument gives, for argparse."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"should be a whole number from 1, not '{text}'")
    return int(text)
