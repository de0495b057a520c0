"""What every test of recorded traffic does: sort it, make parameters of it, and read streams in pieces."""

import random

import pytest


def kind_of(one) -> str:
    """Tell which test an interaction belongs to."""
    return "error" if one.status >= 400 else "stream" if one.streamed else "answer"


def cases(interactions, kind=None):
    """Return the interactions of one kind, or all, as parameters."""
    return [pytest.param(one, id=str(one)) for one in interactions if kind in (None, kind_of(one))]


def decode_stream(endpoint, body, size):
    """Decode a stream in pieces of `size` bytes; return its events."""
    return decode_pieces(endpoint, [body[start : start + size] for start in range(0, len(body), size)])


def decode_at_random(endpoint, body, seed):
    """Decode a stream cut at random bytes; return its events."""
    chance = random.Random(seed)
    cuts = sorted(chance.randrange(len(body) + 1) for _ in range(20))
    return decode_pieces(endpoint, [body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True)])


def decode_pieces(endpoint, pieces):
    """Decode a stream that comes in such pieces; return its events."""
    decoder = endpoint.stream_decoder({})
    events = [event for piece in pieces for event in decoder.feed(piece)]
    assert decoder.done
    return events + decoder.close()
