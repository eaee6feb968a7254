"""From any picture of a digit to one like MNIST's."""
