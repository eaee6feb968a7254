"""What blur and rotation do to the networks."""
