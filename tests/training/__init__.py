"""Tests of mnistpipe.training."""
