"""What an earlier crash left of DVC's own files, cleared away before DVC meets it.

`kill -9`, a power cut or a full disk may stop DVC in the middle of a write. It then ends with an
error at each new start; or it takes a product that is cut short for whole, since it never looks
into a read-only file of its cache again. All that is removed here DVC makes anew.
"""

import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from unittest.mock import patch

import psutil
from dvc.dirs import site_cache_dir
from dvc.dvcfile import LOCK_FILE, Lockfile
from dvc.env import DVC_SITE_CACHE_DIR
from dvc.exceptions import DvcException
from dvc.lock import LockError, make_lock
from dvc.repo import Repo
from dvc.rwlock import RWLOCK_FILE, RWLOCK_LOCK, SCHEMA
from dvc.utils import dict_sha256
from dvc.utils.serialize import load_yaml
from dvc_data.hashfile.meta import Meta
from voluptuous import Invalid

from mnistpipe.files.artifacts import write_bytes
from mnistpipe.files.errors import UserError

TMP = Path(".dvc/tmp")
EXAMINED = Path(".mnistpipe/cache-examined")  # whose time says up to when DVC's files were
SETTLED_S = 60.0  # by when the system has brought to the disk what was written
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def clear(tell: Callable[[str], None]) -> None:
    """Remove or mend what DVC would stumble over; to be called in the checkout's root.

    Nobody else's work is touched: DVC's own lock is held meanwhile.

    Args:
        tell: receives a line about each thing that was found.

    Raises:
        UserError: if a DVC is at work here, naming its process.

    """
    try:
        # Databases in an empty folder are opened in the place of those that may be damaged.
        with (
            tempfile.TemporaryDirectory() as empty,
            patch.dict(os.environ, {DVC_SITE_CACHE_DIR: empty}),
            Repo() as repo,
        ):
            token = Path(repo.site_cache_dir).name
        databases = Path(site_cache_dir(repo.config["core"].get("site_cache_dir")), "repo", token)
        with repo.lock:
            for folder in (TMP, TMP / "exps"):  # the other one is for `dvc exp run`
                _clear_rwlock(repo, folder, tell)
            since = EXAMINED.stat().st_mtime - SETTLED_S if EXAMINED.exists() else 0.0
            _mend_lock_file(repo, since, tell)
            damaged = _remove_damaged_objects(repo, since, tell)
            _remove_databases(databases, tell, in_any_case=damaged)
    except LockError as error:
        raise UserError(_at_work(_holder(TMP / "lock"))) from error
    except (DvcException, KeyError, OSError):
        pass  # what is wrong is no leftover, and DVC is about to say it


def _clear_rwlock(repo: Repo, folder: Path, tell: Callable[[str], None]) -> None:
    """Which process reads and writes what; of these only a DVC of this checkout counts."""
    path = folder / RWLOCK_FILE
    if not path.exists():
        return
    hardlink = repo.config["core"].get("hardlink_lock", False)
    with make_lock(str(folder / RWLOCK_LOCK), tmp_dir=str(folder), hardlink_lock=hardlink):
        try:
            entries = SCHEMA(json.loads(path.read_bytes()))
        except (ValueError, Invalid):
            path.unlink()
            tell(f"{path} was cut short: removed.")
            return
        readers = (info for infos in entries["read"].values() for info in infos)
        commands = {info["pid"]: info["cmd"] for info in (*readers, *entries["write"].values())}
        for pid, command in commands.items():
            if _is_dvc(pid, command):
                raise UserError(_at_work(pid))
        if commands:
            path.unlink()
            names = ", ".join(map(str, sorted(commands)))
            tell(f"{path} named a DVC that is gone (process {names}): removed.")


def _is_dvc(pid: int, command: str) -> bool:
    """Whether it is the process that wrote the entry: its number may be another's by now."""
    try:
        process = psutil.Process(pid)
        arguments = command.partition(" ")[2]
        if not " ".join(process.cmdline()).endswith(arguments):
            return False
        return Path(process.cwd()).is_relative_to(Path.cwd())
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True


def _holder(lock: Path) -> int | None:
    """The process that DVC's lock names."""
    with suppress(OSError, ValueError):
        return int(lock.read_text(encoding="utf-8"))
    return None


def _at_work(pid: int | None) -> str:
    if pid is None:
        return "DVC is at work in this folder already; wait for it."
    return (
        f"DVC is at work in this folder already, as process {pid}; wait for it, or stop it: "
        f"kill {pid}"
    )


def _mend_lock_file(repo: Repo, since: float, tell: Callable[[str], None]) -> None:
    """Put the commit's dvc.lock in the place of one cut short: the run cache knows the rest.

    One that was read before is not read again: that takes a tenth of a second.
    """
    path = Path(LOCK_FILE)
    try:
        if path.stat().st_ctime <= since:
            return
        content = path.read_bytes()
    except FileNotFoundError:
        return
    if b"\n<<<<<<< " in b"\n" + content:
        return  # a merge's conflict, of which DVC speaks
    with suppress(DvcException):
        Lockfile(repo, str(path)).load()
        if content.endswith(b"\n"):
            return
    committed = subprocess.run(
        ["git", "show", f"HEAD:./{path}"],  # noqa: S607
        capture_output=True,
        check=False,
    )
    if committed.returncode == 0:
        write_bytes(path, committed.stdout)
        tell(f"{path} was cut short: the commit's is in its place.")
    else:
        path.unlink()
        tell(f"{path} was cut short: removed.")


def _remove_damaged_objects(repo: Repo, since: float, tell: Callable[[str], None]) -> bool:
    """Remove what is not what its name says from the cache; whether there was any.

    Only what was written since the last time is read, and no cache that other projects share.
    """
    objects, runs = Path(repo.cache.local.path), Path(repo.stage_cache.cache_dir)
    if not objects.is_relative_to(Path.cwd()):
        return False
    begun = time.time()
    damaged = [
        *(path for path in _written(objects, "??/[0-9a-f]*", since) if not _is_whole_object(path)),
        *(path for path in _written(runs, "??/*/*", since) if not _is_whole_run(path)),
    ]
    for path in damaged:
        path.unlink()
        tell(f"{path.relative_to(Path.cwd())} was cut short: removed.")
    for folder in runs.glob("??/*"):
        with suppress(OSError):  # not empty, as DVC expects of all
            folder.rmdir()
    with suppress(OSError):  # without it all is read again the next time
        EXAMINED.parent.mkdir(exist_ok=True)
        EXAMINED.touch()
        os.utime(EXAMINED, (begun, begun))
    return bool(damaged)


def _written(folder: Path, pattern: str, since: float) -> Iterator[Path]:
    files = (path for path in folder.glob(pattern) if path.is_file())
    return (path for path in files if path.stat().st_ctime > since)


def _is_whole_object(path: Path) -> bool:
    """A file is named by the MD5 of its content, a folder's list with `.dir` behind it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest() == path.parent.name + path.stem


def _is_whole_run(path: Path) -> bool:
    """What a stage made of what, named by a digest of it."""
    try:
        digest = dict_sha256(load_yaml(path), exclude=[Meta.PARAM_SIZE, Meta.PARAM_NFILES])
    except (DvcException, ValueError, AttributeError):
        return False
    return bool(digest == path.name)


def _remove_databases(folder: Path, tell: Callable[[str], None], *, in_any_case: bool) -> None:
    """DVC's memory of which file has which hash: it hashes all of them once more."""
    if in_any_case or any(_is_damaged(path) for path in folder.rglob("*.db")):
        shutil.rmtree(folder, ignore_errors=True)
        tell("DVC's databases of hashes: removed, so that it takes all files' hashes once more.")


def _is_damaged(database: Path) -> bool:
    try:
        with closing(sqlite3.connect(database)) as connection:
            return bool(connection.execute("PRAGMA quick_check").fetchone() != ("ok",))
    except sqlite3.DatabaseError as error:
        return error.sqlite_errorcode in _DAMAGED
