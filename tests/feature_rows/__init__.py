"""The rows of `tests/test_features.py`, by what they are about."""
