"""The error against the number of training examples."""
