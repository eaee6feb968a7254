"""Run stages in processes that a signal hits at a chosen place: python -m tests.crash.

Imports take most of a short stage's time, so that they are done once: each line on standard input
asks for a run, which is a fork of this process with its own folder. The stages' own code is not
changed; the signals are real.
"""

import ctypes
import functools
import gc
import importlib
import itertools
import json
import os
import resource
import runpy
import signal
import sys
from collections.abc import Callable
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import IO, Any

HALF_A_WRITE = "half a write"  # the place where half of a file's bytes are on the disk


def main() -> None:
    """Serve; or be one run, fresh: `hit PLACE CALL SIGNAL MODULE WORD...`.

    `imports N MODULE` imports a stage, in which a fork is hit at every N-th import.
    """
    words = sys.argv[1:]
    sys.argv[:] = ["-m"]  # as `python -m` has it while it imports the stages' package
    importlib.import_module("stages")
    if words[:1] == ["imports"]:
        sys.meta_path.insert(0, _Finder(int(words[1])))
        _run_module(words[2])
        return
    if words[:1] == ["hit"]:
        _hit(words[1], int(words[2]), int(words[3]), after=False)
        _run_module(*words[4:])
        return
    importlib.import_module("stages.train")
    importlib.import_module("torch._dynamo")  # as the first step of an optimizer does
    del sys.modules["stages.train"]  # as it will be run by its name
    gc.freeze()  # forks then share the memory of what is imported
    for line in sys.stdin:
        asked = json.loads(line)
        pid = asked["wait"] if "wait" in asked else os.fork()
        if pid == 0:
            _run(asked)
            return
        _, status = os.waitpid(pid, os.WUNTRACED)
        stopped = os.WIFSTOPPED(status)
        ended = None if stopped else os.waitstatus_to_exitcode(status)
        sys.stdout.write(json.dumps({"pid": pid, "status": ended}) + "\n")
        sys.stdout.flush()


def _run(asked: dict[str, Any]) -> None:
    """What the shell would do with `python -m MODULE WORD...`, in this process."""
    os.chdir(asked["folder"])
    for name, descriptor in (("stdin", 0), ("stdout", 1), ("stderr", 2)):
        flags = os.O_RDONLY if name == "stdin" else os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        os.dup2(os.open(asked.get(name, os.devnull), flags), descriptor)
    if "place" in asked:
        _hit(asked["place"], asked["call"], asked["signal"], after=asked["after"])
    if "file_bytes" in asked:  # stands for a full disk: a part is taken and the rest refused
        resource.setrlimit(resource.RLIMIT_FSIZE, (asked["file_bytes"],) * 2)
    if asked.get("powerless"):  # without capabilities a folder's mode counts for root, too
        version_3, this_process = 0x20080522, 0
        header, none = (ctypes.c_uint32 * 2)(version_3, this_process), (ctypes.c_uint32 * 6)()
        if ctypes.CDLL(None, use_errno=True).capset(header, none) != 0:
            raise OSError(ctypes.get_errno(), "capset")
    _run_module(*asked["words"])


def _run_module(module: str, *words: str) -> None:
    sys.argv[1:] = words
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _hit(place: str, call: int, number: int, *, after: bool) -> None:
    """Send this process a signal at the n-th call of `module:name`, before it or after it."""
    calls = itertools.count(1)
    if place == HALF_A_WRITE:
        _hit_half_a_write(lambda: next(calls) == call, number)
        return
    module, _, name = place.partition(":")
    *owners, last = name.split(".")
    owner = functools.reduce(getattr, owners, importlib.import_module(module))
    whole = getattr(owner, last)

    @functools.wraps(whole)
    def doomed(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 (any function's)
        hit = next(calls) == call
        if hit and not after:
            os.kill(os.getpid(), number)
        result = whole(*arguments, **named)
        if hit and after:
            os.kill(os.getpid(), number)
        return result

    setattr(owner, last, doomed)


def _hit_half_a_write(is_hit: Callable[[], bool], number: int) -> None:
    opened = Path.open

    def doomed(path: Path, mode: str = "r", **named: Any) -> IO[Any]:  # noqa: ANN401
        file: IO[Any] = opened(path, mode, **named)
        if mode == "wb" and is_hit():
            write = file.write

            def half(content: bytes) -> int:
                n_first = write(content[: len(content) // 2])
                file.flush()
                os.kill(os.getpid(), number)
                return n_first + write(content[n_first:])

            file.write = half  # type: ignore[method-assign, assignment]
        return file

    Path.open = doomed  # type: ignore[method-assign, assignment]


class _Finder(MetaPathFinder):
    """Finds no module, but is asked for each one, and reports how a fork ends that is hit there."""

    def __init__(self, every: int) -> None:
        self._every = every
        self._calls = itertools.count()
        self._signals = itertools.cycle([signal.SIGINT, signal.SIGTERM])

    def find_spec(self, fullname: str, *_arguments: object) -> None:
        if self._every == 0 or next(self._calls) % self._every != 0:
            return
        number = next(self._signals)
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            self._every = 0
            os.dup2(writer, 1)
            os.dup2(writer, 2)
            os.close(writer)
            os.kill(os.getpid(), number)
            return
        os.close(writer)
        with open(reader, encoding="utf-8") as pipe:  # noqa: PTH123 (a descriptor)
            said = pipe.read()
        _, status = os.waitpid(pid, 0)
        report = {
            "import": fullname,
            "signal": number,
            "status": os.waitstatus_to_exitcode(status),
            "said": said,
        }
        os.write(1, (json.dumps(report) + "\n").encode())


if __name__ == "__main__":
    main()
