"""How a stage ends: well, with one sentence about what is wrong, or with a word when stopped."""

import sys
from collections.abc import Callable
from contextlib import nullcontext

from mnistpipe.errors import UserError
from mnistpipe.locks import only_one
from stages import STOPPED, tidy_up_when_stopped


def run(stage: Callable[[], None], name: str | None = None) -> None:
    """Run a stage and turn what the user can mend into a line on standard error and a status.

    With a name, a second run of the same name at the same time is such a mistake.
    """
    tidy_up_when_stopped()
    try:
        with only_one(name) if name else nullcontext():
            stage()
    except UserError as error:
        sys.exit(f"ERROR: {error}")
    except KeyboardInterrupt:
        sys.stderr.write(STOPPED)
        sys.exit(130)
