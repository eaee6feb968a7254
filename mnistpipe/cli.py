"""The command line: mnistpipe predict IMAGE ..., compare REV [REV] and export [OUT]."""

import argparse
import importlib
import os
import signal
import sys
from pathlib import Path
from types import FrameType

from mnistpipe.files.environment import settle


def main() -> None:
    """Entry point of the `mnistpipe` command."""
    arguments = _parser().parse_args()
    settle()
    before = signal.signal(signal.SIGINT, _stop)
    # What a command imports takes up to seconds, and only now is Ctrl-C answered.
    from mnistpipe.files.errors import UserError  # noqa: PLC0415

    try:
        status = importlib.import_module(f"mnistpipe.{arguments.command}").run(arguments)
        sys.stdout.flush()
    except UserError as error:
        sys.exit(f"ERROR: {error}")
    except BrokenPipeError:  # whoever reads has seen enough, as head does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 128 + signal.SIGPIPE
    finally:
        signal.signal(signal.SIGINT, before)
    if status != 0:
        sys.exit(status)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="mnistpipe", description="A study of CNNs on MNIST.")
    commands = parser.add_subparsers(required=True, dest="command", metavar="COMMAND")
    predict = commands.add_parser(
        "predict",
        help="which digit each image shows",
        description="Say which digit each image shows, how probable that is, and what comes "
        "second: photographs, scans, screenshots, drawings. The network that comes with the "
        "package says so, or another one.",
    )
    predict.add_argument(
        "images",
        metavar="IMAGE",
        nargs="+",
        help="a file, a folder with all images below it, a pattern such as '*.png', or - for "
        "standard input",
    )
    predict.add_argument("--model", metavar="FILE", type=Path, help="another trained network")
    predict.add_argument(
        "--prepare",
        choices=["mnist", "resize"],
        help="mnist finds the digit and brings it into MNIST's form; resize takes the whole image "
        "as it is (default: what was done to the images of your own that the network was "
        "trained on, else mnist)",
    )
    predict.add_argument("--json", action="store_true", help="one JSON object a line")
    predict.add_argument(
        "--show", metavar="FOLDER", type=Path, help="write what the network got to see, as PNG"
    )
    compare = commands.add_parser(
        "compare",
        help="each run's test accuracy before and after",
        description="Compare the test predictions of each run in two git revisions, over images "
        "and over seeds. Predictions are in git: neither DVC's cache nor a remote is needed.",
    )
    compare.add_argument("before", metavar="REV", help="a git revision, such as main or HEAD~1")
    compare.add_argument(
        "after", metavar="REV", nargs="?", help="another one (default: the working tree)"
    )
    export = commands.add_parser(
        "export",
        help="a trained network as a file for other programs",
        description="Write a network as a file that runs without this package, from grey levels "
        "(images: uint8, (n, 28, 28), 0..255, prepared as its metadata say) to probabilities of "
        "the classes, whose names are there, too. It is written once its own runtime agrees with "
        "PyTorch.",
    )
    export.add_argument("--format", choices=["onnx", "torchscript"], required=True)
    export.add_argument("--model", metavar="FILE", type=Path, help="another trained network")
    export.add_argument(
        "out",
        metavar="OUT",
        nargs="?",
        type=Path,
        help="the file (default: the network's name, here, ending in .onnx or .pt)",
    )
    return parser


def _stop(number: int, _: FrameType | None) -> None:
    """At once: what a handler raises while PyTorch is imported may be swallowed."""
    os.write(2, b"\nStopped.\n" if os.isatty(2) else b"Stopped.\n")  # below the terminal's ^C
    os._exit(128 + number)


if __name__ == "__main__":
    main()
