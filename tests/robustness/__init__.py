"""Tests of mnistpipe.robustness."""
