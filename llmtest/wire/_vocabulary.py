"""The words by which providers tell one failure from another, one table for each vendor, read as one.

Gateways pass on the errors of others in their own format, so that whoever reads an error looks for everybody's words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from llmtest.errors import ProviderError

__all__ = ["Vocabulary", "everyone", "forget", "learn"]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What one vendor calls its failures.

    Args:
        codes: Class of error by the code or type that stands in the body.
        too_long: Patterns of messages that say that a prompt does not fit, in the order in which they are tried; groups
            `max` and `asked` are the tokens of the window and of the prompt (`asked` may be a sum: `100 + 20`).
        filtered: Pieces of messages that say that content was refused.
        no_credit: Pieces of messages that say that the account is spent.
    """

    codes: Mapping[str, type[ProviderError]] = field(default_factory=dict)
    too_long: tuple[re.Pattern[str], ...] = ()
    filtered: tuple[str, ...] = ()
    no_credit: tuple[str, ...] = ()


_learnt: list[Vocabulary] = []
_joined: list[Vocabulary] = []


def learn(vocabulary: Vocabulary) -> None:
    """Look for the words of one more vendor from now on."""
    _learnt.append(vocabulary)
    _joined.clear()


def forget(vocabulary: Vocabulary) -> None:
    """Look for them no longer."""
    _learnt.remove(vocabulary)
    _joined.clear()


def everyone() -> Vocabulary:
    """Return the words of all vendors; of two meanings of a code the one that was learnt first counts."""
    if not _joined:
        _joined.append(_join(_learnt))
    return _joined[0]


def _join(vocabularies: Iterable[Vocabulary]) -> Vocabulary:
    codes: dict[str, type[ProviderError]] = {}
    too_long: list[re.Pattern[str]] = []
    filtered: list[str] = []
    no_credit: list[str] = []
    for each in vocabularies:
        for code, kind in each.codes.items():
            codes.setdefault(code, kind)
        too_long += each.too_long
        filtered += each.filtered
        no_credit += each.no_credit
    return Vocabulary(codes, tuple(too_long), tuple(filtered), tuple(no_credit))
