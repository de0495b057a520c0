"""Let the section `Example:` of our docstrings be a section of examples, whatever it holds."""

import re

import griffe


class ExampleSections(griffe.Extension):
    """Renames the section: by that name alone griffe would take it for an admonition, and its prompts for quotes."""

    def on_object(self, *, obj: griffe.Object, **_: object) -> None:
        """Rename it in the docstring of an object that was just read."""
        if obj.docstring is not None:
            obj.docstring.value = re.sub(r"^(\s*)Example:$", r"\1Examples:", obj.docstring.value, flags=re.MULTILINE)
