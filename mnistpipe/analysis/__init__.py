"""What the best network learned."""
