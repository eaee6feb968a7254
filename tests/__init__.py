"""Tests, a file for each module and one for what holds between them."""
