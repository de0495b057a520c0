"""A file that is there already, written again in the form that it has, with some of its interactions changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from llmtest.cassettes._document import Document
from llmtest.cassettes._forms import Form, form_for
from llmtest.cassettes._interactions import Interaction
from llmtest.cassettes._redaction import Redactor
from llmtest.cassettes._saving import replace_file, save_cassette
from llmtest.cassettes._yaml import dump_as_vcrpy, load_yaml
from llmtest.errors import CassetteFileError


def rewrite(
    document: Document,
    text: str,
    interactions: list[Interaction],
    edit: Callable[[list[Any]], None],
    redactor: Redactor,
    *,
    done: str,
    advice: str,
) -> None:
    """Write a cassette in its place, at once.

    What vcrpy wrote stays as vcrpy writes it, keys and metadata of others included; what has parsed bodies keeps them.

    Args:
        document: The cassette as it is.
        text: The text of its file.
        interactions: What it is to hold, for the forms that are written here.
        edit: Does the same to the entries of vcrpy's form, in place.
        redactor: What is kept off the disk.
        done: What is done to it, for errors: `scrubbed`.
        advice: What to do with it once it is converted: `scrub what it writes`.

    Raises:
        CassetteFileError: It cannot be written, or it is the file of a tool whose form is not written here.
    """
    path = Path(document.path)
    if document.tool:
        raise CassetteFileError(
            f"{path}: {document.tool} has recorded this file, whose form is not written here.\n"
            f"To fix: llmtest cassette convert {path}, and {advice}."
        )
    form: Form | None = "parsed_body" if document.has_parsed_bodies else None
    if document.is_ours or form is not None:
        save_cassette(path, interactions, redactor, form)
        return
    in_json = form_for(path, None) == "json"
    loaded = json.loads(text.removeprefix("\ufeff")) if in_json else load_yaml(text, document.path)
    edit(loaded["interactions"])
    write: Callable[[Any], str] = (lambda value: json.dumps(value, indent=4)) if in_json else dump_as_vcrpy
    try:
        replace_file(path, write(loaded))
    except (TypeError, ValueError) as error:  # a value that JSON or YAML cannot have: a tag for which nothing is run
        raise CassetteFileError(
            f"{path}: not {done}: it holds something that cannot be written again ({error}).\n"
            f"To fix: llmtest cassette convert {path}, and {advice}."
        ) from error
