"""From raw files to the split."""
