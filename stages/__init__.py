"""The pipeline's stages: each reads its section of params.yaml and calls the library once.

`python -m stages.NAME` comes here before it imports anything slow, so that Ctrl-C and SIGTERM end
it with one line at any time, and so that what only counts before PyTorch is imported is set.
"""

import atexit
import os
import signal
import sys
from types import FrameType

STOPPED = "Stopped. Finished stages and epochs are kept: the same command goes on from there.\n"
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def tidy_up_when_stopped() -> None:
    """From here on there is something to tidy up.

    Before, a stop is immediate: what a handler raises while PyTorch imports NumPy is swallowed.
    """
    for each in _SIGNALS:
        if signal.getsignal(each) is _stop_at_once:
            signal.signal(each, _stop)


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


if sys.argv[0] == "-m":
    for each in _SIGNALS:
        if signal.getsignal(each) != signal.SIG_IGN:  # as for a job in the background
            signal.signal(each, _stop_at_once)
    # Processes of a stage that train side by side: what they leave behind is removed, no more.
    os.environ.setdefault("PYTHONWARNINGS", "ignore:resource_tracker:UserWarning")
    # Threads wait for each other by turning in a loop before they sleep. GNU OpenMP's 300,000 turns
    # take a core from whoever else needs it, another process or Numba's threads, for milliseconds.
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
