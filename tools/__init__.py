"""What the Makefile runs besides DVC. Like a stage, each of these may be stopped at any time."""

import stages  # noqa: F401 (says what Ctrl-C does)
