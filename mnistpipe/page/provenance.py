"""What made each file of the pipeline, as dvc.yaml and params.yaml have it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

import yaml
from pydantic import ConfigDict

from mnistpipe.files.sections import Section


class AnySection(Section):
    """A section of params.yaml as it stands there; the stage that reads it has checked it."""

    model_config = ConfigDict(extra="allow")


@dataclass(frozen=True)
class Origin:
    """The stage that writes a file.

    Attributes:
        stage: its name.
        does: its description.
        command: by which DVC runs it.
        params: the parameters that it reads, as YAML; empty if there are none.

    """

    stage: str
    does: str
    command: str
    params: str


def find_origins(pipeline: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Origin]:
    """By the path of each file that the pipeline writes.

    Args:
        pipeline: dvc.yaml.
        params: sections of params.yaml. Stages that read others are left out.

    """
    origins = {}
    for name, entry in _stages(pipeline["stages"], params):
        paths = entry.get("params", [])
        if any(path.partition(".")[0] not in params for path in paths):
            continue
        read = {path: _look_up(params, path) for path in paths}
        origin = Origin(
            stage=name,
            does=entry["desc"],
            command=entry["cmd"],
            params=yaml.safe_dump(read, sort_keys=False, default_flow_style=None) if read else "",
        )
        written = [file for kind in ("outs", "metrics", "plots") for file in entry.get(kind, [])]
        for file in written:
            origins[file if isinstance(file, str) else next(iter(file))] = origin
    return origins


def _stages(
    stages: Mapping[str, Any], params: Mapping[str, Any]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The entries of the file as DVC takes them: one for each item of a `foreach`."""
    for name, entry in stages.items():
        if "foreach" not in entry:
            yield name, entry
            continue
        items = entry["foreach"].strip("${}")
        for key in _look_up(params, items) if items.partition(".")[0] in params else ():
            yield f"{name}@{key}", _fill_in(entry["do"], str(key))


def _fill_in(entry: Any, key: str) -> Any:  # noqa: ANN401 (YAML's)
    """With an item's key or, of a list, the item itself in the places for it."""
    if isinstance(entry, dict):
        return {_fill_in(name, key): _fill_in(value, key) for name, value in entry.items()}
    if isinstance(entry, list):
        return [_fill_in(value, key) for value in entry]
    return re.sub(r"\$\{(?:key|item)\}", key, entry) if isinstance(entry, str) else entry


def _look_up(params: Mapping[str, Any], path: str) -> Any:  # noqa: ANN401 (YAML's)
    """`partial-data.fractions.half` of params.yaml."""
    return reduce(lambda tree, key: tree[key], path.split("."), params)
