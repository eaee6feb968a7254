"""What everything stands on: files, parameters and errors."""
