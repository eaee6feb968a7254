"""Tests of mnistpipe.networks."""
