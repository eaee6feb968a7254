"""One process at a time for each stage: DVC may leave one behind that it no longer knows of."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from mnistpipe.errors import UserError

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
    except Timeout as error:
        process = holder.read_text(encoding="utf-8") if holder.exists() else "another process"
        raise UserError(
            f"{name} is already being run by process {process}; wait for it, or stop it: "
            f"kill {process}"
        ) from error
    except OSError as error:
        raise UserError(f"{path}.lock cannot be written: {error.strerror}.") from error
    with lock:
        holder.write_text(str(os.getpid()), encoding="utf-8")
        yield
