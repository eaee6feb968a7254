"""Write down what the code of each stage does, so that the stage re-runs when that changes."""

from mnistpipe.files.code_files import check_imports, script_names, write_code_file


def main() -> None:
    """A text file for each script, this one excepted."""
    check_imports()
    for script in script_names():
        if script != "code":
            write_code_file(script)
