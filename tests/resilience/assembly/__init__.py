"""Tests of `llmtest.resilience.assembly`."""
