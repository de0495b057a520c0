"""Price files: what models cost that the published list does not know, or that cost you something else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from llmtest.config._document import Document, read_document
from llmtest.config._price_sections import PriceFileSection
from llmtest.config._validation import validate
from llmtest.costs import Prices, simulated_prices

__all__ = ["load_prices", "prices_in", "with_prices_of"]


def load_prices(
    path: str | Path, *, over: Prices | None = None, environment: Mapping[str, str] | None = None
) -> Prices:
    """Read a price file.

    Args:
        path: YAML, or TOML if it ends in `.toml`.
        over: What the file's prices are laid over, and what is not changed; default: the published prices.
        environment: What `${VAR}` in the file reads; None takes the environment of the process.

    Returns:
        A list of its own, for `Simulation(prices=...)`, `Budget(prices=...)`, `FallbackChain(prices=...)`.

    Raises:
        ScenarioError: Anything is wrong with the file; the text has file, line, the nearest valid thing, the way out.

    Example:
        >>> prices = load_prices("prices.toml")  # doctest: +SKIP
    """
    document = read_document(path, environment=environment, least="`prices:`")
    return with_prices_of(validate(PriceFileSection, document), over)


def with_prices_of(section: PriceFileSection, over: Prices | None = None) -> Prices:
    """Return the prices of a file, laid over others.

    Args:
        section: The file, read and checked.
        over: What they are laid over; None: the published prices.
    """
    if section.simulated is not None:
        prices = simulated_prices(section.simulated)
    else:
        prices = Prices() if over is None else over.copy()
    for model, each in (section.prices or {}).items():
        for price in each:
            prices.add(model, **price.arguments)
    for provider in section.free or ():
        prices.add_free(provider)
    for name, provider in (section.aliases or {}).items():
        prices.alias(name, provider)
    return prices


def prices_in(given: str | PriceFileSection, document: Document, over: Prices | None) -> Prices:
    """Return the prices of a chain: those that its file holds, or those of the file that it names.

    Args:
        given: The section, or the path of a price file, from the folder of the document on.
        document: The chain's file.
        over: What they are laid over.

    Raises:
        ScenarioError: The price file is wrong.
    """
    if not isinstance(given, str):
        return with_prices_of(given, over)
    folder = Path() if document.path is None else Path(document.path).parent
    return load_prices(folder / given, over=over, environment=document.environment)
