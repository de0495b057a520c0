"""The way to a simulated provider without HTTP."""
