"""Start stages: fresh, as DVC does, or as forks of a process that has imported them.

Imports take most of a short stage's time. So `Forks` starts a server, `tests.crash`, that imports
once; what is about a fresh process takes `start`.
"""

import itertools
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import psutil

from tests.crash import ROOT

TIMEOUT_S = 300  # under load, too
# On one thread: small batches keep no second one busy.
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
# What a stage does first where a fork may stand in for it: it hands over its streams, and waits.
STAND_IN = """
import json, os, socket, sys
words = sys.argv[1:]
if sys.orig_argv[1:3] == ["-m", "stages"] and words[0] in os.environ.get("FORKED", "").split():
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(os.environ["FORKS"])
        asked = {"folder": os.getcwd(), "words": words, "environment": dict(os.environ)}
        socket.send_fds(server, [json.dumps(asked).encode()], [0, 1, 2])
        status = server.recv(1)
    os._exit(status[0] if status else 1)
"""


def let_stand_in(folder: Path) -> None:
    """Change a copy of the repository so that forks may stand in for its stages."""
    path = folder / "stages" / "__main__.py"
    path.write_text(STAND_IN + path.read_text(encoding="utf-8"), encoding="utf-8")


@dataclass(frozen=True)
class Ended:
    """How a process ended; `status` is minus the signal's number, or None if it only stopped."""

    pid: int
    status: int | None
    stdout: str
    stderr: str

    @property
    def epochs(self) -> list[int]:
        """The epochs that it trained."""
        lines = self.stdout.splitlines()
        return [
            int(line.split(": epoch ")[1].split("/")[0]) for line in lines if ": epoch " in line
        ]


def start(folder: Path, *words: str, **options: Any) -> subprocess.Popen[str]:  # noqa: ANN401
    """A fresh process, as DVC starts it: `python -m WORD...`."""
    return subprocess.Popen(
        [sys.executable, "-m", *words],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **{"env": ENVIRONMENT} | options,
    )


def end(process: subprocess.Popen[str]) -> Ended:
    try:
        stdout, stderr = process.communicate(timeout=TIMEOUT_S)
    finally:
        process.kill()
    return Ended(process.pid, process.returncode, stdout, stderr)


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def lives(process: psutil.Process) -> bool:
    """Nobody may have asked yet how it ended."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


class Forks:
    """Runs stages in forks of one process that has imported them."""

    def __init__(self) -> None:
        self._place = tempfile.TemporaryDirectory()
        self._socket = Path(self._place.name, "socket")  # whose path has to be short
        self._numbers = itertools.count()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash", str(self._socket)],
            env=ENVIRONMENT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._answer() == {"ready": True}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._process:  # closes its pipes, on which it ends
            pass
        self._place.cleanup()

    def start(
        self,
        folder: Path,
        *words: str,
        threads: int = 1,
        environment: Mapping[str, str] | None = None,
        **request: object,
    ) -> "Fork":
        """What `python -m stages WORD...` is, in this folder."""
        log = Path(self._place.name, f"{next(self._numbers)}")
        answer = self._ask(
            folder=str(folder),
            words=words,
            streams={"stdout": f"{log}.out", "stderr": f"{log}.err"},
            threads=threads,
            environment={"OMP_NUM_THREADS": f"{threads}"} | dict(environment or {}),
            **request,
        )
        return Fork(answer["pid"], log, self._ask)

    def run(self, folder: Path, *words: str, **request: Any) -> Ended:  # noqa: ANN401
        """The same, to its end or its stop."""
        return self.start(folder, *words, **request).end()

    def hit(
        self,
        folder: Path,
        stage: str,
        place: str,
        call: int,
        number: int = signal.SIGKILL,
        *,
        after: bool = False,
    ) -> Ended:
        """Run a stage until its n-th call of `module:name`, where a signal hits it."""
        return self.run(folder, stage, place=place, call=call, signal=int(number), after=after)

    def stand_in(self, stages: Sequence[str]) -> dict[str, str]:
        """An environment in which `python -m stages STAGE` is a fork, for these stages.

        It runs the code of the folder that it is called in, where `let_stand_in` was called.
        """
        return {"FORKS": str(self._socket), "FORKED": " ".join(stages)}

    def _ask(self, **request: object) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


@dataclass
class Fork:
    """A run that was started; what it prints is in files beside `log`."""

    pid: int
    log: Path
    ask: Callable[..., dict[str, Any]]

    def has_ended(self) -> bool:
        """Only for as long as nobody has asked how."""
        ended: bool = self.ask(wait=self.pid, patient=False)["ended"]
        return ended

    def end(self) -> Ended:
        """Wait until it ends, or is stopped."""
        status = self.ask(wait=self.pid, patient=True)["status"]
        stdout, stderr = (
            self.log.with_suffix(suffix).read_text(encoding="utf-8") for suffix in (".out", ".err")
        )
        return Ended(self.pid, status, stdout, stderr)
