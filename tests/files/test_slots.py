import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mnistpipe.files.errors import UserError
from mnistpipe.files.slots import (
    FOLDER,
    N_SLOTS,
    POLL_S,
    Turn,
    count_notes,
    count_slots,
    remove_notes,
)
from tests.conftest import ROOT

HOLDER = """
import sys, time
from mnistpipe.files.slots import Turn
with Turn(int(sys.argv[1]), "train-net", int(sys.argv[2])).taken(lambda: None):
    print("held", flush=True)
    sys.stdin.readline()
print("given back", flush=True)
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Slots are below the folder in which the pipeline runs."""
    monkeypatch.chdir(tmp_path)


@contextmanager
def holder(n_slots: int, seed: int) -> Iterator[subprocess.Popen[str]]:
    """A process that takes a slot as soon as it can, and gives it back when it reads a line."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, f"{n_slots}", f"{seed}"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def says(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


class _StoppedError(Exception):
    """Ends a wait."""


def stop() -> None:
    raise _StoppedError


def test_of_two_processes_the_second_waits_for_the_only_slot() -> None:
    with holder(1, 1) as first:
        assert says(first) == "held"
        with holder(1, 2) as second:
            said: list[str] = []
            listener = threading.Thread(target=lambda: said.append(says(second)))
            listener.start()
            listener.join(10 * POLL_S)
            assert said == []
            assert count_notes("train-net") == 0
            assert first.stdin is not None
            first.stdin.write("\n")
            first.stdin.flush()
            assert says(first) == "given back"
            listener.join()
            assert said == ["held"]
            assert count_notes("train-net") == 1


def test_one_that_is_killed_holds_its_slot_no_more_and_is_not_through() -> None:
    with holder(1, 1) as process:
        assert says(process) == "held"
        with pytest.raises(_StoppedError), Turn(1, "train-net", 2).taken(stop):
            pass
        process.kill()
        process.wait()
        with Turn(1, "train-net", 2).taken(stop):
            assert count_notes("train-net") == 0


def test_there_are_as_many_slots_as_are_said() -> None:
    with Turn(2, "a", 1).taken(stop), Turn(2, "b", 1).taken(stop):
        with pytest.raises(_StoppedError), Turn(2, "c", 1).taken(stop):
            pass
        with Turn(3, "c", 1).taken(stop):  # with a third one
            pass
    with Turn(2, "a", 2).taken(stop), Turn(2, "b", 2).taken(stop):
        pass


def test_who_waits_is_asked_again_and_again_whether_to_go_on() -> None:
    asked: list[float] = []

    def ask() -> None:
        asked.append(time.monotonic())
        if len(asked) == 4:
            stop()

    with Turn(1, "a", 1).taken(stop):
        with pytest.raises(_StoppedError), Turn(1, "a", 2).taken(ask):
            pass
        assert asked[-1] - asked[0] < 30 * POLL_S


def test_who_is_through_is_counted_by_stage_and_who_failed_is_not() -> None:
    for seed in (1, 2):
        with Turn(1, "partial-data@half", seed).taken(stop):
            pass
    with pytest.raises(ZeroDivisionError), Turn(1, "partial-data@half", 3).taken(stop):
        raise ZeroDivisionError
    with Turn(1, "partial-data@half", 1).taken(stop):  # once more, and its slot is free
        pass
    assert (count_notes("partial-data@half"), count_notes("partial-data")) == (2, 0)
    remove_notes("partial-data@half")
    remove_notes("train-net")  # which has none
    assert count_notes("partial-data@half") == 0


def test_the_number_of_slots_is_what_the_variable_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(N_SLOTS, raising=False)
    assert count_slots() is None
    monkeypatch.setenv(N_SLOTS, "12")
    assert count_slots() == 12


@pytest.mark.parametrize("text", ["", "0", "-1", "two", "1.5"])
def test_a_number_of_slots_that_is_none_is_named(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv(N_SLOTS, text)
    with pytest.raises(UserError, match=re.escape(f"from 1, not '{text}'")):
        count_slots()


def test_a_folder_that_cannot_be_written_is_named() -> None:
    FOLDER.parent.write_bytes(b"")  # a file where the folder should be
    with (
        pytest.raises(UserError, match=r"^\.mnistpipe/slots cannot be written: "),
        Turn(1, "train-net", 1).taken(stop),
    ):
        pass
