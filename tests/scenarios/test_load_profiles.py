"""Load profiles have the shape of the traces they are fitted to; open load keeps its rate."""

import itertools
import json
import statistics
from pathlib import Path

import pytest

import llmtest.scenarios
from llmtest.scenarios import PROFILES, Load, Stage, TraceFile, scenario_schema
from llmtest.scenarios._arrivals import open_arrivals

TRACES = Path(__file__).parents[3] / "shared" / "traces"


def shape_of(rows):
    """Return rate, CV of the gaps, and p50 and p99 of prompts and answers."""
    gaps = [(later.at_ns - earlier.at_ns) / 1e9 for earlier, later in itertools.pairwise(rows)]
    mean = statistics.fmean(gaps)
    cv = statistics.pstdev(gaps) / mean
    tokens = []
    for column in ("input_tokens", "output_tokens"):
        ordered = sorted(getattr(row, column) for row in rows)
        tokens += [ordered[len(ordered) // 2], ordered[len(ordered) * 99 // 100]]
    return 1 / mean, cv, *tokens


@pytest.mark.slow
@pytest.mark.skipif(not TRACES.is_dir(), reason="../shared/traces is missing: it is test data beside the repository")
@pytest.mark.parametrize(("name", "file"), [("azure-code-2023", "code"), ("azure-conv-2023", "conv")])
def test_a_profile_has_the_shape_of_its_trace(name, file):
    """Over 100,000 calls: rate within 10 %, CV of the gaps within 15 %, tokens within 3 % at p50 and 8 % at p99."""
    real = shape_of(list(TraceFile(TRACES / f"AzureLLMInferenceTrace_{file}.csv")))
    ours = shape_of(list(open_arrivals(Load(profile=name, max_calls=100_000), seed=1)))
    tolerances = (0.10, 0.15, 0.03, 0.08, 0.03, 0.08)
    for mine, theirs, tolerance in zip(ours, real, tolerances, strict=True):
        assert mine == pytest.approx(theirs, rel=tolerance, abs=1)


def test_profiles_are_named():
    """The two profiles of the interface exist."""
    assert sorted(PROFILES) == ["azure-code-2023", "azure-conv-2023"]


@pytest.mark.parametrize(("kind", "cv"), [("constant", 0.0), ("poisson", 1.0), ("gamma", 2.0)])
def test_a_rate_is_kept_and_spread_as_asked(kind, cv):
    """20,000 calls at 5/s have the rate, and the CV of their kind of arrivals."""
    rows = list(open_arrivals(Load(rate=5.0, arrivals=kind, cv=cv or 1.0, max_calls=20_000), seed=1))
    rate, measured, *_ = shape_of(rows)
    assert rate == pytest.approx(5, rel=0.05)
    assert measured == pytest.approx(cv, rel=0.06, abs=0.01)


def test_stages_run_in_straight_lines():
    """A ramp from 0 to 10/s over 100 s brings 500 calls, a plateau of 10/s over 50 s as many."""
    stages = (Stage(100.0, 10.0, 0.0), Stage(50.0, 10.0))
    times = [row.at_ns / 1e9 for row in open_arrivals(Load(stages=stages, arrivals="constant"), seed=1)]
    assert len([time for time in times if time <= 100]) == 500
    assert len(times) == 1000
    assert times[-1] == pytest.approx(150)


def test_changing_the_sizes_shifts_no_arrival():
    """Arrivals and sizes are drawn apart."""
    plain = [row.at_ns for row in open_arrivals(Load(rate=5.0, max_calls=100), seed=1)]
    sized = [row.at_ns for row in open_arrivals(Load(rate=5.0, max_calls=100, tokens_like="azure-conv-2023"), seed=1)]
    assert plain == sized


def test_the_published_schema_is_current():
    """`schema.json` is what the models generate."""
    published = Path(llmtest.scenarios.__file__).with_name("schema.json")
    assert json.loads(published.read_text()) == json.loads(json.dumps(scenario_schema()))
