"""Turns for trainings of several processes: as many at a time as there are slots.

A slot is a lock on a file, so that the system frees it when its holder ends, however it does. Who
starts the processes counts the trainings that are through by the notes that they leave.
"""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import AcquireReturnProxy, FileLock, Timeout

from mnistpipe.files.errors import UserError

N_SLOTS = "MNISTPIPE_SLOTS"  # set by `make repro JOBS=N` for the stages that it starts
FOLDER = Path(".mnistpipe/slots")
POLL_S = 0.1


@dataclass(frozen=True)
class Turn:
    """What a training waits for.

    Attributes:
        n_slots: how many trainings may go on at a time, whichever stage they belong to.
        stage: the training's.
        number: which of the stage's trainings it is.

    """

    n_slots: int
    stage: str
    number: int

    @contextmanager
    def taken(self, while_waiting: Callable[[], None]) -> Iterator[None]:
        """Hold a slot, once there is one; leave a note when through, unless by an error.

        `while_waiting` is called again and again, and may end the wait by an exception.

        Raises UserError if the slots' files cannot be written.
        """
        with _wait_for_any(self.n_slots, while_waiting):
            yield
            note = _notes(self.stage) / str(self.number)
            with suppress(OSError):  # without it the next stage is only started later
                note.parent.mkdir(parents=True, exist_ok=True)
                note.touch()


def count_slots() -> int | None:
    """The number of slots that all stages share; None if this stage is alone.

    Raises UserError if the variable is set to anything but a number from 1.
    """
    text = os.environ.get(N_SLOTS)
    if text is None:
        return None
    if not text.isdecimal() or int(text) < 1:
        raise UserError(f"{N_SLOTS} should be a whole number from 1, not '{text}'; or unset it.")
    return int(text)


def count_notes(stage: str) -> int:
    """How many of a stage's trainings are through, since the notes were last removed."""
    folder = _notes(stage)
    return len(list(folder.iterdir())) if folder.exists() else 0


def remove_notes(stage: str) -> None:
    """Count from zero again."""
    shutil.rmtree(_notes(stage), ignore_errors=True)


def _notes(stage: str) -> Path:
    return FOLDER / "through" / stage


def _wait_for_any(n_slots: int, while_waiting: Callable[[], None]) -> AcquireReturnProxy[FileLock]:
    """A slot's lock, which is held until the end of the `with` that takes it."""
    try:
        FOLDER.mkdir(parents=True, exist_ok=True)
        while True:
            for number in range(n_slots):
                with suppress(Timeout):
                    return FileLock(FOLDER / f"{number}.lock").acquire(blocking=False)
            while_waiting()
            time.sleep(POLL_S)
    except OSError as error:
        raise UserError(f"{FOLDER} cannot be written: {error.strerror}.") from error
