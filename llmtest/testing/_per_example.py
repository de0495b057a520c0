"""A world of its own for every input that Hypothesis tries."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from datetime import date
from typing import Any, overload

from llmtest.errors import ConfigurationError
from llmtest.testing._simulation import Simulation

__all__ = ["simulation_per_example"]

Test = Callable[..., Any]


@overload
def simulation_per_example(test: Test, /) -> Test: ...


@overload
def simulation_per_example(
    *, seed: int = 0, strict: bool = True, start: str | date | None = None
) -> Callable[[Test], Test]: ...


def simulation_per_example(
    test: Test | None = None, /, *, seed: int = 0, strict: bool = True, start: str | date | None = None
) -> Any:
    """Give every call of a function a new `Simulation`, as its argument `llm_sim`.

    Hypothesis calls a test many times, and a fixture is made once for all of them: scripts, trace and time would go on
    from one example to the next. Put this below `@given`. A coroutine function runs on the virtual loop.

    Args:
        test: The function; it has a parameter `llm_sim`, which pytest does not see any more.
        seed: Decides every random choice in each world; any integer.
        strict: Whether steps that were never played fail the example.
        start: The date on which virtual time begins in each; as for `Simulation`.

    Returns:
        The function without that parameter.

    Raises:
        ConfigurationError: The function has no parameter `llm_sim`.

    Example:
        >>> @simulation_per_example
        ... def asks(llm_sim, prompt):
        ...     llm_sim.openai.echoes()
        ...     return llm_sim.openai.as_provider("gpt-4o").complete(prompt).content
        >>> asks(prompt="Capital of France?")
        'Capital of France?'
    """
    if test is None:
        return functools.partial(_wrapped, seed=seed, strict=strict, start=start)
    return _wrapped(test, seed=seed, strict=strict, start=start)


def _wrapped(test: Test, **options: Any) -> Test:
    signature = inspect.signature(test)
    if "llm_sim" not in signature.parameters:
        raise ConfigurationError(
            f"`{test.__name__}` has no parameter `llm_sim`, so its simulations would be nobody's.\n"
            f"To fix: def {test.__name__}(llm_sim, ...), below `@given` and `@simulation_per_example`."
        )

    place = list(signature.parameters).index("llm_sim")

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> Any:
        with Simulation(**options, name="simulation_per_example") as sim:
            if len(args) >= place:
                result = test(*args[:place], sim, *args[place:], **kwargs)
            else:
                result = test(*args, llm_sim=sim, **kwargs)
            return sim.run(result) if inspect.iscoroutine(result) else result

    left = [parameter for name, parameter in signature.parameters.items() if name != "llm_sim"]
    run.__signature__ = signature.replace(parameters=left)  # type: ignore[attr-defined]  # what pytest and Hypothesis read
    del run.__wrapped__  # it would show the parameter again
    return run
