"""Settle conflicts in what the pipeline writes: python -m tools resolve [--jobs N].

Of a merge, a rebase or the like. What a person wrote is settled by a person first. Then dvc.lock
is put together from both sides, stage by stage, and DVC does the rest: what has run on either side
comes from its cache.
"""

import argparse
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dvc.utils.serialize import ParseError, dump_yaml, parse_yaml

from mnistpipe.files.errors import UserError
from tools.repro import at_least_one, reproduce

LOCK = "dvc.lock"
MADE = re.compile(r"(code|metrics|plots)/.+\.(txt|json|csv)|REPORT\.md|dvc\.lock")


def main() -> None:
    """Exits with DVC's status; if that is 0, git holds all as settled."""
    parser = argparse.ArgumentParser(description="Settle conflicts in what the pipeline writes.")
    parser.add_argument("--jobs", type=at_least_one, default=1, help="trainings side by side")
    arguments = parser.parse_args()
    conflicts = _conflicts()
    written = [path for path in conflicts if not MADE.fullmatch(path)]
    if written:
        raise UserError(
            f"{', '.join(written)}: a person wrote both sides; edit, git add, and run make resolve "
            "again. (Of what make readme writes take either side.)"
        )
    if not conflicts:
        raise UserError(
            "git knows of no conflict, so that nothing is left to resolve; one that was added as "
            f"it stood comes back by: git checkout --merge {LOCK}"
        )
    for path, sides in conflicts.items():
        if path == LOCK:
            stages = {side: _stages(blob) for side, blob in sides.items()}
            base = stages.get("1") or {}
            merged = merge_stages(base, stages.get("2") or base, stages.get("3") or base)
            dump_yaml(LOCK, {"schema": "2.0", "stages": merged})
        else:
            Path(path).unlink(missing_ok=True)  # and DVC brings it back
    status = reproduce(arguments.jobs, [])
    if status == 0:
        made = ["code", "metrics", "plots", "REPORT.md", LOCK]
        _git("add", "--all", "--", *made)
        print("The conflicts are settled; git status says how to go on.")
    sys.exit(status)


def merge_stages(
    base: Mapping[str, Any], ours: Mapping[str, Any], theirs: Mapping[str, Any]
) -> dict[str, Any]:
    """Of each stage the entry of the side that changed it; ours, if both did: DVC will run it."""
    merged = {
        stage: (theirs if ours.get(stage) == base.get(stage) else ours).get(stage)
        for stage in {**ours, **theirs}
    }
    return {stage: entry for stage, entry in merged.items() if entry is not None}


def _conflicts() -> dict[str, dict[str, str]]:
    """The blobs of each file in conflict, by git's number of the side: 1 is the common ancestor."""
    conflicts: dict[str, dict[str, str]] = {}
    for line in _git("ls-files", "--unmerged", "-z").split("\0")[:-1]:
        (_, blob, side), path = line.split("\t")[0].split(), line.split("\t")[1]
        conflicts.setdefault(path, {})[side] = blob
    return conflicts


def _stages(blob: str) -> dict[str, Any]:
    """Of a lock file; none, if it was committed with a conflict in it."""
    try:
        lock = parse_yaml(_git("cat-file", "blob", blob), LOCK)
    except ParseError:
        return {}
    stages: dict[str, Any] = lock["stages"]
    return stages


def _git(*words: str) -> str:
    done = subprocess.run(
        ["git", *words],  # noqa: S607
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    if done.returncode != 0:
        raise UserError(f"git {words[0]}: {done.stderr.strip()}")
    return done.stdout
