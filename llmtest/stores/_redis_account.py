"""What a budget and a ledger in Redis share: the server, numbers of their own, one error for all trouble with it."""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from typing import Any

from llmtest.errors import ConfigurationError
from llmtest.stores._redis_server import Script, server_of

__all__ = ["RedisAccount"]

ONCE_MS = 600_000
"""How long the server remembers what it has done: longer than a client tries the same again."""


class RedisAccount:
    """An account on a server, under one namespace.

    A request whose answer is lost is sent again, so everything that is added has a number: the server does it once.

    Args:
        url: The server.
        namespace: Begins the name of every key.
        timeout: Seconds to wait for a connection and for an answer, above 0.
        kind: What is kept: `budget` or `ledger`.
        store: The class that keeps it, for errors.

    Raises:
        ConfigurationError: The URL is none of Redis, a value is out of range, or `redis` is not installed.
    """

    def __init__(self, url: str, namespace: str, timeout: float, kind: str, store: str) -> None:
        self.url, self.namespace, self.timeout = url, namespace, timeout
        self._server = server_of(url, namespace, timeout)
        self._kind, self._store = kind, store
        self._prefix = f"{{{namespace}:{kind}}}:"
        self._run = (0, 0)
        self._numbers = itertools.count(1)

    def key(self, name: str) -> str:
        """Return the key of something; all keys of one account are on one node of a cluster."""
        return self._prefix + name

    def number(self) -> tuple[int, int]:
        """Return the number of this process on the server, and one that it has not used yet.

        Raises:
            ConfigurationError: The server cannot be asked.
        """
        owner, run = self._run
        if owner != os.getpid():
            run = int(self.ask("incr", self.key("runs")))
            self._run, self._numbers = (os.getpid(), run), itertools.count(1)
        return run, next(self._numbers)

    def once(self) -> str:
        """Return a key that stands for one thing to do; the server does it if there is no such key."""
        run, number = self.number()
        return self.key(f"done:{run}:{number}")

    def ask(self, command: str, *arguments: Any) -> Any:
        """Do one command.

        Raises:
            ConfigurationError: The server cannot be asked.
        """
        try:
            return getattr(self._server.client, command)(*arguments)
        except self._server.failures as error:
            raise self._unusable(error) from error

    def run(self, script: Script, keys: Sequence[str], arguments: Sequence[str | bytes | int]) -> Any:
        """Run a script.

        Raises:
            ConfigurationError: The server cannot be asked.
        """
        try:
            return self._server.run(script, keys, arguments)
        except self._server.failures as error:
            raise self._unusable(error) from error

    def damaged(self, what: str) -> ConfigurationError:
        """Return the error of something that cannot be read."""
        return ConfigurationError(
            f"the {self._kind} `{self.namespace}` in Redis at `{self._address}` is damaged: {what} cannot be read.\n"
            "To fix: restore it on the server, or use another namespace, which knows of no spending."
        )

    def close(self) -> None:
        """Close the connections; the next operation opens them again."""
        self._server.close()

    @property
    def _address(self) -> str:
        given = self._server.client.connection_pool.connection_kwargs
        return str(given.get("path") or f"{given.get('host', 'localhost')}:{given.get('port', 6379)}")

    def _unusable(self, error: Exception) -> ConfigurationError:
        why = str(error).rstrip(".") or type(error).__name__
        return ConfigurationError(
            f"the {self._kind} `{self.namespace}` in Redis at `{self._address}` cannot be used: {why}.\n"
            f"To fix: start the server, correct the URL, or wait longer: {self._store}(url, timeout=10)."
        )
