"""Requests with their context: what goes along, in which order, within which budget, and what is told of it."""

import asyncio

import pytest

from llmtest import (
    AssembledProvider,
    ChatMessage,
    CompletionRequest,
    ContextAssembler,
    ContextItem,
    ContextRequirements,
    ContextSource,
    FallbackChain,
    Simulation,
    ToolCall,
    ToolDefinition,
    WordEmbedder,
)
from llmtest.costs import estimate_request_tokens
from llmtest.errors import AllProvidersFailedError, ConfigurationError, ContextLengthExceededError
from llmtest.events import ContextAssembled, ContextSourceFailed
from llmtest.resilience import ContextFormat, MemorySearch, likeness, relevance

ASKED = "How do quarterly sales reports show charts?"
HI = CompletionRequest.ask("Hi")
MEMORIES = [
    "Quarterly sales reports show bar charts.",
    "Nobody likes cold coffee.",
    "Sales reports go to the board.",
    "quarterly SALES reports show bar charts",
]


def needs(**settings):
    """Return requirements that search the memory."""
    search = {key: settings.pop(key) for key in ("max_results", "min_similarity", "focus_areas") if key in settings}
    return ContextRequirements(memory_search=MemorySearch(**search), **settings)


def assembled(request, *sources, requirements=None, provider=None, **settings):
    """Return a request with its context."""
    return ContextAssembler(requirements, sources=sources, **settings).assemble(request, provider=provider)


def talk(turns, words=20):
    """Return a conversation of so many earlier turns."""
    messages = [ChatMessage.system("Be brief.")]
    for number in range(turns):
        messages += [ChatMessage.user(f"Q{number} " + "word " * words), ChatMessage.assistant(f"A{number}")]
    return CompletionRequest(messages=(*messages, ChatMessage.user(ASKED)))


def test_relevance_is_the_share_of_the_words_asked_for():
    """Case, plural, punctuation, fillers, order and repetition do not count; scripts without spaces go by pairs."""
    assert relevance("the SALES report, please", "Report: report of a sale") == 1.0
    assert relevance("sales report", "reports of sails") == 0.5
    assert relevance("sales", "") == relevance("", "sales") == relevance("please", "please") == 0.0
    assert relevance("季度销售", "季度报告") == pytest.approx(1 / 3)


def test_texts_with_another_number_or_denial_are_not_alike():
    """What says something else is never left out as said, however many words are the same."""
    assert likeness("It is safe.", "it is SAFE") == 1.0
    assert likeness("It is safe.", "It is not safe.") == 0.0
    assert likeness("version 3.11 is used here", "version 3.12 is used here") == 0.0
    assert 0 < likeness("Charts are blue today", "Charts are blue over here") < 1


def test_f158_the_most_relevant_memories_go_along_and_no_duplicate():
    """Irrelevant ones and repeated ones are left out, each with its cause; the request itself is unchanged."""
    request = CompletionRequest.ask(ASKED, system="Be brief.")
    context = assembled(request, ContextSource.memory(MEMORIES), requirements=needs(min_similarity=0.3))
    assert [message.text for message in context.request.messages] == [
        "Be brief.",
        "[Context]\nmemory:\n- Quarterly sales reports show bar charts.\n- Sales reports go to the board.",
        ASKED,
    ]
    assert [(out.item.text, out.cause) for out in context.left_out] == [
        ("Nobody likes cold coffee.", "irrelevant"),
        ("quarterly SALES reports show bar charts", "alike"),
    ]
    assert [item.relevance for item in context.items] == [pytest.approx(5 / 6), pytest.approx(2 / 6)]
    assert request.messages[0].text == "Be brief."
    assert len(request.messages) == 2


def test_a_source_may_know_the_relevance_itself():
    """A vector database's similarity is taken as it is, and the best five go along where nothing else is said."""
    entries = [
        {"name": f"E{number}", "similarity": number / 10, "observations": [f"fact {number}"]} for number in range(8)
    ]
    context = assembled(HI, ContextSource.memory(entries), requirements=needs())
    assert [item.title for item in context.items] == ["E7", "E6", "E5", "E4", "E3"]
    assert {out.cause for out in context.left_out} == {"surplus"}


def test_entries_of_a_focus_area_come_first():
    """A tag beats a higher similarity."""
    items = [ContextItem(text="one", relevance=0.9), ContextItem(text="two", relevance=0.1, tags=("styles",))]
    context = assembled(HI, ContextSource.memory(items), requirements=needs(max_results=1, focus_areas=("styles",)))
    assert [item.text for item in context.items] == ["two"]


def test_f158_levels_under_a_budget():
    """The latest five turns first, then data of tools, memories and capabilities, and older turns last."""
    sources = (
        ContextSource.capabilities({"charts": "draws"}),
        ContextSource.memory(["Sales reports are monthly."]),
        ContextSource.tools({"styles": ["blue"], "unasked": "x"}),
    )
    requirements = needs(capability_context=True, tool_data=("styles", "absent"), conversation_depth=8)
    request = talk(9)
    whole = assembled(request, *sources, requirements=requirements)
    assert [item.source for item in whole.items] == ["tool_data", "memory", "capabilities"]
    assert whole.turns_left_out == 1
    assert whole.missing == ("absent",)
    assert whole.metadata.context_sources_used == ("conversation", "capabilities", "memory", "tool_data")
    turn = estimate_request_tokens(CompletionRequest(messages=request.messages[1:3]))
    limit = whole.metadata.total_context_tokens
    one_less = assembled(request, *sources, requirements=requirements, max_context_tokens=limit - 1)
    assert (len(one_less.items), one_less.turns_left_out) == (3, 2)
    no_older = assembled(request, *sources, requirements=requirements, max_context_tokens=limit - 3 * turn - 1)
    assert (len(no_older.items), no_older.turns_left_out) == (2, 4)
    required = estimate_request_tokens(CompletionRequest(messages=(request.messages[0], request.messages[-1])))
    few = assembled(request, *sources, requirements=requirements, max_context_tokens=required + 4 * turn + 1)
    assert (few.items, few.turns_left_out) == ((), 5)
    assert few.request.messages[1].text.startswith("Q5")


def test_the_order_of_a_conversation_is_kept_and_tool_calls_stay_whole():
    """A turn goes with its tool calls and their results, or not at all; later prompts stay where they are."""
    call = ToolCall("c1", "look_up", "{}")
    messages = (
        ChatMessage.system("One"),
        ChatMessage.user("first " * 30),
        ChatMessage.assistant_with_tool_calls(None, (call,)),
        ChatMessage.tool_result("c1", "found " * 30),
        ChatMessage.user("second"),
        ChatMessage.system("Two"),
        ChatMessage.assistant("fine"),
        ChatMessage.user("third"),
    )
    request = CompletionRequest(messages=messages)
    assert assembled(request).request.messages == messages
    shorter = assembled(request, max_context_tokens=60)
    assert shorter.request.messages == (messages[0], *messages[4:])


def test_required_items_go_first_whatever_their_relevance():
    """They are no memories to choose among, and stay where no room is left for others."""
    required = ContextItem(text="The customer is a minor.", required=True, relevance=0.0)
    source = ContextSource("law", lambda need: ["Reports are due in May.", required, required])
    context = assembled(CompletionRequest.ask(ASKED), source, max_context_tokens=30)
    assert [item.text for item in context.items] == ["The customer is a minor."]
    assert [out.cause for out in context.left_out] == ["alike", "no_room"]


@pytest.mark.parametrize("required", [False, True], ids=["request", "items"])
def test_f158_what_is_required_and_does_not_fit_is_one_error(required):
    """It says how much there is and how much may be, as numbers too."""
    items = [ContextItem(text="word " * 20, required=True)] if required else []
    request = CompletionRequest.ask("Hi" if required else "word " * 50)
    with pytest.raises(ContextLengthExceededError) as caught:
        assembled(request, ContextSource("law", lambda need: items), max_context_tokens=20, provider="openai")
    tokens = caught.value.requested_tokens
    also = " and 1 required items" if required else ""
    assert str(caught.value) == (
        f"the system prompt, the current turn, the tools{also} take about {tokens} tokens, and the context of `openai` "
        "may have 20.\nTo fix: raise `max_context_tokens`, or require less"
    )
    assert (tokens > 20, caught.value.max_tokens) == (True, 20)


def test_f158_each_provider_gets_it_in_its_form():
    """Data of the tool in its description, a list for people's eyes, or one line for small models."""
    formats = {
        "openai": ContextFormat(data_in_tools=True),
        "ollama": ContextFormat(layout="line"),
    }
    requirements = needs(name="pdf", tool_data=("templates",), provider_optimization=formats)
    sources = (ContextSource.memory(["Sales go first."]), ContextSource.tools({"templates": ["brief", "long"]}))
    tools = (ToolDefinition("pdf", "Makes PDFs."), ToolDefinition("other", "Else."))
    request = CompletionRequest([ChatMessage.user(ASKED)], tools=tools)

    def written(provider):
        made = assembled(request, *sources, requirements=requirements, provider=provider).request
        return made.messages[0].text, made.tools[0].description

    assert written("openai") == (
        "[Context]\nmemory:\n- Sales go first.",
        'Makes PDFs.\n[Context] templates: ["brief", "long"]',
    )
    assert written("anthropic") == (
        '[Context]\nmemory:\n- Sales go first.\ntool_data:\n- templates: ["brief", "long"]',
        "Makes PDFs.",
    )
    assert written("ollama") == ('[Context] Sales go first.; templates: ["brief", "long"]', "Makes PDFs.")


def test_an_embedder_scores_by_meaning():
    """With vectors the same pipeline runs, and a text with another number is still another text."""
    items = ["sales of 2025 rose", "sales of 2025 rose!", "sales of 2026 rose"]
    context = assembled(
        CompletionRequest.ask("sales rose"),
        ContextSource("notes", lambda need: items),
        embedder=WordEmbedder(),
    )
    assert sorted(item.text for item in context.items) == ["sales of 2025 rose", "sales of 2026 rose"]
    assert all(0 < item.relevance < 1 for item in context.items)


def test_the_question_is_a_template():
    """Variables come from the call, from the request's metadata, and from the user's last message."""
    seen = []
    search = MemorySearch(query_template="data {{kind}} for {{ team }} like {{user_request}}")
    source = ContextSource("notes", lambda need: seen.append(need.query) or [], asked_by="memory_search")
    assembler = ContextAssembler(ContextRequirements(memory_search=search), sources=[source])
    request = CompletionRequest([ChatMessage.user("sales")], metadata={"team": "red"})
    assert assembler.assemble(request, variables={"kind": "analysis"}).query == "data analysis for red like sales"
    assert seen == ["data analysis for red like sales"]
    with pytest.raises(
        ConfigurationError, match=r"has the variable `kind`, which is not given. Did you mean `kinds`\?"
    ):
        assembler.assemble(request, variables={"kinds": "analysis"})


def test_f159_time_of_preparation_is_virtual_and_sources_are_asked_side_by_side():
    """On an event loop three sources take as long as the slowest; in blocking code as long as all."""

    def blocking(seconds):
        def gather(need):
            sim.clock.sleep(seconds)
            return [f"after {seconds}"]

        return gather

    def waiting(seconds):
        async def gather(need):
            await asyncio.sleep(seconds)
            return [f"after {seconds}"]

        return gather

    async def story(assembler):
        return await assembler.assemble_async(HI, provider="openai")

    with Simulation() as sim:
        for make, ms in ((blocking, 6000.0), (waiting, 3000.0)):
            sources = [ContextSource(f"s{number}", make(number)) for number in (3, 1, 2)]
            assembler = ContextAssembler(sources=sources, max_context_tokens=100)
            made = assembler.assemble(HI, provider="openai") if make is blocking else sim.run(story(assembler))
            assert made.metadata.preparation_time_ms == ms
            assert [item.text for item in made.items] == ["after 3", "after 1", "after 2"]
        tokens = made.metadata.total_context_tokens
        assert made.metadata.token_utilization_rate == tokens / 100
        assert tokens == estimate_request_tokens(made.request)
        told = sim.trace.of(ContextAssembled)[-1]
    assert (told.provider, told.tokens, told.max_tokens) == ("openai", tokens, 100)
    assert told.kept == (("s1", 1), ("s2", 1), ("s3", 1))


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_a_source_that_fails_is_named_and_skipped_or_raised(is_async):
    """Both as configured; what the other sources know is used."""

    def broken(need):
        raise OSError("disk gone")

    sources = [ContextSource("wiki", broken), ContextSource("notes", lambda need: ["fine"])]

    def made(assembler):
        return sim.run(assembler.assemble_async(HI)) if is_async else assembler.assemble(HI)

    with Simulation() as sim:
        context = made(ContextAssembler(sources=sources))
        (told,) = sim.trace.of(ContextSourceFailed)
        with pytest.raises(OSError, match="disk gone") as caught:
            made(ContextAssembler(sources=sources, on_source_failure="raise"))
    assert [item.text for item in context.items] == ["fine"]
    assert [(name, str(error)) for name, error in context.failed.items()] == [("wiki", "disk gone")]
    assert (told.source, str(told.error)) == ("wiki", "disk gone")
    assert caught.value.__notes__ == ["raised by the context source `wiki`"]


def test_an_embedder_that_fails_is_a_source_that_fails():
    """Words are compared in its place."""

    class Broken(WordEmbedder):
        def embed(self, request):
            raise OSError("no vectors")

    source = ContextSource("notes", lambda need: ["hi there"])
    context = assembled(HI, source, embedder=Broken())
    assert [item.relevance for item in context.items] == [0.0]
    assert list(context.failed) == ["embedder"]


def test_an_asynchronous_source_in_blocking_code_is_refused():
    """Whatever is said of failures: it would fail each time."""

    async def gather(need):
        return ["never"]

    with pytest.raises(ConfigurationError, match="`wiki` is asynchronous, and this is blocking code"):
        assembled(HI, ContextSource("wiki", gather))


@pytest.mark.parametrize("answer", ["text", {"a": "b"}, 3, [3], [None]], ids=repr)
def test_a_source_that_answers_with_something_else_is_refused(answer):
    """A text alone is no list of texts."""
    with pytest.raises(ConfigurationError, match="the context source `wiki` answers with a list of `ContextItem`"):
        assembled(HI, ContextSource("wiki", lambda need: answer))


def test_f127_a_chain_s_next_provider_gets_what_fits_there():
    """A required part beyond the first provider's cap goes on to the second one, with a context of its own."""
    formats = {"openai": ContextFormat(max_context_tokens=20), "anthropic": ContextFormat(max_context_tokens=200)}
    requirements = ContextRequirements(provider_optimization=formats)
    assembler = ContextAssembler(requirements, sources=[ContextSource("notes", lambda need: ["Sales go first."])])
    with Simulation() as sim:
        sim.openai.echoes()
        sim.anthropic.echoes()
        chain = FallbackChain(
            [
                AssembledProvider(sim.openai.as_provider("gpt-4o"), assembler),
                AssembledProvider(sim.anthropic.as_provider("claude-opus-4"), assembler),
            ]
        )
        assert chain.complete(HI).provider == "openai"
        assert sim.run(chain.complete_async(CompletionRequest.ask("word " * 60))).provider == "anthropic"
        with pytest.raises(AllProvidersFailedError) as caught:
            chain.complete(CompletionRequest.ask("word " * 400))
        texts = [[message.text[:9] for message in seen.request.messages] for seen in sim.anthropic.requests]
        told = [(event.call > 0, event.provider) for event in sim.trace.of(ContextAssembled)]
    assert [(name, error.max_tokens) for name, error in caught.value.errors] == [("openai", 20), ("anthropic", 200)]
    assert texts == [["[Context]", "word word"]]
    assert told == [(True, "openai"), (True, "anthropic")]


def test_streams_get_their_context_too_and_the_window_counts():
    """Of a model whose window is known no more than that is filled, with room for the answer."""
    source = ContextSource("notes", lambda need: ["short", "word " * 200])
    with Simulation() as sim:
        sim.openai.replies("Fine.").context_window(100)
        provider = AssembledProvider(sim.openai.as_provider("gpt-4o"), ContextAssembler(sources=[source]))
        request = CompletionRequest([ChatMessage.user("Hi")], max_tokens=50)
        assert "".join(event.text or "" for event in provider.stream(request)) == "Fine."
        (told,) = sim.trace.of(ContextAssembled)
        (seen,) = sim.openai.requests
    assert seen.request.messages[0].text == "[Context]\nnotes:\n- short"
    assert told.left == (("no_room", 1),)
    assert told.max_tokens == 50


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: ContextAssembler(max_context_tokens=0), "max_context_tokens is a whole number of 1 or more, got 0"),
        (lambda: ContextAssembler(redundancy_threshold=0), "redundancy_threshold is a number above 0"),
        (lambda: ContextAssembler(on_source_failure="panic"), "on_source_failure is `skip` or `raise`, got 'panic'"),
        (lambda: ContextAssembler({"conversation_depth": 3}), "requirements is a `ContextRequirements`"),
        (lambda: ContextAssembler(sources=["notes"]), "sources is a list of `ContextSource`, got 'notes'"),
        (lambda: ContextAssembler(sources=[ContextSource.memory([])] * 2), "two sources are called `memory`"),
        (lambda: ContextRequirements(conversation_depth=-1), "conversation_depth is a whole number of 0 or more"),
        (lambda: MemorySearch(max_results=0), "max_results is a whole number of 1 or more, got 0"),
        (lambda: MemorySearch(min_similarity=2), "min_similarity is a number from 0 to 1, got 2"),
        (lambda: ContextFormat(max_context_tokens=0), "max_context_tokens is a whole number of 1 or more, got 0"),
        (lambda: ContextFormat(layout="table"), "layout is `list` or `line`, got 'table'"),
        (lambda: ContextItem(text=" "), "text is a text with a letter at least, got ' '"),
        (lambda: ContextItem(text="a", relevance=2), "relevance is a number from 0 to 1, got 2"),
        (lambda: AssembledProvider(object(), "x"), "takes a `ContextAssembler`, not 'x'"),
    ],
)
def test_what_is_out_of_range_is_refused_where_it_is_written(make, text):
    """Each error names the option, the value and the range."""
    with pytest.raises(ConfigurationError) as caught:
        make()
    assert text in str(caught.value)


def test_as_data_it_has_caxton_s_keys():
    """An agent that reads Caxton's request context reads this."""
    context = assembled(talk(1, 1), ContextSource.memory(["Sales reports show charts."]), requirements=needs())
    data = context.as_dict()
    assert [message["role"] for message in data["conversation_history"]] == ["user", "assistant", "user"]
    assert data["memory_context"]["search_query"] == ASKED
    (entity,) = data["memory_context"]["relevant_entities"]
    assert entity["observations"] == ["Sales reports show charts."]
    assert list(data["context_metadata"]) == [
        "preparation_time_ms",
        "total_context_tokens",
        "token_utilization_rate",
        "context_sources_used",
    ]
