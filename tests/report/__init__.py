"""Tests of mnistpipe.report."""
