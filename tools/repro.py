"""Reproduce the study: python -m tools repro [--jobs N | STAGE ...].

Checks machine, checkout and the whole of params.yaml, since DVC runs no stage for a section that it
does not know; asks for the data set again while a fallback is in its place; then leaves the work to
DVC.
"""

import argparse
import contextlib
import importlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path
from types import FrameType

import psutil

from mnistpipe.data.datasets import RAW, SOURCE_FILE, read_source
from mnistpipe.data.folder import check_folder
from mnistpipe.data.params import Data
from mnistpipe.files.code_files import script_module
from mnistpipe.files.environment import count_cores, settle
from mnistpipe.files.errors import UserError
from mnistpipe.files.locks import only_one
from mnistpipe.files.sections import Section, read_section
from mnistpipe.files.slots import N_SLOTS, POLL_S, count_notes, remove_notes
from mnistpipe.study import Params, load_params, scripts_with_sections
from tools import leftovers
from tools.doctor import find_notes, find_problems, tell
from tools.schedule import ANALYSES, Cost, longest_first, time_left

DVC = [sys.executable, "-m", "dvc"]


def main() -> None:
    """Exits with DVC's status."""
    parser = argparse.ArgumentParser(description="Reproduce the study.")
    parser.add_argument("--jobs", type=at_least_one, default=1, help="trainings side by side")
    parser.add_argument("stages", nargs="*", help="these and what they need (default: all)")
    arguments = parser.parse_args()
    jobs: int = arguments.jobs
    if jobs > 1 and arguments.stages:
        parser.error("--jobs is for the whole study; leave it or the stages out")
    sys.exit(reproduce(jobs, arguments.stages))


def reproduce(jobs: int, stages: list[str]) -> int:
    """DVC's status, or that of the signal that stopped it, or 1 if something has to be mended."""
    problems = [*find_problems()]
    tell([*settle(), *find_notes()], problems)
    if problems:
        return 1
    params = load_params()
    check_sections_of_scripts()
    check_images(params.data)
    stopped_by: list[int] = []
    _wait_for_dvc_when_stopped(stopped_by)
    with only_one("make repro"):
        leftovers.clear(partial(print, flush=True))
        status = _reproduce(params, jobs, stages, stopped_by)
    if not stages and (status or stopped_by):
        _tell_of_old_report()
    return 128 + stopped_by[0] if stopped_by else status


def check_sections_of_scripts() -> None:
    """Raises UserError like `load_params`, before anything is trained."""
    for script in scripts_with_sections():
        members = vars(importlib.import_module(script_module(script))).values()
        models = [each for each in members if isinstance(each, type) and issubclass(each, Section)]
        for model in models:
            if model.__module__ == script_module(script):
                read_section(script, model)


def check_images(data: Data) -> None:
    """Raises UserError if your own images are not where DVC and `fetch-data` will look for them."""
    folder = Path(data.folder)
    if data.dataset == "folder":
        check_folder(folder)
    elif not folder.exists():
        raise UserError(
            f"data.folder: {folder} is missing, and DVC looks for it though no image of it is "
            "used; make it, or set data.folder: data/images"
        )


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
    if _holds_a_fallback(params.data.dataset):
        status = _dvc(["repro", "--force", "fetch-data"])
    if jobs > 1 and status == 0:
        status = (
            _dvc(["repro", "prepare-split"])
            or _side_by_side(longest_first(params), jobs, stopped_by)
            or _side_by_side(ANALYSES, jobs, stopped_by)
        )
    if status == 0 and not stopped_by:
        status = _dvc(["repro", *stages])
    return status


def _tell_of_old_report() -> None:
    """Until the last stage runs, the report is of whatever was finished before."""
    old = [path for path in ("REPORT.md", "report.html") if Path(path).exists()]
    if old:
        print(
            f"{' and '.join(old)}: still of the last run that was finished, not of this one.",
            file=sys.stderr,
        )


def _holds_a_fallback(wanted: str) -> bool:
    try:
        return read_source(RAW) == "digits" != wanted
    except UserError:
        return (RAW / SOURCE_FILE).exists()  # damaged: fetch-data writes it again


def _side_by_side(costs: Sequence[Cost], jobs: int, stopped_by: list[int]) -> int:
    """Bring stages up to date, in order and `jobs` trainings at a time; the first bad status, or 0.

    Trainings of all stages share as many slots (`mnistpipe.files.slots`). A stage is started when
    those before leave it one, and the rest of its trainings wait there: so there are never more
    trainings in processes of their own than slots and the seeds of one stage.
    """
    waiting, running, status = list(costs), dict[Future[int], Cost](), 0
    to_train, n_ended, start_s = list(costs), 0, time.monotonic()
    for cost in costs:
        remove_notes(cost.stage)
    n_threads = max(1, count_cores() // jobs)
    n_threads = min(n_threads, int(os.environ.get("OMP_NUM_THREADS", n_threads)))
    share = {"OMP_NUM_THREADS": str(n_threads), N_SLOTS: str(jobs)}
    with ThreadPoolExecutor(len(costs)) as pool:
        while running or waiting:
            if stopped_by or status != 0:
                waiting.clear()
            elif waiting and _count_unfinished(running.values()) < jobs:
                cost = waiting.pop(0)
                words = ["repro", "--single-item", cost.stage]
                running[pool.submit(_dvc, words, share)] = cost
                continue
            ended, _ = wait(running, timeout=POLL_S, return_when=FIRST_COMPLETED)
            for future in ended:
                cost = running.pop(future)
                status = status or future.result()
                if count_notes(cost.stage) == 0:  # it was up to date, or trains nothing
                    to_train.remove(cost)
            n_before, n_ended = n_ended, sum(count_notes(cost.stage) for cost in to_train)
            n_all = sum(cost.n_trainings for cost in to_train)
            if n_before < n_ended < n_all and status == 0 and not stopped_by:
                left_s = time_left(to_train, jobs, n_ended, time.monotonic() - start_s)
                print(f"{n_ended} of {n_all} trainings done, {left_s:,.0f} s left", flush=True)
    return status


def _count_unfinished(costs: Iterable[Cost]) -> int:
    """Trainings of stages that are being run, those that wait for a slot among them."""
    return sum(cost.n_trainings - count_notes(cost.stage) for cost in costs)


def _dvc(words: list[str], share: Mapping[str, str] | None = None) -> int:
    """Run DVC; as one of several side by side, whose share variables tell, in plain lines."""
    command, environment = DVC, dict(os.environ)
    if share is not None:
        environment |= share
        # Two may want DVC's lock at once; by default it gives up after three seconds.
        command = [*DVC, "--wait-for-lock"]
    process = subprocess.Popen(
        [*command, *words],
        env=environment,
        stdout=None if share is None else subprocess.PIPE,
        stderr=None if share is None else subprocess.STDOUT,
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
