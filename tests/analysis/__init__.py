"""Tests of mnistpipe.analysis."""
