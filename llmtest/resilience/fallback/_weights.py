"""Weights that change while a chain runs: traffic that is shifted from one place to another."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches

from llmtest.errors import ConfigurationError
from llmtest.resilience.fallback._slot import is_weight
from llmtest.resilience.fallback._start_slots import slot_names
from llmtest.resilience.fallback._strategies import Places, Shared
from llmtest.resilience.pipeline._layers import Selection

__all__ = ["change_weights"]


def change_weights(chain: str, selection: Selection, places: Places, weights: Mapping[str, float]) -> None:
    """Give some places of a chain another weight, all at once.

    Args:
        chain: Its name.
        selection: Who is asked, as the chain's strategy says.
        places: Every place.
        weights: The new weight by the name of the slot; who is not named keeps his.

    Raises:
        ConfigurationError: The strategy goes by no weights, a slot is none, a weight is out of range, or nobody would
            be asked; everything that is wrong is in one text, and nothing has changed.
    """
    if not isinstance(selection, Shared):
        raise ConfigurationError(
            f"chain `{chain}` does not go by weights, so that none can be changed.\n"
            'To fix: FallbackChain(..., strategy="weighted")'
        )
    names = slot_names([place.config for place in places])
    wrong = [_unknown(name, names) for name in weights if name not in names]
    wrong += [
        f"the weight of `{name}` is a number of 0 or more, got {weight!r}"
        for name, weight in weights.items()
        if not is_weight(weight)
    ]
    after = [weights.get(name, place.weight) for name, place in zip(names, places, strict=True)]
    if not wrong and not any(after):
        wrong = ["every slot would have the weight 0, so that nobody would be asked"]
    if wrong:
        now = ", ".join(f'"{name}": {place.weight:g}' for name, place in zip(names, places, strict=True))
        raise ConfigurationError(
            f"the weights of chain `{chain}` stay as they are: {'; '.join(wrong)}.\n"
            f"To fix: go by these, which it has now: set_weights({{{now}}})"
        )
    selection.reweigh([float(weight) for weight in after])


def _unknown(name: str, names: list[str]) -> str:
    near = get_close_matches(str(name), names, n=1)
    return f"it has no slot `{name}`" + (f" (did you mean `{near[0]}`?)" if near else "")
