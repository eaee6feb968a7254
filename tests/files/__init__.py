"""Tests of mnistpipe.files."""
