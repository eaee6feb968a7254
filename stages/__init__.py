"""The pipeline's stages: each reads its section of params.yaml and calls the library once."""

import signal
import sys
from types import FrameType

STOPPED = "\nStopped. Finished stages and epochs are kept: the same command goes on from there.\n"


def _stop(number: int, _: FrameType | None) -> None:
    sys.stderr.write(STOPPED)
    sys.exit(128 + number)


if sys.argv[0] == "-m":  # `python -m stages.NAME` comes here before it imports anything slow
    signal.signal(signal.SIGINT, _stop)
    signal.signal(signal.SIGTERM, _stop)
