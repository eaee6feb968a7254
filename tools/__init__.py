"""What the Makefile runs besides DVC."""
