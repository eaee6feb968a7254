"""Tests of mnistpipe.learning_curve."""
