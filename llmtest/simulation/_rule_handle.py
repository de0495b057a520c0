"""What a test writes a script with: replies, failures, and the requests that they are for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Self

from llmtest.errors import ConfigurationError
from llmtest.faults import Fault
from llmtest.faults._nearest_fault import fault_meant, fault_with_status
from llmtest.simulation._call_site import declaration_site
from llmtest.simulation._engine import Engine
from llmtest.simulation._service_steps import check_fits, not_there, operation_at, sayable
from llmtest.simulation.script._criteria import criteria
from llmtest.simulation.script._generated_answer import Generated, echo
from llmtest.simulation.script._instead import instead_of
from llmtest.simulation.script._reply import Answerable, Reply, as_arguments, prepare
from llmtest.simulation.script._script import Content, Rule
from llmtest.simulation.script._service_answers import Embedding, Json, Raw
from llmtest.simulation.script._windows import Window, window_ns
from llmtest.types import CompletionRequest, ToolCall
from llmtest.types._spelling import did_you_mean, words_tell_near_arguments

__all__ = ["RuleHandle"]

LABEL_LENGTH = 40
SOMETHING = prepare("")
"""Any answer to a conversation."""


def _shown(text: str) -> str:
    return repr(text if len(text) <= LABEL_LENGTH else text[: LABEL_LENGTH - 3] + "...")


def _label(reply: Any) -> str:
    """Return a step as error texts show it."""
    if isinstance(reply, str):
        return f"replies({_shown(reply)})"
    if isinstance(reply, Reply):
        if reply.tool_calls:
            names = ", ".join(_shown(call.name) for call in reply.tool_calls)
            return f"calls_tool({names})" if len(reply.tool_calls) == 1 else f"calls_tools({names})"
        return f"replies(Reply({_shown(reply.text or '')}))"
    return f"replies({getattr(reply, '__name__', type(reply).__name__)})"


@words_tell_near_arguments
class RuleHandle:
    """Writes the script for the requests that a rule is for.

    Every method returns the handle it was called on, so that steps chain; `when` returns a handle of its own.
    """

    def __init__(self, engine: Engine, rule: Rule) -> None:
        self._engine = engine
        self._rule = rule

    if not TYPE_CHECKING:  # A type checker shall go on to know every name.

        def __getattr__(self, name: str) -> Any:
            """List what there is: `reply` for `replies` is a slip of everybody's."""
            known = [word for word in dir(type(self)) if not word.startswith("_")]
            hint = did_you_mean(name, known)
            text = f"a provider's handle has no `{name}`.{hint} It has: {', '.join(known)}."
            raise AttributeError(text, name=name, obj=self)

    def replies(self, *replies: Answerable, times: int | None = 1, optional: bool = False) -> Self:
        """Answer the next requests, one each.

        Args:
            replies: Texts, `Reply` objects, or functions of the request that return either, or a fault. Of what is no
                conversation: `Embedding`, and `Json` or `Raw` for any request.
            times: How often the whole row is played: `replies(a, b, times=2)` answers a, b, a, b. 1 or more; None
                plays the row once and repeats its last answer for ever.
            optional: Whether the test may end without these steps.

        Raises:
            ConfigurationError: Nothing to say, a wrong type or finish reason, `times` below 1, or a step never reached.
        """
        if not replies:
            raise ConfigurationError('replies() needs at least one reply.\n\nTo fix: replies("Paris")')
        steps: list[tuple[Content, str]] = []
        for each in replies:
            reply: Any = each
            if isinstance(reply, str | Reply):
                steps.append((sayable(self._engine, prepare(reply)), _label(reply)))
                continue
            if isinstance(reply, Embedding | Json | Raw):
                steps.append((reply, f"replies({type(reply).__name__})"))
                continue
            if isinstance(reply, Fault | type) or not callable(reply):
                raise ConfigurationError(
                    f"replies() takes texts, Reply, Embedding, Json and Raw objects, and functions, got {reply!r}.\n\n"
                    f"To fix: {instead_of(reply)}"
                )
            steps.append((reply, _label(reply)))
        return self._add(steps, times=times, optional=optional)

    def calls_tool(
        self,
        name: str,
        arguments: Mapping[str, Any] | str | None = None,
        times: int | None = 1,
        *,
        optional: bool = False,
    ) -> Self:
        """Answer the next request with one tool call.

        Args:
            name: Name of the tool.
            arguments: A mapping, or JSON text that goes out as it is, malformed text included.
            times: How often; 1 or more, None: for ever.
            optional: Whether the test may end without this step.
        """
        reply = Reply(tool_calls=(ToolCall("", name, as_arguments({} if arguments is None else arguments)),))
        return self._add([(prepare(reply), _label(reply))], times=times, optional=optional)

    def calls_tools(
        self, *calls: ToolCall, text: str | None = None, times: int | None = 1, optional: bool = False
    ) -> Self:
        """Answer the next request with several tool calls.

        Args:
            calls: The calls; an empty id gets one in the provider's form.
            text: What is said beside them.
            times: How often; 1 or more, None: for ever.
            optional: Whether the test may end without this step.

        Raises:
            ConfigurationError: No call is given.
        """
        if not calls:
            raise ConfigurationError(
                'calls_tools() needs at least one call.\n\nTo fix: calls_tools(ToolCall("", "search", \'{"q": "x"}\'))'
            )
        reply = Reply(text, tool_calls=calls)
        return self._add([(prepare(reply), _label(reply))], times=times, optional=optional)

    def fails(
        self,
        fault: Fault | None = None,
        times: int | None = 1,
        *,
        status: int | None = None,
        for_: Window | None = None,
        optional: bool = False,
    ) -> Self:
        """Let the next requests fail.

        A fault that lets an answer begin (`SlowFirstToken`, the stream faults, `MalformedBody`) breaks the default of
        the handle (`echoes`, `generates`), else filler text; a text of yours it breaks as
        `replies(Reply("text", fault=...))`.

        Args:
            fault: What happens, from `llmtest.faults`.
            times: How often; 1 or more, None: for ever.
            status: Instead of a fault, the one that answers with a status: 400 to 599. 404 at an endpoint that is not
                simulated (`on`) says that it is not there, as the API says it.
            for_: How long instead, above 0: `"60s"`, `"1m30s"`, seconds, or a `timedelta`. Every request meanwhile
                fails; then the next step is played. It begins now, or when the step before it is used up.
            optional: Whether the test may end without this step.

        Raises:
            ConfigurationError: Not a fault, `times` below 1, no duration, both of these, or a step that is never
                reached.

        Example:
            >>> sim.openai.fails(ServerError(503), for_="60s").replies("back again")  # doctest: +SKIP
        """
        if fault is None and status is not None:
            fault = not_there(self._rule.criteria.operation, self._engine, status) or fault_with_status(status)
        elif status is not None:
            raise ConfigurationError(
                f"fails: {fault!r} and status={status!r} say two different things.\n\nTo fix: leave one of them out"
            )
        given: Any = fault
        if not isinstance(given, Fault):
            name = given.__name__ if isinstance(given, type) else repr(given)
            raise ConfigurationError(
                f"fails() takes a fault of llmtest.faults, got {name}.\n\nTo fix: fails(faults.{fault_meant(given)})"
            )
        for_ns = None if for_ is None else window_ns(for_, times)
        label = str(given) if for_ is None else f"{given} for {(for_ns or 0) / 1e9:g} s"
        return self._add([(given, label)], times=times, optional=optional, for_ns=for_ns)

    def _add(
        self, steps: list[tuple[Content, str]], *, times: int | None, optional: bool, for_ns: int | None = None
    ) -> Self:
        engine = self._engine
        world = engine.world
        operation = self._rule.criteria.operation
        if operation is not None:
            for content, label in steps:
                check_fits(engine, operation, content, label)
        with world.lock:
            engine.script.add_steps(
                self._rule,
                steps,
                times=times,
                optional=optional,
                site=declaration_site(),
                now_ns=world.clock.now_ns(),
                for_ns=for_ns,
            )
        return self

    def when(
        self,
        prompt_contains: str | None = None,
        *,
        model: str | None = None,
        turn: int | None = None,
        tool_result_contains: str | None = None,
        api_key: str | None = None,
        predicate: Callable[[CompletionRequest], bool] | None = None,
        operation: str | None = None,
    ) -> RuleHandle:
        """Return a handle for the requests that meet all conditions; this handle stays as it is.

        Of all matching rules that have something left the most specific answers, the one with most conditions; ties in
        order of declaration. Matching looks at the request alone, never at what came before.

        Args:
            prompt_contains: Text in any user or system message.
            model: Model that is asked for; `gpt-4*` works too.
            turn: 1 plus the number of assistant messages in the request; 1 or more.
            tool_result_contains: Text in any tool result.
            api_key: The key that came with the request.
            predicate: A function of the request that returns a bool.
            operation: What is asked for: `chat`, `embeddings`, `models`, `count_tokens`, ...; `*` works too. Without
                it a rule is for every operation that can meet the other conditions.

        Raises:
            ConfigurationError: No condition is given, or `turn` is below 1.
        """
        engine = self._engine
        conditions = criteria(
            self._rule.criteria, prompt_contains, model, turn, tool_result_contains, api_key, predicate, operation
        )
        with engine.world.lock:
            return RuleHandle(engine, engine.script.add_rule(conditions))

    def on(self, method: str, path: str) -> RuleHandle:
        """Return a handle for the requests to one endpoint, also one that nobody here models.

        `llm_sim.openai.on("POST", "/v1/images/generations").replies(Json({"data": []}))` answers it, `fails(...)` lets
        it fail. Without a step left such a request is an error of the test.

        Args:
            method: `GET`, `POST`, ...
            path: Path of the URL at the provider's own address; `{name}` stands for one part of it.

        Raises:
            ConfigurationError: No method, or a path that does not begin with a slash.
        """
        engine = self._engine
        with engine.world.lock:
            operation = operation_at(engine, method, path)
        return self.when(operation=operation)

    def echoes(self) -> Self:
        """Answer with the last user message, where no step is left.

        Raises:
            ConfigurationError: The handle is for requests that are no conversation.
        """
        self._must_be_said("echoes()")
        self._rule.default = echo
        return self

    def _must_be_said(self, label: str) -> None:
        """Refuse a default where there is no conversation to answer."""
        check_fits(self._engine, self._rule.criteria.operation, SOMETHING, label)

    def generates(self, seed: int | None = None, words: int = 40) -> Self:
        """Answer with what nobody wrote, where no step is left: the same prompt gets the same answer.

        Words, but where the request wants something else: a call of a tool that it requires, names or offers by `auto`,
        with arguments by the tool's schema; a JSON object; a value that is valid against its schema, which may be told
        in the words of the prompt. Several answers (`n`) differ.

        Args:
            seed: Seed of the answers; the world's by default.
            words: How many words a text has; 1 or more.

        Raises:
            ConfigurationError: `words` is below 1, or the handle is for requests that are no conversation.
        """
        self._must_be_said("generates()")
        self._rule.default = Generated(self._engine.world.seed if seed is None else seed, words)
        return self
