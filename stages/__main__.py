"""Run a stage: python -m stages STAGE, the stage's name as it stands in dvc.yaml.

How a stage ends is decided here: well, with one sentence about what is wrong, or with a word when
it is stopped. What it computes is not, so that no stage re-runs for a change of this file.
"""

import atexit
import importlib
import os
import signal
import sys
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from types import FrameType

from mnistpipe.files.environment import settle

STOPPED = "Stopped. Finished stages and epochs are kept: the same command goes on from there.\n"
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def main() -> None:
    """A stage without a script of its own is one of those that train."""
    answer_signals()
    settle()
    _, *words = sys.argv
    if len(words) != 1:
        sys.exit("ERROR: Name one stage, as it stands in dvc.yaml: python -m stages train-net")
    from mnistpipe.files.code_files import script_module, script_names  # noqa: PLC0415 (see `run`)

    (stage,) = words
    script = stage if stage in script_names() else "train"
    module = importlib.import_module(script_module(script))
    run(partial(_run_script, script, partial(module.main, *([stage] * (script == "train")))), stage)


def _run_script(script: str, call: Callable[[], None]) -> None:
    """Run it if its code is what DVC knows it to be; `code` is what tells DVC."""
    from mnistpipe.files.code_files import check_code_file  # noqa: PLC0415 (see `run`)

    if script != "code":
        check_code_file(script)
    call()


def answer_signals() -> None:
    """From here on Ctrl-C and SIGTERM end the process with one line, at any time.

    To be called before anything slow is imported. Until `run` has imported the rest a stop is
    immediate: what a handler raises while PyTorch imports NumPy is swallowed.
    """
    for each in _SIGNALS:
        if signal.getsignal(each) != signal.SIG_IGN:  # as for a job in the background
            signal.signal(each, _stop_at_once)


def run(call: Callable[[], None], name: str | None = None) -> None:
    """Turn what the user can mend into a line on standard error and a status.

    With a name, a second run of the same name at the same time is such a mistake.
    """
    from mnistpipe.files.errors import UserError  # noqa: PLC0415 (after `answer_signals`)
    from mnistpipe.files.locks import only_one  # noqa: PLC0415 (likewise)

    for each in _SIGNALS:
        if signal.getsignal(each) is _stop_at_once:
            signal.signal(each, _stop)
    try:
        with only_one(name) if name else nullcontext():
            call()
    except UserError as error:
        sys.exit(f"ERROR: {error}")
    except KeyboardInterrupt:
        sys.stderr.write(STOPPED)
        sys.exit(130)


def _stop(number: int, _: FrameType | None) -> None:
    """Let the code that is running tidy up, then say so; a second signal waits for nothing."""
    for each in _SIGNALS:
        signal.signal(each, _stop_at_once)
    atexit.register(_say)
    sys.exit(128 + number)


def _stop_at_once(number: int, _: FrameType | None) -> None:
    _say()
    os._exit(128 + number)


def _say() -> None:
    line = "\n" + STOPPED if os.isatty(2) else STOPPED  # below the terminal's ^C
    os.write(2, line.encode())


if __name__ == "__main__":
    main()
