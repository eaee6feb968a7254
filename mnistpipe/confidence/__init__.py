"""How sure the networks are: of their own answers, and of the labels."""
