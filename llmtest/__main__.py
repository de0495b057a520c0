"""`python -m llmtest` is the command `llmtest`."""

from llmtest.cli import main

if __name__ == "__main__":
    main()
