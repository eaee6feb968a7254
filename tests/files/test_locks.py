import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mnistpipe.files.errors import UserError
from mnistpipe.files.locks import LOCKS, only_one
from tests.conftest import ROOT

HOLDER = """
import time
from mnistpipe.files.locks import only_one
with only_one("partial-data@half"):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Locks are below the folder in which the pipeline runs."""
    monkeypatch.chdir(tmp_path)


def test_a_lock_is_held_once_and_is_free_afterwards() -> None:
    for _ in range(2):
        with only_one("train-net"):
            assert int((LOCKS / "train-net.pid").read_text()) == os.getpid()
            with only_one("train-net-augmented"):
                pass


def test_a_lock_is_free_after_an_error() -> None:
    with pytest.raises(ZeroDivisionError), only_one("train-net"):
        raise ZeroDivisionError
    with only_one("train-net"):
        pass


def test_a_name_is_no_path() -> None:
    with only_one("../a/b"):
        assert {path.stem for path in LOCKS.iterdir()} == {"___a_b"}


def test_another_process_that_holds_it_is_named_until_it_is_killed() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            sentence = (
                f"partial-data@half is already being run by process {process.pid}; wait for it, "
                f"or stop it: kill {process.pid}"
            )
            with pytest.raises(UserError, match=f"^{re.escape(sentence)}$"):
                only_one("partial-data@half").__enter__()
        finally:
            process.kill()
    with only_one("partial-data@half"):
        assert int((LOCKS / "partial-data@half.pid").read_text()) == os.getpid()


def test_a_holder_whose_name_cannot_be_read_is_waited_for() -> None:
    with only_one("train-net"):
        (LOCKS / "train-net.pid").write_bytes(b"\xa5\xff")
        with pytest.raises(UserError, match=r"^train-net is already being run; wait for it\.$"):
            only_one("train-net").__enter__()


def test_what_a_power_cut_left_of_a_lock_holds_nobody_up() -> None:
    with only_one("train-net"):
        pass
    for file in LOCKS.iterdir():
        file.write_bytes(b"\xa5\xff" * 100)
    with only_one("train-net"):
        assert int((LOCKS / "train-net.pid").read_text()) == os.getpid()


def test_a_folder_that_cannot_be_written_is_named() -> None:
    LOCKS.parent.write_bytes(b"")  # a file where the folder should be
    with pytest.raises(UserError, match=r"^\.mnistpipe/locks/train-net\.lock cannot be written: "):
        only_one("train-net").__enter__()
