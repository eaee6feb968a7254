"""Choose without the test set: in a process that has a split without test images, and no other.

What it is given is the same to the last bit whatever the test images are, so that they have no say
in what it answers.
"""

import multiprocessing
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import ParamSpec, TypeVar

from joblib.externals.loky import get_reusable_executor

from mnistpipe.data.split import Split
from mnistpipe.data.split_file import SPLIT_FILE, read_split, write_split
from mnistpipe.files.sections import PARAMS_FILE

FOLDER = Path(".mnistpipe/selection")  # where that process works: git-ignored, unknown to DVC
# Where the test images are, and what is known of how well they are classified.
BARRED = ("data", "metrics", "plots", "REPORT.md")

Question = ParamSpec("Question")
Answer = TypeVar("Answer")


def without_test(split: Split) -> Split:
    """The same split with the validation images in the test images' place, where some must be."""
    return replace(split, test=split.validation)


def hand_over() -> None:
    """Write what the process may know: the split without its test images, and params.yaml."""
    write_split(FOLDER / SPLIT_FILE, without_test(read_split()))
    shutil.copyfile(PARAMS_FILE, FOLDER / PARAMS_FILE)


def choose(
    function: Callable[Question, Answer], *words: Question.args, **named: Question.kwargs
) -> Answer:
    """What the function answers in a process of its own, whose working folder is `FOLDER`.

    There it finds what `hand_over` writes; what it writes itself stays for the next time. It cannot
    open what is `BARRED`. Function and arguments are pickled: they should be no more than the
    question.

    Raises what the function raises.
    """
    hand_over()
    barred = tuple(Path(name).resolve() for name in BARRED)
    apart = ProcessPoolExecutor(
        1, multiprocessing.get_context("spawn"), _enter, (FOLDER.resolve(), barred)
    )
    with apart:
        try:
            return apart.submit(_answer, partial(function, *words, **named)).result()
        except BaseException:
            for process in multiprocessing.active_children():  # or we would wait for its end
                process.terminate()
            raise


def _answer(question: Callable[[], Answer]) -> Answer:
    """Ask, then end joblib's processes: idle ones would hold this one up for minutes."""
    try:
        return question()
    finally:
        get_reusable_executor().shutdown()


def _enter(folder: Path, barred: tuple[Path, ...]) -> None:
    """From here on the process works in the folder, and opens nothing that is barred."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent gets it, too, and ends us
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.chdir(folder)
    sys.addaudithook(partial(_refuse, barred))  # for good: no code can take it back


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None  # noqa: S101 (for the type checker)
    parent.join()
    os._exit(1)


def _refuse(barred: tuple[Path, ...], event: str, arguments: tuple[object, ...]) -> None:
    """Raises PermissionError where a barred file is about to be opened."""
    if event == "open" and isinstance(arguments[0], str | bytes | os.PathLike):
        path = Path(os.fsdecode(arguments[0])).resolve()
        if any(path.is_relative_to(place) for place in barred):
            raise PermissionError(f"{path} may hold the test set, by which nothing is chosen")
