"""Tests of `llmtest.resilience.context` and of chat sessions."""
