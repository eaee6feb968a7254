"""Make the virtual environment .venv, if it is missing, unfinished or not this checkout's.

python -m tools.setup, by a Python outside of it, or --check, by its own, which says by its status
whether there is something to do. Nothing is imported but the standard library.
"""

import argparse
import ast
import configparser
import hashlib
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

from mnistpipe.files.environment import ROOT, settle
from tools.doctor import CONSTRAINTS, find_obstacles, find_problems, is_in_git, tell

VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "installed"  # written last: what was installed, from where, for which place
# pip's settings are kept that say where packages come from, and how to get there.
PIP_KEPT = (
    *("cache-dir", "cert", "client-cert", "default-timeout", "extra-index-url", "find-links"),
    *("index-url", "keyring-provider", "no-cache-dir", "no-index", "proxy", "retries", "timeout"),
    *("trusted-host", "use-feature"),
)
# DVC may be started by itself, in any environment. Other programs of .venv read this line, too.
HOOK = "import sys; 'dvc' in [word.rpartition('/')[2] for word in sys.orig_argv[:4]] and "
HOOK += "__import__('mnistpipe.files.environment').files.environment.settle_dvc()\n"


def main() -> None:
    """Exits with a sentence where it cannot be done."""
    parser = argparse.ArgumentParser(description="Make .venv, or make it anew.")
    parser.add_argument("--check", action="store_true", help="end with 1 if it is not right")
    arguments = parser.parse_args()
    settle()
    if arguments.check:
        sys.exit(0 if VENV.is_symlink() or _read_stamp() == wanted_stamp() else 1)
    if VENV.is_symlink():
        sys.exit(f"ERROR: .venv is a link to {VENV.readlink()}, where no Python runs; remove it.")
    problems = [*find_problems(), *find_obstacles()]
    tell([], problems)
    if problems:
        sys.exit(1)
    try:
        install()
    except subprocess.CalledProcessError:
        sys.exit("ERROR: the set-up failed; the lines above say why. The same command tries again.")
    except KeyboardInterrupt:
        sys.exit("\nStopped. The same command begins the set-up again.")


def install() -> None:
    """Leave the environment as it is wanted: made anew, or with other packages, if need be."""
    stamp, wanted = _read_stamp(), wanted_stamp()
    in_place = _runs() and stamp.get("checkout") == wanted["checkout"]
    if not in_place or stamp["pins"] != wanted["pins"]:
        print(
            "Installing the pinned packages into .venv (about 6 GB, some minutes) ...", flush=True
        )
        if not in_place:
            _run(sys.executable, "-m", "venv", "--clear", VENV)
        words = ("install", "--quiet", "--disable-pip-version-check", "--constraint", CONSTRAINTS)
        _run(PYTHON, "-m", "pip", *words, "--editable", ".[dev]", environment=pip_environment())
        packages = next(VENV.glob("lib/python*/site-packages"))
        (packages / "mnistpipe-dvc.pth").write_text(HOOK, encoding="utf-8")
        _run(PYTHON, "-m", "tools", "plots_page")
    # Without git DVC refuses to work, unless it is told so.
    no_git = ("--unset", "core.no_scm") if wanted["git"] else ("core.no_scm", "true")
    configured = "no_scm" in (ROOT / ".dvc" / "config.local").read_text(encoding="utf-8")
    if configured == wanted["git"]:
        _run(PYTHON, "-m", "dvc", "config", "--local", *no_git)
    STAMP.write_text(json.dumps(wanted), encoding="utf-8")


def wanted_stamp() -> dict[str, object]:
    """What has to be the same for the environment to be right."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    parts = [project["project"], project["tool"]["setuptools"], CONSTRAINTS.read_text("utf-8")]
    pins = hashlib.sha256(json.dumps([*parts, HOOK]).encode()).hexdigest()
    return {"checkout": str(ROOT), "pins": pins, "git": is_in_git()}


def pip_environment() -> dict[str, str]:
    """Variables for pip: of all settings, its files' too, those of `PIP_KEPT` alone.

    Others would install elsewhere (user, target, prefix), not install (no-deps, dry-run), or build
    from source (no-binary).
    """
    words = [str(PYTHON), "-m", "pip", "config", "list"]
    listed = subprocess.run(words, capture_output=True, text=True, check=False).stdout
    settings = [line.partition("=")[::2] for line in listed.splitlines()]
    named = configparser.RawConfigParser()  # of the file in PIP_CONFIG_FILE pip lists nothing
    named.read(os.environ.get("PIP_CONFIG_FILE", os.devnull), encoding="utf-8")
    settings += [(name, repr(text)) for part in named for name, text in named[part].items()]
    kept = {}
    for name, value in settings:
        option = name.rpartition(".")[2]
        if option in PIP_KEPT:
            words = ast.literal_eval(value).split()
            kept["PIP_" + option.upper().replace("-", "_")] = " ".join(words)
    others = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    return {**others, **kept, "PIP_CONFIG_FILE": os.devnull}


def _read_stamp() -> dict[str, object]:
    try:
        stamp = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def _runs() -> bool:
    """Whether there is a Python in it, of the version that it was made for."""
    try:
        done = subprocess.run([PYTHON, "-c", "import pip"], capture_output=True, check=False)
    except OSError:
        return False
    return done.returncode == 0


def _run(*words: str | Path, environment: dict[str, str] | None = None) -> None:
    subprocess.run(words, cwd=ROOT, env=environment, check=True)


if __name__ == "__main__":
    main()
