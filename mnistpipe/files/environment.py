"""What other programs' variables mean here, decided in one place before anything reads them.

A notebook, a login shell, a cluster's modules or a company's image export variables for other
programs. One is kept where its owner means this program, too: cores, GPUs, folders, proxies,
certificates. What would change a number, a figure or how a stage runs is removed or set.

Nothing is imported but the standard library: `tools.doctor` and `tools.setup` use this before any
package is installed.
"""

import getpass
import math
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]  # of the checkout
SITE_CACHE = "DVC_SITE_CACHE_DIR"


class Rule(NamedTuple):
    """Variables that are removed, but for some, and why."""

    why: str
    prefixes: tuple[str, ...]
    kept: tuple[str, ...] = ()


_COUNTS = ("OMP_NUM_THREADS", "OMP_THREAD_LIMIT", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
REMOVED = (
    Rule(
        "Python would find other modules, or run stages in another way",
        ("PYTHON",),
        (
            "PYTHONDONTWRITEBYTECODE",
            "PYTHONFAULTHANDLER",
            "PYTHONHASHSEED",
            "PYTHONNOUSERSITE",
            "PYTHONPYCACHEPREFIX",
            "PYTHONUNBUFFERED",
        ),
    ),
    Rule(
        "trainings side by side would be bound to the same cores",
        ("OMP_", "GOMP_", "KMP_AFFINITY", "KMP_HW_SUBSET"),  # PyTorch itself sets others of KMP_
        _COUNTS,
    ),
    Rule(
        "the numbers' last bits would depend on it",
        (
            *("ATEN_", "CUBLAS_", "DNNL_", "MKL_", "NPY_", "ONEDNN_", "OPENBLAS_", "SKLEARN_"),
            *("NVIDIA_TF32_OVERRIDE", "TORCH_ALLOW_TF32"),
        ),
        _COUNTS,
    ),
    Rule(
        "loops and networks would be compiled in another way, or not at all",
        ("NUMBA_", "PYTORCH_JIT"),
        ("NUMBA_CACHE_DIR",),
    ),
    Rule(
        "git and DVC would look at another repository than this folder's",
        (
            *("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"),
            *("GIT_COMMON_DIR", "GIT_NAMESPACE"),
        ),
    ),
)
SET = {
    "MPLBACKEND": "agg",  # figures are files: there is no window, and no notebook
    "MATPLOTLIBRC": os.devnull,  # nobody's style but the study's
    "SHELL": "/bin/sh",  # in which DVC runs a stage; a login shell may be none, or another language
    "PYTHONUTF8": "1",  # files are UTF-8 in every country
    # What the processes of several seeds leave behind is removed, no more.
    "PYTHONWARNINGS": "ignore:resource_tracker:UserWarning",
    # Threads wait for each other by turning in a loop before they sleep. GNU OpenMP's 300,000 turns
    # take a core from whoever else needs it, another process or Numba's threads, for milliseconds.
    "GOMP_SPINCOUNT": "10000",
}


_ignored: dict[str, str] = {}  # why, by name, since the process began


def settle() -> list[str]:
    """Make the variables say what they should, for this process and those that it starts.

    Returns:
        A sentence for each of the user's that is not used.

    """
    environment, ignored = os.environ, _ignored
    for name in list(environment):
        rule = next((rule for rule in REMOVED if _concerns(rule, name)), None)
        if rule is not None and environment[name] != SET.get(name):
            ignored[name] = rule.why
            del environment[name]
        elif name in _COUNTS and not _is_a_number_of_threads(environment[name]):
            ignored[name] = f"'{environment[name]}' is no number of threads"
            del environment[name]
    environment.update(SET)
    cores = count_cores()
    if cores < _count_allowed():
        environment.setdefault("OMP_NUM_THREADS", str(cores))
    if sys.prefix != sys.base_prefix:  # DVC runs a stage by the `python` that it finds first
        first = os.path.join(sys.prefix, "bin")  # noqa: PTH118 (as it stands in PATH)
        others = environment.get("PATH", os.defpath).split(os.pathsep)
        path = [first, *(each for each in others if each != first)]
        environment["PATH"] = os.pathsep.join(path)
    _settle_account()
    return [f"{name} is not used: {why}." for name, why in ignored.items()]


def settle_dvc() -> None:
    """The same for DVC, where it is started by itself: a file in `.venv` calls this.

    A checkout that git does not trust ends in one sentence, where DVC calls it unexpected.
    """
    settle()
    sentence = distrust(Path.cwd())
    if sentence is not None:
        sys.stderr.write(f"ERROR: {sentence}\n")
        os._exit(1)  # Python is still starting, and would show where


def distrust(folder: Path) -> str | None:
    """What to do if git does not read this repository because another user owns it, or None."""
    if not hasattr(os, "geteuid") or folder.stat().st_uid == os.geteuid():
        return None
    import subprocess  # noqa: PLC0415 (of no use to anybody else)

    with suppress(OSError):
        words = ["git", "rev-parse", "--show-toplevel"]
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
        place = re.search(r"dubious ownership in repository at '(.+)'", done.stderr)
        if place is not None:
            return (
                f"git does not trust {place[1]}, which another user owns; if you do, run: "
                f"git config --global --add safe.directory '{place[1]}'"
            )
    return None


def count_cores() -> int:
    """How many cores this process may use: of the machine, its affinity and its group's quota."""
    return max(1, math.ceil(min(_count_allowed(), _quota())))


def _concerns(rule: Rule, name: str) -> bool:
    return name.startswith(rule.prefixes) and name not in rule.kept


def _is_a_number_of_threads(text: str) -> bool:
    return text.isascii() and text.isdecimal() and int(text) > 0


def _settle_account() -> None:
    """An account may have no name and no home, and the places for all users may be closed to it."""
    try:
        getpass.getuser()
    except (KeyError, OSError):
        os.environ["LOGNAME"] = f"user-{os.getuid()}"
    if os.path.expanduser("~") == "~":  # noqa: PTH111 (pathlib raises an error)
        os.environ["HOME"] = tempfile.gettempdir()
    # DVC's own choice, for what it can make again.
    place = Path(os.environ.get(SITE_CACHE) or "/var/tmp/dvc") / "repo"  # noqa: S108
    if not _is_writable(place):
        os.environ[SITE_CACHE] = str(Path(tempfile.gettempdir()) / f"dvc-{os.getuid()}")


def _is_writable(folder: Path) -> bool:
    """Whether it is a folder to write in, or can be made."""
    there = next(each for each in (folder, *folder.parents) if each.exists())
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)


def _count_allowed() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _quota(proc: Path = Path("/proc/self/cgroup"), mount: Path = Path("/sys/fs/cgroup")) -> float:
    """The least CPU quota among a process's control groups, in cores: a container's is one.

    The first version of Linux's control groups has the folder `cpu` for it, the second has not.
    """
    with suppress(OSError, ValueError):
        return min(
            (
                quota
                for line in proc.read_text(encoding="utf-8").splitlines()
                for folder in _groups(line, mount)
                for quota in _quotas(folder)
            ),
            default=math.inf,
        )
    return math.inf


def _groups(line: str, mount: Path) -> Iterator[Path]:
    """The folders of a group and of those around it, from a line of /proc/self/cgroup."""
    _, controllers, group = line.split(":", 2)
    if controllers == "":
        tops = [mount, mount / "unified"]
    elif "cpu" in controllers.split(","):
        tops = [mount / controllers, mount / "cpu"]
    else:
        return
    for top in tops:
        below = top / group.lstrip("/")
        yield below
        for folder in below.parents:
            if folder == top or top in folder.parents:
                yield folder


def _quotas(folder: Path) -> Iterator[float]:
    with suppress(OSError, ValueError):
        quota, period = (folder / "cpu.max").read_text(encoding="utf-8").split()
        yield int(quota) / int(period)  # without a quota: max
    with suppress(OSError, ValueError):
        quota = (folder / "cpu.cfs_quota_us").read_text(encoding="utf-8")
        period = (folder / "cpu.cfs_period_us").read_text(encoding="utf-8")
        if int(quota) > 0:
            yield int(quota) / int(period)
