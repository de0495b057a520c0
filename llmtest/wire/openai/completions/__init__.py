"""What legacy completions say: a prompt, and texts that go on from it."""
