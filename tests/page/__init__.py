"""Tests of mnistpipe.page."""
