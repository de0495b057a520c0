"""What happens to one call: attempts, streams, marks, and the bill of what was cut off."""
