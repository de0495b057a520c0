"""`llmtest_prices` and `@pytest.mark.llm_prices`: which prices a test goes by."""

import pytest

from llmtest.costs import Prices, _default_prices, default_prices
from llmtest.errors import ScenarioError

CHEAP = "prices: {'openai:*': {input_usd_per_mtok: 1, output_usd_per_mtok: 1}}\n"
DEAR = "prices: {'openai:*': {input_usd_per_mtok: 9, output_usd_per_mtok: 9}}\n"
TEST = """
import pytest
from llmtest import Usage
from llmtest.costs import Budget, Prices, simulated_prices

{marker}
def test_it(llm_sim):
    own = Budget().prices.rates("openai", "gpt-4o").input
    print("PRICES", llm_sim.world.prices.rates("openai", "gpt-4o").input, own)

def test_next(llm_sim):
    print("NEXT", llm_sim.world.prices.rates("openai", "gpt-4o").input)
"""


@pytest.mark.parametrize(
    ("environment", "marker", "ini", "first", "then"),
    [
        pytest.param(None, "", "", "2.5", "2.5", id="published"),
        pytest.param(None, "", "llmtest_prices = cheap.yaml", "1", "1", id="ini"),
        pytest.param("dear.yaml", "", "llmtest_prices = cheap.yaml", "9", "9", id="environment-over-ini"),
        pytest.param(None, '"dear.yaml"', "llmtest_prices = cheap.yaml", "9", "1", id="marker-over-ini"),
        pytest.param("cheap.yaml", 'path="dear.yaml"', "", "9", "1", id="marker-over-environment"),
        pytest.param(None, 'simulated_prices("vapora")', "", "1", "2.5", id="table"),
    ],
)
def test_the_prices(run_tests, pytester, monkeypatch, environment, marker, ini, first, then):
    """Marker beats environment beats ini file beats what is published; worlds and budgets go by the same list."""
    (pytester.path / "cheap.yaml").write_text(CHEAP)
    (pytester.path / "dear.yaml").write_text(DEAR)
    if environment is not None:
        monkeypatch.setenv("LLMTEST_PRICES", environment)
    result = run_tests(TEST.format(marker=f"@pytest.mark.llm_prices({marker})" if marker else ""), "-s", ini=ini)
    result.stdout.fnmatch_lines([f"*PRICES {first} {first}", f"*NEXT {then}"])


@pytest.mark.parametrize(
    ("marker", "ini", "line"),
    [
        pytest.param("", "", "E *ConfigurationError: `llm_prices()`: it takes the path of a price file*", id="nothing"),
        pytest.param("3", "", "E *ConfigurationError: `llm_prices(3)`: it takes the path*", id="number"),
        pytest.param('"prices.yml"', "", "E *no such file.*", id="no-file"),
        pytest.param(None, "llmtest_prices = x.yaml", "E *no such file.*", id="no-file-in-ini"),
        pytest.param('"wrong.yaml"', "", "E *wrong.yaml:1: unknown key `price`. Did you mean `prices`?", id="wrong"),
    ],
)
def test_wrong_prices_are_told_by_every_test_that_would_go_by_them(run_tests, pytester, marker, ini, line):
    """No traceback of the plugin: the file and its line, or the marker and how it is written."""
    (pytester.path / "wrong.yaml").write_text("price: {}\n")
    mark = "" if marker is None else f"@pytest.mark.llm_prices({marker})"
    result = run_tests(f"import pytest\n\n{mark}\ndef test_it():\n    pass\n", ini=ini)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([line])


def test_the_environment_names_the_prices_of_a_process_too(tmp_path, monkeypatch):
    """Outside pytest `LLMTEST_PRICES` is what `default_prices()` are, once; a broken file is told."""
    monkeypatch.setattr(_default_prices, "_default", None)
    (tmp_path / "prices.yaml").write_text("prices: [")
    monkeypatch.setenv("LLMTEST_PRICES", str(tmp_path / "prices.yaml"))
    with pytest.raises(ScenarioError, match=r"prices\.yaml:1: not valid YAML"):
        default_prices()
    (tmp_path / "prices.yaml").write_text(DEAR)
    assert default_prices().rates("openai", "gpt-99").input == 9
    assert default_prices() is default_prices()
    assert Prices().rates("openai", "gpt-99") is None


def test_the_counter_of_a_run_is_told_by_its_name(run_tests):
    """The ini setting counts everything of every test; a wrong name is told with the known ones."""
    code = "def test_it(llm_sim):\n    from llmtest.costs import count_tokens\n    assert count_tokens('abcd') == 4\n"
    run_tests(code, ini="llmtest_tokenizer = bytes").assert_outcomes(passed=1)
    wrong = run_tests(code, ini="llmtest_tokenizer = byte")
    wrong.stdout.fnmatch_lines(["E *llmtest_tokenizer = byte: no tokenizer `byte`. Did you mean `bytes`?"])
