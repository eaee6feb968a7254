"""Tests of mnistpipe.scoring."""
