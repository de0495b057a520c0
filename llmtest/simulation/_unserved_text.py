"""What is simulated of each API, and what is said, with a way out, where a request goes elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING

from llmtest.errors import HarnessError, SimulationStateError
from llmtest.simulation._call_site import call_site
from llmtest.simulation._script_texts import handle_text
from llmtest.wire import default_dialect

if TYPE_CHECKING:
    from llmtest.simulation._provider import SimulatedProvider
    from llmtest.simulation.plan._plan import Exchange
    from llmtest.wire import Dialect, Match

__all__ = ["served", "unserved"]


def unserved(provider: SimulatedProvider, match: Match, exchange: Exchange) -> HarnessError:
    """Make the error of a request that nobody here answers: an endpoint that is not simulated, or a whole API."""
    name = provider.name
    method, path = exchange.method, exchange.path
    if match.is_native:
        port = "" if exchange.port in {80, 443} else f":{exchange.port}"
        host = f"{exchange.host}{port}"
        root = next(iter(provider.dialect.mounts), "")
        client = f"an {default_dialect().title} client"
        way = f'have the code use that one: base_url="{exchange.scheme}://{host}{root}" with {client}'
        return SimulationStateError(
            f"`{name}` received a request to its native API, which is not simulated.\n\n"
            f"{_facts(method, path)}\n"
            f"  simulated: its {match.dialect.spoken.title} API, below {root}\n\n"
            + _fixes(
                way,
                _by_script(provider, method, path),
                _not_there(provider, method, path),
                _RECORD,
                _pass(name, host),
            )
        )
    instead = "" if match.unserved is None else match.unserved.instead
    ways = [instead] if instead else []
    ways += (_by_script(provider, method, path), _not_there(provider, method, path))
    if provider.world.fixture == IN_PROCESS:
        ways += (_RECORD, _pass(name, exchange.host))
    return SimulationStateError(
        f"`{name}` received a request to an endpoint that is not simulated.\n\n"
        f"{_facts(method, path)}\n"
        f"  simulated: {served(match.dialect, path)}\n\n" + _fixes(*ways)
    )


def _by_script(provider: SimulatedProvider, method: str, path: str) -> str:
    """Return how a test answers an endpoint itself."""
    return f"answer it by a script: {_rule(provider, method, path)}.replies(Json({{}}))"


def _not_there(provider: SimulatedProvider, method: str, path: str) -> str:
    """Return how a test lets an endpoint be missing, for code that has a way around it."""
    return f"let it be missing, as the code may expect: {_rule(provider, method, path)}.fails(status=404)"


def _rule(provider: SimulatedProvider, method: str, path: str) -> str:
    fixture = provider.world.fixture
    # On a port a provider may be named by the first part of the path, which is not its own.
    below = path.removeprefix(f"/{provider.name}") if fixture != IN_PROCESS else path
    return f'{handle_text(provider.name, fixture)}.on("{method}", "{below or "/"}")'


MOST_SHOWN = 6


def served(dialect: Dialect, path: str) -> str:
    """Return what of a dialect is simulated, as a sentence lists it: what is most like a path, where it is much."""
    labels = [endpoint.label for endpoint in dialect.endpoints]
    if len(labels) <= MOST_SHOWN:
        return ", ".join(labels)
    near = get_close_matches(path, [label.partition(" ")[2] for label in labels], n=MOST_SHOWN - 2, cutoff=0.5)
    main = [each.label for each in dialect.endpoints if each.gives != "json"]
    shown = dict.fromkeys([*(label for label in labels if label.partition(" ")[2] in near), *main])
    first = list(shown)[:MOST_SHOWN]
    return f"{', '.join(first)}, and {len(labels) - len(first)} more"


IN_PROCESS = "llm_sim"
_RECORD = "replay a recorded session, which can hold any endpoint: @pytest.mark.llm_cassette"


def _facts(method: str, path: str) -> str:
    site = call_site()
    return f"  {method} {path}" + (f"   from {site}" if site else "")


def _pass(provider: str, host: str) -> str:
    name = host.partition(":")[0]
    return f'let the host answer itself: llm_sim.allow("{name}")   ({handle_text(provider)} then sees nothing)'


def _fixes(*ways: str) -> str:
    listed: Sequence[str] = [f"  {number}. {way}" for number, way in enumerate(ways, 1)]
    return "To fix, one of:\n" + "\n".join(listed)
