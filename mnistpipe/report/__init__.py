"""The study's summary and its report."""
