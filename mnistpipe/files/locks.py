"""One process at a time for each stage: DVC may leave one behind that it no longer knows of."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from mnistpipe.files.errors import UserError

LOCKS = Path(".mnistpipe/locks")


@contextmanager
def only_one(name: str) -> Iterator[None]:
    """Hold the lock of this name; the system releases it when the process ends, however it does.

    Raises UserError, naming the process that holds it, if there is one.
    """
    path = LOCKS / re.sub(r"[^\w@-]", "_", name)
    lock, holder = FileLock(f"{path}.lock"), Path(f"{path}.pid")
    try:
        LOCKS.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
        holder.write_text(str(os.getpid()), encoding="utf-8")
    except Timeout as error:
        raise UserError(f"{name} is already being run{_by_whom(holder)}") from error
    except OSError as error:
        raise UserError(f"{path}.lock cannot be written: {error.strerror}.") from error
    with lock:
        yield


def _by_whom(holder: Path) -> str:
    process = ""
    with suppress(OSError, ValueError):  # after a power cut it may hold anything
        process = holder.read_text(encoding="utf-8")
    if not process.isdecimal():  # in the moment before it is written
        return "; wait for it."
    return f" by process {process}; wait for it, or stop it: kill {process}"
