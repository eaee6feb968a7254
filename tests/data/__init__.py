"""Tests of mnistpipe.data."""
