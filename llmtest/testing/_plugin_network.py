"""`llmtest_block_network`: no live request in any test, from before the first import of a test module."""
