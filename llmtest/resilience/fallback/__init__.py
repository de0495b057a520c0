"""From one slot of a chain to the next."""
