"""Values that look like what their name and format say: Faker's, by the name of a property and by JSON Schema formats.

Nothing here reads a clock: dates are drawn between two fixed days, so that a run of tomorrow says the same as today's.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from random import Random
from threading import local
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from faker import Faker

__all__ = ["Words", "usual_range"]

FIRST = datetime(2020, 1, 1, tzinfo=UTC)
DAYS = 2_400
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


class _Source:
    """What words are drawn from. The list is looked up once and for all: that was most of a text's time."""

    def __init__(self) -> None:
        from faker import Faker

        self.fake = Faker("en_US", use_weighting=False)
        self.fake.seed_instance(0)  # from here on it has dice of its own
        self.dice: Random = self.fake.random
        self.word_list: list[str] = self.fake.get_words_list()


class _Local(local):
    """One source for each thread: two that share one would draw each other's words."""

    source: _Source | None = None


_local = _Local()


def _source() -> _Source:
    source = _local.source
    if source is None:
        source = _local.source = _Source()
    return source


def _sentence(fake: Faker) -> str:
    return str(fake.sentence(nb_words=8))


def _moment(fake: Faker) -> datetime:
    return FIRST + timedelta(seconds=fake.random.randrange(DAYS * 86_400))


def _url(fake: Faker) -> str:
    return f"https://www.example.com/{'/'.join(fake.words(2))}"


def _encoded(fake: Faker) -> str:
    return base64.b64encode(" ".join(fake.words(3)).encode()).decode()


def _digits(fake: Faker, count: int) -> str:
    return "".join(str(fake.random.randrange(10)) for _ in range(count))


FORMATS: Mapping[str, Callable[[Faker], str]] = {
    "date-time": lambda fake: _moment(fake).strftime("%Y-%m-%dT%H:%M:%SZ"),
    "date": lambda fake: _moment(fake).strftime("%Y-%m-%d"),
    "time": lambda fake: _moment(fake).strftime("%H:%M:%SZ"),
    "duration": lambda fake: f"PT{fake.random.randint(1, 59)}M",
    "email": lambda fake: fake.safe_email(),
    "idn-email": lambda fake: fake.safe_email(),
    "hostname": lambda fake: f"{fake.words(1)[0]}.example.com",
    "idn-hostname": lambda fake: f"{fake.words(1)[0]}.example.com",
    "ipv4": lambda fake: f"192.0.2.{fake.random.randint(1, 254)}",
    "ipv4network": lambda fake: f"198.51.{fake.random.randint(100, 101)}.0/24",
    "ipv6": lambda fake: f"2001:db8::{fake.random.randint(1, 0xFFFF):x}",
    "ipv6network": lambda fake: f"2001:db8:{fake.random.randint(1, 0xFFFF):x}::/48",
    "ipvanyaddress": lambda fake: f"192.0.2.{fake.random.randint(1, 254)}",
    "uri": _url,
    "url": _url,
    "iri": _url,
    "uri-reference": lambda fake: "/" + "/".join(fake.words(2)),
    "iri-reference": lambda fake: "/" + "/".join(fake.words(2)),
    "uri-template": lambda fake: f"https://www.example.com/{fake.words(1)[0]}/{{id}}",
    "multi-host-uri": _url,
    "uuid": lambda fake: fake.uuid4(),
    "uuid1": lambda fake: fake.uuid4(),
    "uuid3": lambda fake: fake.uuid4(),
    "uuid4": lambda fake: fake.uuid4(),
    "uuid5": lambda fake: fake.uuid4(),
    "json-pointer": lambda fake: "/" + "/".join(fake.words(2)),
    "relative-json-pointer": lambda fake: f"0/{fake.words(1)[0]}",
    "regex": lambda fake: f"^{fake.words(1)[0]}$",
    "byte": _encoded,
    "base64": _encoded,
    "base64url": _encoded,
    "binary": lambda fake: " ".join(fake.words(3)),
    "password": lambda fake: f"{fake.words(1)[0]}-{_digits(fake, 6)}",
    "path": lambda fake: f"/{fake.words(1)[0]}/{fake.words(1)[0]}.txt",
    "file-path": lambda fake: f"/{fake.words(1)[0]}/{fake.words(1)[0]}.txt",
    "directory-path": lambda fake: f"/{fake.words(1)[0]}/{fake.words(1)[0]}",
    "json-string": lambda fake: f'{{"{fake.words(1)[0]}": {fake.random.randrange(100)}}}',
    "color": lambda fake: fake.color_name().lower(),
    "decimal": lambda fake: f"{fake.random.randint(1, 99_999) / 100:.2f}",
    "phone": lambda fake: f"+1202555{_digits(fake, 4)}",
}
"""How a text of each format is made: those of JSON Schema, and those that pydantic and OpenAPI add."""

NAMES: Mapping[str, Callable[[Faker], str]] = {
    "address": lambda fake: fake.address().replace("\n", ", "),
    "author": lambda fake: fake.name(),
    "birthday": FORMATS["date"],
    "body": lambda fake: fake.paragraph(),
    "category": lambda fake: fake.words(1)[0],
    "city": lambda fake: fake.city(),
    "code": lambda fake: f"{fake.words(1)[0][:3].upper()}-{_digits(fake, 4)}",
    "color": lambda fake: fake.color_name(),
    "colour": lambda fake: fake.color_name(),
    "company": lambda fake: fake.company(),
    "content": lambda fake: fake.paragraph(),
    "country": lambda fake: fake.country(),
    "currency": lambda fake: fake.currency_code(),
    "date": FORMATS["date"],
    "datetime": FORMATS["date-time"],
    "description": _sentence,
    "email": FORMATS["email"],
    "file": FORMATS["path"],
    "filename": lambda fake: f"{fake.words(1)[0]}.txt",
    "first_name": lambda fake: fake.first_name(),
    "host": FORMATS["hostname"],
    "id": lambda fake: f"{fake.words(1)[0]}-{_digits(fake, 6)}",
    "ip": FORMATS["ipv4"],
    "job": lambda fake: fake.job(),
    "key": lambda fake: fake.words(1)[0],
    "language": lambda fake: fake.language_name(),
    "last_name": lambda fake: fake.last_name(),
    "link": _url,
    "location": lambda fake: fake.city(),
    "name": lambda fake: fake.name(),
    "occupation": lambda fake: fake.job(),
    "path": FORMATS["path"],
    "phone": FORMATS["phone"],
    "postcode": lambda fake: fake.postcode(),
    "query": lambda fake: " ".join(fake.words(3)),
    "slug": lambda fake: "-".join(fake.words(2)),
    "state": lambda fake: fake.state(),
    "street": lambda fake: fake.street_address(),
    "surname": lambda fake: fake.last_name(),
    "tag": lambda fake: fake.words(1)[0],
    "time": lambda fake: _moment(fake).strftime("%H:%M"),
    "timestamp": FORMATS["date-time"],
    "title": lambda fake: " ".join(fake.words(3)).capitalize(),
    "uri": _url,
    "url": _url,
    "user": lambda fake: fake.user_name(),
    "username": lambda fake: fake.user_name(),
    "uuid": FORMATS["uuid"],
    "website": _url,
    "word": lambda fake: fake.words(1)[0],
    "zip": lambda fake: fake.postcode(),
    "zipcode": lambda fake: fake.postcode(),
}
"""How a text is made for a property of this name, or whose name ends in it."""

RANGES: Mapping[str, tuple[float, float]] = {
    "age": (18, 90),
    "amount": (1, 1_000),
    "confidence": (0, 1),
    "count": (1, 20),
    "day": (1, 28),
    "hour": (0, 23),
    "latitude": (-90, 90),
    "longitude": (-180, 180),
    "minute": (0, 59),
    "month": (1, 12),
    "percent": (0, 100),
    "percentage": (0, 100),
    "port": (1_024, 65_535),
    "price": (1, 1_000),
    "probability": (0, 1),
    "quantity": (1, 20),
    "rating": (1, 5),
    "score": (0, 1),
    "second": (0, 59),
    "temperature": (-10, 35),
    "total": (1, 1_000),
    "year": (1990, 2026),
}
"""Where a number of this name usually lies."""


def _keys(name: str) -> list[str]:
    """Return what a property's name is looked up by: all of it, then its last two words, then its last."""
    words = [word.lower() for word in _WORD.findall(name)]
    found = ["_".join(words), "_".join(words[-2:]), *words[-1:]]
    return found + [each[:-1] for each in found if each.endswith("s")]


class Words:
    """Everything that is invented, drawn from one seed. The only file that knows Faker.

    Args:
        seed: The seed; the same seed gives the same words.
    """

    def __init__(self, seed: int) -> None:
        source = _source()
        self._fake = source.fake
        self._word_list = source.word_list
        self.dice: Random = source.dice
        """Where every other choice comes from."""
        self.dice.seed(seed)

    def words(self, count: int) -> list[str]:
        """Return so many words, drawn as Faker itself draws them."""
        if count == 1:
            return [self.dice.choice(self._word_list)]
        return self.dice.choices(self._word_list, k=count)

    def sentence(self) -> str:
        """Return a short sentence."""
        return _sentence(self._fake)

    def text_by_format(self, name: str) -> str | None:
        """Return a text of a format; None where it is none that is known."""
        make = FORMATS.get(name)
        return None if make is None else make(self._fake)

    def text_by_name(self, name: str) -> str:
        """Return a text for a property of this name; a short sentence where the name says nothing."""
        make = next((NAMES[key] for key in _keys(name) if key in NAMES), _sentence)
        return make(self._fake)


def usual_range(name: str) -> tuple[float, float] | None:
    """Return where a number of this name usually lies; None where the name says nothing."""
    return next((RANGES[key] for key in _keys(name) if key in RANGES), None)
