"""A server whose forks are stages that signals hit: python -m tests.crash SOCKET.

It imports what stages import, once. Each line on its standard input asks for a run, which is a fork
of it with a folder, a process group and streams of its own, or asks how one ended. At the socket
processes that DVC has started ask for forks in their place. The stages' own code is not changed;
the signals are real.
"""

import atexit
import ctypes
import functools
import gc
import importlib
import itertools
import json
import os
import resource
import runpy
import select
import signal
import socket
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).parent.parent
HALF_A_WRITE = "half a write"  # the place where half of a file's bytes are on the disk


def main() -> None:
    """Serve at a socket's path; or be a stage that is hit at every N-th import: `N STAGE`."""
    first, *others = sys.argv[1:]
    if others:
        _run_with_hit_imports(int(first), others[0])
        return
    _warm_up()
    children: set[int] = set()
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(first)
            listener.listen()
            _serve(listener, children)
    finally:
        for pid in children:
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)


def _serve(listener: socket.socket, children: set[int]) -> None:
    """One line at a time is asked and answered; at the socket, runs are asked for side by side."""
    _tell({"ready": True})
    while True:
        ready, _, _ = select.select([listener, sys.stdin], [], [])
        if listener in ready:
            connection, _ = listener.accept()
            with connection:
                _fork(functools.partial(_stand_in, connection), connection, children)
            continue
        line = sys.stdin.readline()
        if not line:
            return
        asked = json.loads(line)
        if "wait" in asked:
            _tell(_wait(asked["wait"], children, patient=asked["patient"]))
        else:
            _tell({"pid": _fork(functools.partial(_run, asked), None, children)})


def _fork(process: Callable[[], None], connection: socket.socket | None, children: set[int]) -> int:
    gc.collect()
    gc.freeze()  # forks then share the memory of what is imported
    pid = os.fork()
    if pid == 0:
        _be(process, connection)
    with suppress(OSError):  # whoever of the two comes first makes the group
        os.setpgid(pid, pid)
    children.add(pid)
    return pid


def _tell(answer: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def _wait(pid: int, children: set[int], *, patient: bool) -> dict[str, Any]:
    if not patient:  # it can be waited for afterwards
        ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        return {"ended": ended is not None}
    _, status = os.waitpid(pid, os.WUNTRACED)
    if os.WIFSTOPPED(status):
        return {"status": None}
    children.discard(pid)
    return {"status": os.waitstatus_to_exitcode(status)}


def _warm_up() -> None:
    """Do once what each process does: imports, and at its networks' first steps Numba's loading."""
    for script in (ROOT / "stages").glob("[!_]*.py"):
        importlib.import_module(f"stages.{script.stem}")
    import torch  # noqa: PLC0415 (not where a fresh stage is hit)

    from mnistpipe.scoring.scores import Examples  # noqa: PLC0415
    from mnistpipe.study import load_params  # noqa: PLC0415
    from mnistpipe.training.engine import start_engine  # noqa: PLC0415
    from mnistpipe.training.loop import Training, fit  # noqa: PLC0415

    examples = Examples(torch.zeros(8, 28, 28, dtype=torch.uint8), torch.arange(8))
    params = load_params(ROOT / "tests" / "params.yaml")
    for stage in ("train-convnet", "train-net-augmented"):
        recipe = params.training_run(stage).recipe
        recipe = recipe.model_copy(update={"epochs": 1, "min_steps": 0})
        list(fit(Training(recipe, 1, start_engine("fp32"), 10), examples, examples))


def _be(process: Callable[[], None], connection: socket.socket | None) -> None:
    """Be a process to its end, but for tearing down the modules, which takes longer than most runs.

    The rest of an end is Python's: its status, the traceback, and what is registered for it.
    """
    status = 0
    try:
        process()
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else int(error.code is not None)
        if isinstance(error.code, str):
            sys.stderr.write(f"{error.code}\n")
    except BaseException:  # noqa: BLE001 (it is the last to hear of it)
        traceback.print_exc()
        status = 1
    finally:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        if connection is not None:
            connection.send(bytes([status]))
        os._exit(status)


def _stand_in(connection: socket.socket) -> None:
    """Be what another process was started to be, with the code that it would import."""
    import torch  # noqa: PLC0415 (likewise)

    message, descriptors, *_ = socket.recv_fds(connection, 2**20, 3)
    asked = json.loads(message)
    for descriptor, given in enumerate(descriptors):
        os.dup2(given, descriptor)
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    for name in [name for name in sys.modules if name.split(".")[0] in ("mnistpipe", "stages")]:
        del sys.modules[name]
    sys.path[:1] = [asked["folder"]]
    sys.path.remove(str(ROOT))
    sys.argv[1:] = asked["words"]
    runpy.run_module("stages", run_name="__main__", alter_sys=True)


def _run(asked: Mapping[str, Any]) -> None:
    """What the shell would do with `python -m stages WORD...`, in this process."""
    import torch  # noqa: PLC0415 (likewise)

    os.setpgid(0, 0)
    os.chdir(asked["folder"])
    os.environ.update(asked["environment"])
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for descriptor, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(asked["streams"][name], os.O_WRONLY | os.O_CREAT, 0o600), descriptor)
    torch.set_num_threads(asked["threads"])  # as OMP_NUM_THREADS would, had it been there before
    if "place" in asked:
        _hit(asked["place"], asked["call"], asked["signal"], after=asked["after"])
    if "file_bytes" in asked:  # stands for a full disk: a part is taken and the rest refused
        resource.setrlimit(resource.RLIMIT_FSIZE, (asked["file_bytes"],) * 2)
    if asked.get("powerless"):  # without capabilities a folder's mode counts for root, too
        version_3, this_process = 0x20080522, 0
        header, none = (ctypes.c_uint32 * 2)(version_3, this_process), (ctypes.c_uint32 * 6)()
        if ctypes.CDLL(None, use_errno=True).capset(header, none) != 0:
            raise OSError(ctypes.get_errno(), "capset")
    for name, value in asked.get("values", {}).items():  # of constants, by `module:name`
        module, _, constant = name.partition(":")
        assert hasattr(importlib.import_module(module), constant)
        setattr(sys.modules[module], constant, value)
    sys.argv[1:] = asked["words"]
    runpy.run_module("stages", run_name="__main__", alter_sys=True)


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


def _run_with_hit_imports(every: int, stage: str) -> None:
    """Run a stage, in which from the moment when it answers signals forks are hit by them."""
    entry = importlib.import_module("stages.__main__")
    answer_signals = entry.answer_signals

    def answer_and_be_hit() -> None:
        answer_signals()
        sys.meta_path.insert(0, _Finder(every))

    entry.answer_signals = answer_and_be_hit  # type: ignore[attr-defined]
    sys.argv[1:] = [stage]
    entry.main()


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
        # Python 3.12 prints it where what has been imported runs threads.
        warnings.filterwarnings("ignore", ".*multi-threaded, use of fork", DeprecationWarning)
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
