"""Runs the page's JavaScript under Node."""

import base64
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from numpy import ndarray

from mnistpipe.page.widgets import read_asset


def run_javascript(folder: Path, parts: list[str], expression: str, given: object = None) -> Any:  # noqa: ANN401 (JSON)
    """What an expression of `given` is after these parts of the page's script; all of it JSON.

    The test is skipped where Node is missing.
    """
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs Node: apt-get install nodejs")
    script, data = folder / "script.js", folder / "given.json"
    data.write_text(json.dumps(given))
    sources = [read_asset(f"{part}.js") for part in parts]
    script.write_text(
        "\n".join(['"use strict";', *sources])
        + 'const given = JSON.parse(require("fs").readFileSync(process.argv[2]));'
        'const bytes = (text) => Uint8Array.from(Buffer.from(text, "base64"));'
        f"process.stdout.write(JSON.stringify({expression}));"
    )
    ran = subprocess.run([node, script, data], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def as_picture(ink: ndarray) -> dict[str, Any]:
    """A drawing for JavaScript; `PICTURES` reads a list of them."""
    height, width = ink.shape
    return {"width": width, "height": height, "data": base64.b64encode(ink.tobytes()).decode()}


PICTURES = "given.map(({ width, height, data }) => ({ width, height, data: bytes(data) }))"
