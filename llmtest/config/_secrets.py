"""Keys in files: where they come from (`env:`, `file:`, a source of your own), and how none of them is ever shown."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from llmtest.config._nearest import did_you_mean, known
from llmtest.errors import ConfigurationError
from llmtest.wire import dialects

if TYPE_CHECKING:
    from llmtest.config._document import Document, Location

__all__ = ["MASK", "Key", "LiteralKeyWarning", "Secret", "hidden", "secret_values", "warn_of_literals"]

MASK = "***"
SECRET_KEYS = frozenset({"api_key", "auth_token", "client_secret", "session_token", "refresh_token", "password"})
"""Keys of a file whose values are secret."""
SHARED = "shared"
"""A key of a file whose address may hold a password."""
WITH_PASSWORD = re.compile(r"//[^/@]*:[^/@]+@")
SECRET_VARIABLE = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL", re.IGNORECASE)
SHORTEST = 6
"""Characters of a key at least; shorter texts would be found in every second word."""
GROUP = "llmtest.secrets"
_REFERENCE = re.compile(r"([a-z][a-z0-9_]*):(?!//)(.+)", re.DOTALL)


class LiteralKeyWarning(UserWarning):
    """A file holds a key in plain text, where whoever reads the file reads the key."""


class Secret:
    """A key, or where it is: shown as its source, never as itself.

    Args:
        value: The key itself, a reference (`env:NAME`, `file:PATH`, `SOURCE:REST`), or a mapping with a `source`.

    Raises:
        ValueError: It is none of these.
    """

    __slots__ = ("_source", "_value")

    def __init__(self, value: object) -> None:
        if isinstance(value, Mapping):
            source = value.get("source")
            if not isinstance(source, str) or not source:
                raise ValueError("names no `source`; write `env:NAME`, `file:PATH`, or `{source: env, name: NAME}`")
            self._source: str | None = source
            self._value: Any = {str(key): each for key, each in value.items() if key != "source"}
            return
        if not isinstance(value, str) or not value.strip():
            raise ValueError("is not a text; write `${NAME}`, `env:NAME` or `file:PATH`")
        found = _REFERENCE.fullmatch(value)
        self._source = found[1] if found and (found[1] in {"env", "file"} or found[1] in _sources()) else None
        self._value = found[2].strip() if found and self._source else value

    def __repr__(self) -> str:
        shown = self._value if self._source in {"env", "file"} and isinstance(self._value, str) else MASK
        return f"Secret({MASK})" if self._source is None else f"Secret({self._source}:{shown})"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and (self._source, self._value) == (other._source, other._value)

    __hash__ = None  # type: ignore[assignment]  # a mapping may be in it

    @property
    def is_literal(self) -> bool:
        """Whether it is the key itself."""
        return self._source is None

    def reveal(self, environment: Mapping[str, str] | None = None, folder: Path | None = None) -> str:
        """Return the key.

        Args:
            environment: What `env:` reads; None takes the environment of the process.
            folder: What a path is relative to; None: the current folder.

        Raises:
            ConfigurationError: It is not where the reference says, or there is no such source.
        """
        if self._source is None:
            return str(self._value)
        if self._source == "env":
            return _of_environment(self._named("name"), os.environ if environment is None else environment)
        if self._source == "file":
            return _of_file((folder or Path()) / self._named("path"))
        return self._of_source(self._source)

    def _named(self, key: str) -> str:
        value = self._value.get(key) if isinstance(self._value, dict) else self._value
        if not isinstance(value, str) or not value:
            raise ConfigurationError(f"the source `{self._source}` needs `{key}`, such as `{self._source}:...`")
        return value

    def _of_source(self, source: str) -> str:
        found = _sources().get(source)
        if found is None:
            names = ["env", "file", *_sources()]
            raise ConfigurationError(
                f"no source of secrets `{source}`.{did_you_mean(source, names)}{known('sources', names)}\n"
                f"To fix: install a package with the entry point `{source}` in the group `{GROUP}`, or write "
                "`env:NAME` or `file:PATH`"
            )
        try:
            value = found.load()(self._value)
        except ConfigurationError:
            raise
        except Exception as error:
            raise ConfigurationError(
                f"the source of secrets `{source}` failed: {type(error).__name__}: {error}"
            ) from error
        if not isinstance(value, str) or not value:
            raise ConfigurationError(f"the source of secrets `{source}` gave no text, but {type(value).__name__}")
        return value


def _key(value: Any) -> Secret:
    return value if isinstance(value, Secret) else Secret(value)


_SOURCED = {"type": "object", "properties": {"source": {"type": "string"}}, "required": ["source"]}
Key = Annotated[
    Secret, BeforeValidator(_key), WithJsonSchema({"anyOf": [{"type": "string", "minLength": 1}, _SOURCED]})
]
"""A key, or where it is."""


def _of_environment(name: str, variables: Mapping[str, str]) -> str:
    value = variables.get(name)
    if not value:
        raise ConfigurationError(
            f"the environment variable `{name}` is not set.{did_you_mean(name, variables)}\nTo fix: export {name}=..."
        )
    return value


def _of_file(path: Path) -> str:
    try:
        value = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not a text in UTF-8"
        raise ConfigurationError(f"the file `{path}` of a key cannot be read: {reason}") from None
    if not value:
        raise ConfigurationError(f"the file `{path}` of a key is empty")
    return value


def _sources() -> dict[str, Any]:
    return {each.name: each for each in entry_points(group=GROUP)}


def _secrets(value: Any, location: Location = ()) -> Iterator[tuple[Location, Any, Mapping[str, Any]]]:
    """Yield every value under a key that is secret, with the mapping around it."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key in SECRET_KEYS and not isinstance(item, dict):
                yield (*location, key), item, value
            elif key == SHARED:
                url = item.get("url") if isinstance(item, dict) else item
                if isinstance(url, str) and WITH_PASSWORD.search(url):
                    yield (*location, key, *(["url"] if isinstance(item, dict) else [])), url, value
            else:
                yield from _secrets(item, (*location, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _secrets(item, (*location, index))


def secret_values(data: Any) -> set[str]:
    """Return the keys that data holds in plain text, as far as they are long enough to be told from words."""
    return {str(value).strip() for _, value, _ in _secrets(data) if value and len(str(value).strip()) >= SHORTEST}


def hidden(text: str, secrets: set[str]) -> str:
    """Return a text without secrets."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, MASK)
    return text


def warn_of_literals(document: Document, stacklevel: int = 2) -> None:
    """Warn of every key that a file holds in plain text, with its line.

    A provider that needs no key has none that could be stolen, and no key is as short as a word of a test.

    Args:
        document: The file as it was written, before variables are replaced.
        stacklevel: Whose line the warning names, from here.
    """
    for location, value, around in _secrets(document.data):
        if not isinstance(value, str) or "${" in value or len(value.strip()) < SHORTEST:
            continue
        if not Secret(value).is_literal:
            continue
        name = around.get("provider")
        dialect = dialects().get(name) if isinstance(name, str) else None
        if dialect is not None and not dialect.needs_key:
            continue
        variable = dialect.variables.keys[0] if dialect is not None and dialect.variables.keys else "API_KEY"
        if SHARED in location:
            variable = "REDIS_URL"
        at = ":".join(str(part) for part in (document.path, document.line_of(location)) if part is not None)
        warnings.warn(
            f"{at}: `{location[-1]}` is written in the file in plain text, where everybody who reads the file reads "
            f"it.\nTo fix: {location[-1]}: ${{{variable}}}",
            LiteralKeyWarning,
            stacklevel=stacklevel + 1,
        )
