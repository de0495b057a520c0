"""The command `llmtest`: one file per command, nothing imported before it is needed."""

__all__ = ["main"]


def main() -> None:
    """Run the command line."""
    from llmtest.cli._app import run

    run()
