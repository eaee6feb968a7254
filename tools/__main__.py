"""Run a tool: python -m tools NAME [OPTIONS]. Like a stage, it may be stopped at any time."""

import importlib
import sys
from pathlib import Path

from mnistpipe.files.environment import settle
from stages.__main__ import answer_signals, run


def main() -> None:
    """The tool finds its own words in `sys.argv`, as if it had been run by itself."""
    answer_signals()
    settle()
    modules = Path(__file__).parent.glob("[!_]*.py")
    tools = sorted(path.stem for path in modules if "\ndef main(" in path.read_text("utf-8"))
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name not in tools:
        sys.exit(f"ERROR: Name one tool: {', '.join(tools)}.")
    sys.argv[:2] = [f"python -m tools {name}"]
    run(importlib.import_module(f"tools.{name}").main)


if __name__ == "__main__":
    main()
