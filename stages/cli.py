"""How a stage ends: well, with one sentence about what is wrong, or with a word when stopped."""

import sys
from collections.abc import Callable

from mnistpipe.errors import UserError


def run(stage: Callable[[], None]) -> None:
    """Run a stage and turn what the user can mend into a line on standard error and a status."""
    try:
        stage()
    except UserError as error:
        sys.exit(f"ERROR: {error}")
    except KeyboardInterrupt:
        sys.stderr.write("\nStopped. Finished stages are kept: dvc repro goes on from there.\n")
        sys.exit(130)
