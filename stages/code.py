"""Write down what the code of each stage does, so that the stage re-runs when that changes."""

from pathlib import Path

from mnistpipe.files.code_digest import check_imports, write_code_file


def main() -> None:
    """A text file for each script, this one excepted."""
    check_imports()
    for script in sorted(Path(__file__).parent.glob("[!_]*.py")):
        if script.stem != "code":
            write_code_file(script.stem.replace("_", "-"))
