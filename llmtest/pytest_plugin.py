"""The pytest plugin: hooks, fixtures and markers."""
