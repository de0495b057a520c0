"""What a prompt can have at most, and counters of one's own (rows M02, M08, M09, C30, F143)."""

import asyncio
import base64
import random
from decimal import Decimal
from importlib.metadata import EntryPoint

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmtest import (
    AsyncLLMClient,
    Budget,
    BudgetConfig,
    BudgetExceededError,
    CompletionRequest,
    FallbackChain,
    LLMClient,
    Prices,
    Usage,
)
from llmtest.costs import (
    Estimate,
    _tokenizers,
    count_tokens,
    estimate_request_tokens,
    most_request_tokens,
    most_tokens,
    use_tokenizer,
)
from llmtest.errors import ConfigurationError
from llmtest.simulation import Reply
from llmtest.testing import Simulation
from llmtest.types import AudioPart, ChatMessage, FilePart, ImagePart, ResponseFormat, TextPart, ToolDefinition

ENCODINGS = ("cl100k_base", "o200k_base", "llama3", "qwen3")
DRAW = random.Random(8)
TEXTS = {
    "English": "The quick brown fox jumps over the lazy dog, and nobody knows why it does so every morning. " * 9,
    "German": "Überraschend häufig wäscht der Bär seine Tatzen, weiß der Förster über die großen Wälder. " * 9,
    "Chinese": "敏捷的棕色狐狸跳过了懒狗。没有人知道它为什么每天早上都这样做。" * 9,
    "rare Chinese": "".join(chr(DRAW.randint(0x4E00, 0x9FFF)) for _ in range(900)),
    "Arabic": "الثعلب البني السريع يقفز فوق الكلب الكسول كل صباح ولا أحد يعرف السبب. " * 9,
    "emoji": "".join(chr(DRAW.randint(0x1F300, 0x1F6FF)) for _ in range(900)),
    "code": "def f(x: int) -> int:\n    return {k: v[::-1] for k, v in x.items() if k not in (1, 2)}[0]\n" * 9,
    "letters": "".join(DRAW.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(900)),
    "digits": "".join(DRAW.choice("0123456789") for _ in range(900)),
    "base64": base64.b64encode(DRAW.randbytes(900)).decode(),
    "hex": DRAW.randbytes(900).hex(),
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=list(TEXTS))
def test_m02_no_vocabulary_has_more_tokens_than_the_bound(text):
    """Prose, code and noise of every script stay below it in each public vocabulary."""
    pytest.importorskip("quicktok")
    assert max(count_tokens(text, encoding, exact=True) for encoding in ENCODINGS) <= most_tokens(text)


@given(st.text())
def test_m02_the_bound_is_above_the_estimate_and_below_the_bytes(text):
    """Whatever the text, a lone surrogate too."""
    size = len(text.encode("utf-8", "surrogatepass"))
    assert count_tokens(text) <= most_tokens(text) <= size


def test_m02_a_prompt_of_chinese_is_refused_by_a_day_that_it_would_pass():
    """40,000 characters of Chinese are more than 20,000 tokens, and nobody is asked."""
    with Simulation() as sim:
        sim.openai.replies(Reply("好", usage=Usage(40_000, 1)), optional=True)
        budget = Budget(BudgetConfig(max_tokens_per_day=20_000))
        client = LLMClient(FallbackChain([sim.openai.as_provider("gpt-4o")], budget=budget))
        with pytest.raises(BudgetExceededError):
            client.complete(CompletionRequest.ask("汉" * 40_000).with_max_tokens(10))
        sim.assert_attempts("openai", 0)


def test_m08_a_crowd_of_chinese_prompts_never_passes_the_limit():
    """500 at once, billed a token for each character: spent is at most the limit, and nothing stays reserved."""
    prices = Prices()
    prices.add("openai:big", input_usd_per_mtok="2.5", output_usd_per_mtok="10")
    with Simulation(prices=prices) as sim:
        sim.openai.replies(Reply("好", usage=Usage(1_004, 1)), times=None)
        budget = Budget(BudgetConfig(max_cost_per_session="1.00"), prices=prices)
        client = AsyncLLMClient(FallbackChain([sim.openai.as_provider("big")], budget=budget))
        request = CompletionRequest.ask("汉" * 1_000).with_max_tokens(10)

        async def crowd():
            return await asyncio.gather(*(client.complete(request) for _ in range(500)), return_exceptions=True)

        results = sim.run(crowd())
        refused = [each for each in results if isinstance(each, BudgetExceededError)]
        balance = budget.balance()
        assert 0 < len(refused) < 500
        assert balance.spent_usd == sim.costs.total_usd <= 1
        assert (balance.reserved_usd, balance.reserved_tokens) == (0, 0)


@pytest.mark.parametrize("usage", [Usage(-(10**6), -5), Usage(10, -1), Usage(10, 1, cache_read_tokens=-3)], ids=repr)
def test_m09_a_usage_below_zero_is_refused_where_it_is_written_and_charged_as_reserved_where_it_comes(usage):
    """A script cannot bill it; a provider that says so is charged what was set aside, not less than nothing."""
    with pytest.raises(ConfigurationError, match="Reply: usage counts what was used"):
        Reply("x", usage=usage)
    budget = Budget(BudgetConfig(max_cost_per_day=1))
    charge = budget.reserve(Estimate(20, Decimal("0.5"), "openai", "gpt-4o")).settle(usage)
    assert (charge.tokens, charge.usd, charge.source) == (20, Decimal("0.5"), "unknown")
    assert Prices().cost("openai", "gpt-4o", usage) is None
    with pytest.raises(ConfigurationError, match="is negative"):
        budget.charge(usage)


def test_m09_an_answer_beyond_what_was_asked_for_is_cut_and_billed_as_far():
    """No answer is longer than `max_tokens`, so that none costs more than was reserved."""
    with Simulation() as sim:
        sim.openai.replies("word " * 500)
        budget = Budget(BudgetConfig(max_tokens_per_session=60))
        client = LLMClient(FallbackChain([sim.openai.as_provider("gpt-4o")], budget=budget))
        answer = client.complete(CompletionRequest.ask("hi").with_max_tokens(5))
        assert (answer.usage.output_tokens, str(answer.finish_reason)) == (5, "length")
        assert budget.balance().spent_tokens == answer.usage.total_tokens


def test_everything_of_a_prompt_is_in_its_bound():
    """Tools, calls, forms, pictures, sound, files and documents that are elsewhere are counted at their most."""
    tool = ToolDefinition("find", "Find it.", {"type": "object", "properties": {}})
    parts = (
        TextPart("看"),
        ImagePart(url="https://example.org/cat.png"),
        AudioPart(data="A" * 320_000),
        FilePart(text="plain"),
        FilePart(data="A" * 10_000),
        FilePart(file_id="file-1"),
    )
    request = CompletionRequest(
        (ChatMessage("user", parts),), tools=(tool,), response_format=ResponseFormat.json_schema({"type": "object"})
    )
    bare = CompletionRequest((ChatMessage("user", parts[:1]),))
    assert most_request_tokens(bare) == 35 + 4 + 3
    assert most_request_tokens(request) > 1_600 + 10_000 + 9_000 + 3_000 + 530
    assert most_request_tokens(request) > estimate_request_tokens(request)


class Doubled:
    """A counter of one's own: two tokens a character."""

    def count(self, text):
        return 2 * len(text)


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "stream"])
def test_a_counter_of_one_s_own_is_what_everybody_counts_by(streams):
    """The bill, what is left of a stream, and the bound follow; outside the block the estimate counts again."""
    with Simulation() as sim, use_tokenizer(Doubled()):
        sim.openai.replies("Paris")
        budget = Budget(BudgetConfig(max_tokens_per_session=1_000), tokenizer=Doubled())
        client = LLMClient(FallbackChain([sim.openai.as_provider("gpt-4o")], budget=budget))
        request = CompletionRequest.ask("Capital?").with_max_tokens(50)
        assert budget.estimate(request, "openai", "gpt-4o").tokens == 16 + 4 + 35 + 50
        if streams:
            with client.stream(request) as stream:
                next(iter(stream))
            assert budget.balance().spent_tokens == sim.costs.summary.total_tokens == 16 + 4 + 10
        else:
            assert client.complete(request).usage == Usage(20, 10)
    assert count_tokens("Paris") == 2


def test_a_counter_is_a_name_an_argument_an_entry_point_or_an_object(monkeypatch):
    """Vocabularies, bytes and the estimate have names; others are announced by packages."""
    point = EntryPoint(name="double", group="llmtest.tokenizers", value=f"{__name__}:Doubled")
    monkeypatch.setattr(_tokenizers, "entry_points", lambda group: (point,))
    assert count_tokens("Ü", tokenizer="bytes") == 2
    assert count_tokens("abcde", tokenizer="estimate") == 2
    assert count_tokens("abc", tokenizer=Doubled()) == 6
    monkeypatch.setattr(EntryPoint, "load", lambda self: Doubled)
    assert count_tokens("abc", tokenizer="double") == 6
    with pytest.raises(
        ConfigurationError, match=r"no tokenizer `doubel`\. Did you mean `double`\?\nKnown tokenizers: est"
    ):
        count_tokens("abc", tokenizer="doubel")
    with pytest.raises(ConfigurationError, match=r"a tokenizer has a method `count\(text\)`, and 3 has none"):
        count_tokens("abc", tokenizer=3)


def test_a_counter_that_counts_nonsense_is_told():
    """Below zero, or no number: an error that names the counter."""

    class Wrong:
        def count(self, text):
            return -1

    with use_tokenizer(Wrong()), pytest.raises(ConfigurationError, match="counted -1 tokens, which is no whole number"):
        count_tokens("abc")
